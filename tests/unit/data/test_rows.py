"""Rows as published: JSONL, CSV and Parquet are read alike, and a message names file and line."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from fetched_rows import packed, parquet_of

from ripeness.data.items import item_of
from ripeness.data.rows import read_sources, write_rows
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.study.tasks import load_task

ROOT = Path(__file__).parents[3]

ROWS = [{"text": "good, or\nnot \u2028 é", "mood": "1"}, {"text": "007", "mood": "0"}, {"text": "bad", "mood": "1"}]


def lines_of(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def csv_of(rows):
    return pl.DataFrame(rows).write_csv()


def test_the_three_kinds_of_file_give_the_same_rows(fetch, tmp_path):
    assert [row.values for row in fetch("a.jsonl", lines_of(ROWS))] == ROWS
    assert [row.values for row in fetch("a.csv", csv_of(ROWS))] == ROWS
    assert [row.values for row in fetch("a.parquet", parquet_of(ROWS, tmp_path / "x"))] == ROWS


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", pl.DataFrame(ROWS).write_csv(separator="\t")),
        ("a.TSV", pl.DataFrame(ROWS).write_csv(separator="\t")),
        ("a.csv", pl.DataFrame(ROWS).write_csv(separator=";")),
        ("a.csv", pl.DataFrame(ROWS).write_csv(separator="\t")),
        ("a.csv", "\ufeff" + csv_of(ROWS)),
        ("a.jsonl", "\ufeff" + lines_of(ROWS)),
        ("a.jsonl.gz", packed(lines_of(ROWS).encode())),
        ("a.csv.gz", packed(csv_of(ROWS).encode())),
        ("v1.2.tsv.gz", packed(pl.DataFrame(ROWS).write_csv(separator="\t").encode())),
    ],
)
def test_other_separators_marks_at_the_start_and_packed_files_give_the_same_rows(fetch, name, content):
    found = fetch(name, content)
    assert [row.values for row in found] == ROWS
    assert [row.where for row in found] == [f"{name}:{n}" for n in ((1, 2, 3) if "json" in name else (2, 4, 5))]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;\r", "\ufeffsep=;"])
def test_a_first_line_may_name_the_separator(fetch, first):
    (row,) = fetch("a.csv", f"{first}\ntext;mood, or so\nWell, well;1\n")
    assert (row.values, row.where.rpartition(":")[2]) == ({"text": "Well, well", "mood, or so": "1"}, "3")
    assert fetch("b.csv", "sep=\t\ntext\tmood\na;b\t1\n")[0].values == {"text": "a;b", "mood": "1"}
    assert fetch("c.csv", "sep=,\ntext\na;b\n")[0].values == {"text": "a;b"}
    assert fetch("d.csv", "sep=\na;b\n")[0].values == {"sep=": "a;b"}  # a column of that name


def test_commas_in_the_text_of_a_table_with_semicolons_separate_nothing(fetch):
    (row,) = fetch("a.csv", "text;mood\nWell, well, well;1\n")
    assert row.values == {"text": "Well, well, well", "mood": "1"}


def test_a_table_of_one_column_stays_one_where_nothing_separates(fetch):
    assert [row.values for row in fetch("a.csv", "text\na; b\n")] == [{"text": "a; b"}]


def test_two_halves_of_a_surrogate_pair_are_one_character(fetch):
    (row,) = fetch("a.jsonl", '{"text": "\\ud83d\\ude00"}\n')
    assert row.values == {"text": "\U0001f600"}


def test_rows_are_named_by_the_line_on_which_they_begin(fetch, tmp_path):
    assert [row.where for row in fetch("a.jsonl", lines_of(ROWS))] == ["a.jsonl:1", "a.jsonl:2", "a.jsonl:3"]
    assert [row.where for row in fetch("a.csv", csv_of(ROWS))] == ["a.csv:2", "a.csv:4", "a.csv:5"]
    parquet = fetch("a.parquet", parquet_of(ROWS, tmp_path / "x"))
    assert [row.where for row in parquet] == ["a.parquet:1", "a.parquet:2", "a.parquet:3"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", '\n{"text": "x"}\n  \n\n{"text": "y"}\n\n'), ("a.csv", "text,mood\nx,1\n\n\ny,0\n\n")],
)
def test_blank_lines_are_no_rows_but_count_as_lines(fetch, name, content):
    assert [(row.values["text"], row.where) for row in fetch(name, content)] == [("x", f"{name}:2"), ("y", f"{name}:5")]


def test_a_csv_is_read_as_it_is_written(fetch):
    numbers = "".join(f"{n},0{n}.50\n" for n in range(200))
    found = fetch("a.csv", f"id,text\n{numbers}last,True\n")
    assert [row.values for row in found[:2]] == [{"id": "0", "text": "00.50"}, {"id": "1", "text": "01.50"}]
    assert found[-1].values == {"id": "last", "text": "True"}


def test_columns_of_any_type_come_through(fetch, tmp_path):
    rows = [{"a": 1, "b": True, "c": ["x", "y"], "d": {"e": None}, "f": 0.5}, {"a": None, "z": "é"}]
    assert [row.values for row in fetch("a.jsonl", lines_of(rows))] == rows
    table = [{"a": 1, "b": [1, 2], "c": date(2024, 1, 31)}]
    (row,) = fetch("a.pq", parquet_of(table, tmp_path / "x"))
    assert row.values == {"a": 1, "b": [1, 2], "c": "2024-01-31"}


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", ""), ("a.jsonl", "\n\n"), ("a.csv", "text,mood\n")])
def test_a_file_without_rows_gives_none(fetch, name, content):
    assert fetch(name, content) == []


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.jsonl", '{"text": "x", "mood": 1}\n\n{"mood": 1}\n', "the row has no 'text'; it has mood"),
        ("a.jsonl", '\n{"text": "x", "mood": 1}\n{"text": null, "mood": 1}\n', "text is null"),
        ("a.jsonl", '\n{"text": "x", "mood": 1}\n{"text": NaN, "mood": 1}\n', "text is null"),
        ("a.jsonl", '\n{"text": "x", "mood": 1.0}\n{"text": "y", "mood": NaN}\n', "mood is null"),
        ("a.csv", "text,mood\nx,1\n,1\n", "text is null"),
    ],
)
def test_a_row_without_a_field_is_named_by_file_and_line(fetch, name, content, what):
    task = replace(load_task("nursery-mood", ROOT / "tasks", overrides={"values": {1: "good"}}), id=None)
    good, bad = fetch(name, content)
    assert item_of(good, task, "1").target == "good"
    with pytest.raises(UserError, match=rf"^{name}:3: {what}\nhint: fix the row"):
        item_of(bad, task, "2")


def test_blanks_in_the_names_of_columns_are_seen(fetch):
    task = replace(load_task("nursery-mood", ROOT / "tasks", overrides={}), id=None)
    with pytest.raises(UserError, match=r"a.csv:2: the row has no 'text'; it has ' mood', and_so, 'text '\nhint: "):
        item_of(fetch("a.csv", "text , mood,and_so\nx,1,2\n")[0], task, "1")
    with pytest.raises(UserError, match=r"a.csv:2: 'text ' is null\nhint: "):
        item_of(fetch("a.csv", "text ,mood\n,1\n")[0], replace(task, fields={"text": "text "}), "1")


def test_each_source_is_kept_with_its_count_and_digest(tmp_path):
    write_rows(tmp_path / "out", {"train": ROWS, "test": ROWS[:1]}, {"licence": "CC0-1.0"})
    record = read_json(tmp_path / "out" / "provenance.json")
    assert [(file["name"], file["rows"]) for file in record["files"]] == [("train", 3), ("test", 1)]
    assert record["licence"] == "CC0-1.0" and len({file["sha256"] for file in record["files"]}) == 2
    write_rows(tmp_path / "again", {"other": ROWS}, {})
    again = read_json(tmp_path / "again" / "provenance.json")
    assert again["files"][0]["sha256"] == record["files"][0]["sha256"]
    assert {name: [row.where for row in rows] for name, rows in read_sources(tmp_path / "out").items()} == {
        "train": ["train:1", "train:2", "train:3"],
        "test": ["test:1"],
    }


@pytest.mark.parametrize("cell", ["", '""'])
def test_an_empty_cell_is_null_with_quotes_and_without(fetch, cell):
    assert [row.values for row in fetch("a.csv", f"text,mood\nx,1\n{cell},1\n")][1] == {"text": None, "mood": "1"}


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('text,mood\nhe said "hi",1\n', [(2, 'he said "hi"')]),
        ('text,mood\n"he said ""hi"", twice",1\n', [(2, 'he said "hi", twice')]),
        ('text,mood\r\n"a\r\nb",1\r\nc,1\r\n', [(2, "a\r\nb"), (4, "c")]),
        ("text,mood\ra,1\rb,1\r", [(2, "a"), (3, "b")]),
        ('"te\nxt",text\n1,a\n1,b\n', [(3, "a"), (4, "b")]),
        ("text,mood\na,1\n,\nb,1\n", [(2, "a"), (4, "b")]),
        (",text\n0,a\n1,b\n", [(2, "a"), (3, "b")]),
        ("text,mood\n" + "x" * 200_000 + ",1\n", [(2, "x" * 200_000)]),
        ("text,mood\n=cmd|' /C calc'!A0,1\n{{ 7*7 }},2\n", [(2, "=cmd|' /C calc'!A0"), (3, "{{ 7*7 }}")]),
    ],
)
def test_odd_tables_are_read_as_they_stand(fetch, content, rows):
    assert [(int(row.where.split(":")[1]), row.values["text"]) for row in fetch("a.csv", content)] == rows


def test_a_column_of_one_name_may_hold_it_again_and_one_row_may_hold_a_list(fetch):
    assert [row.values for row in fetch("a.csv", "text\ntext\nx\n")] == [{"text": "text"}, {"text": "x"}]
    assert fetch("a.jsonl", '{"a": ["x"], "b": "y"}\n')[0].values == {"a": ["x"], "b": "y"}

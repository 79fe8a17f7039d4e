"""Rows as published: JSONL, CSV and Parquet are read alike, and a message names file and line."""

import gzip
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

import fetch_dataset
from ripeness.data import row_files
from ripeness.data.items import item_of
from ripeness.data.row_files import read_rows
from ripeness.data.rows import read_sources, write_rows
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.study.tasks import load_task

ROOT = Path(__file__).parents[3]
KINDS = (".jsonl", ".csv", ".parquet", ".csv.gz")
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0a\nsize 3\n"
ROWS = [{"text": "good, or\nnot \u2028 é", "mood": "1"}, {"text": "007", "mood": "0"}, {"text": "bad", "mood": "1"}]


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    """Give a function that writes a file, fetches it for every role and returns its rows as the items see them."""
    monkeypatch.chdir(tmp_path)

    def run(name, content):
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
        source = json.dumps(dict.fromkeys(("train", "validation", "test"), name))
        fetch_dataset.main(["--source", source, "--licence", "CC0-1.0", "--output", "out"])
        return read_sources(Path("out"))[name]

    return run


def lines_of(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def packed(content):
    """Pack without the time of day, which would make a test's name another one in each worker."""
    return gzip.compress(content, mtime=0)


def csv_of(rows):
    return pl.DataFrame(rows).write_csv()


def parquet_of(rows, path):
    pl.DataFrame(rows).write_parquet(path)
    return path.read_bytes()


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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"text": 1}\n\n{"text": \n', r"a\.jsonl:3: not JSON: .*\nhint: one JSON object a line"),
        ("a.jsonl", '{"text": 1}\n["text"]\n', r"a\.jsonl:2: '\[\"text\"\]' is not an object\nhint: one JSON object"),
        ("a.jsonl", b'{"text": "\xe9"}\n', r"a\.jsonl is not UTF-8: .*\nhint: convert it"),
        ("a.csv", "a,b\n1,2,3\n", r"a\.csv:2: 3 cells stand under 2 columns\nhint: put double quotes"),
        ("a.csv", "a,b\n1,2\n3\n", r"a\.csv:3: 1 cells stand under 2 columns\nhint: put double quotes"),
        ("a.csv", 'a,b\n1,2\n"3,4\n5,6\n', r"a\.csv:3: a quote is opened and never closed\nhint: .* written twice"),
        ("a.csv", '"a,b\n1,2\n', r"a\.csv:1: a quote is opened and never closed\nhint: "),
        ("a.csv", 'a,b\n"x\ny",2\n"3"4,5\n', r"a\.csv:4: ',' expected after '\"', in line 4\nhint: "),
        ("a.csv", 'a,b\n"x,2\ny,3\n"z",4\n', r"a\.csv:2: ',' expected after '\"', in line 4\nhint: "),
        ("a.csv", 'a,b\n"x \\" y",2\n', r"a\.csv:2: ',' expected after '\"', in line 2\nhint: "),
        ("a.tsv", 'a\tb\n"x" y\t2\n', r"a\.tsv:2: '\t' expected after '\"', in line 2\nhint: "),
        ("a.csv", "a,a\n1,2\n", r"a\.csv:1: two columns are named 'a'\nhint: rename"),
        ("a.csv", b"a\n\xe9\n", r"a\.csv is not UTF-8: .*\nhint: convert it"),
        ("a.csv", "", r"a\.csv is empty\nhint: the first line of a table names its columns"),
        ("a.parquet", "PAR1", r"a\.parquet cannot be read as parquet: .*\nhint: fix the file"),
        ("a.parquet.gz", packed(b"x"), r"a\.parquet\.gz: unknown kind of file\nhint: rows are read from .*gz"),
        ("a.csv.gz", b"text\n", r"a\.csv\.gz cannot be read as csv\.gz: .*\nhint: fix the file"),
        ("a.csv.gz", packed(b"text\nx\n")[:-9], r"a\.csv\.gz cannot be read as csv\.gz: .*\nhint: fix"),
        (
            "a.csv",
            "a;b|c\n1;2|3\n",
            r"a\.csv:1: no ',' between columns, .* 'a;b\|c'\nhint: save it as .csv with commas",
        ),
        (
            "a.jsonl",
            '{"n": 1}\n{"n": 2, "t": ["\\ud83d"]}\n',
            r"a\.jsonl:2: t contains half of a surrogate .*\nhint: fix",
        ),
        ("a.jsonl", '{"\\uDE00": "x"}\n', r"a\.jsonl:1: '\\ude00' contains half of a surrogate .*\nhint: fix"),
        ("a.jsonl", '{"t": 1}\n{"t": "x", "t": "y"}\n', r"a\.jsonl:2: 't' is given twice\nhint: rename or remove one"),
        ("a.json", '[{"n": {"t": "x", "t": "y"}}]', r"a\.json: 't' is given twice\nhint: rename or remove one"),
        ("a.csv", "\ntext,mood\nx,1\n", r"a\.csv:1 names no column\nhint: the first line of a table names its columns"),
        ("a.csv", ",\ntext,mood\nx,1\n", r"a\.csv:1 names no column\nhint: the first line"),
        (
            "a.csv",
            "a,b\n1,2\na,b\n3,4\n",
            r"a\.csv:3: the names of the columns stand here again\nhint: remove this line",
        ),
        ("a.tsv", "a\tb\n1\t2\n\n\ufeffa\tb\n3\t4\n", r"a\.tsv:4: the names of the columns stand here again\nhint: "),
        (
            "a.json",
            '{"a": ["x", "y"], "b": [1, 0]}',
            r"a\.json: one object with 'a', 'b', each a list .*\nhint: a list of",
        ),
        (
            "a.json",
            '{"data": [{"a": "x"}]}',
            r"a\.json: one object with 'data', each a list or an object\nhint: a list",
        ),
        (
            "a.jsonl",
            '{"0": {"a": "x"}, "1": {"a": "y"}}',
            r"a\.jsonl: one object with '0', '1', each a list .*\nhint: ",
        ),
        *((f"a{kind}", POINTER, rf"a\{kind} is a pointer of Git LFS, not .*\nhint: git lfs pull") for kind in KINDS),
        ("a.txt", "x\n", r"a\.txt: unknown kind of file\nhint: rows are read from \.jsonl, \.json, \.csv or \.pa"),
    ],
)
def test_a_broken_file_is_refused_by_name_and_nothing_is_written(fetch, name, content, message):
    with pytest.raises(UserError, match=f"^{message}"):
        fetch(name, content)
    assert [path.name for path in Path().iterdir()] == [name]


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(UserError, match=r"^there is no file no\.jsonl\nhint: check `source`"):
        fetch_dataset.read_rows(Path("no.jsonl"))


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


def test_a_folder_that_holds_no_rows_is_named(tmp_path):
    with pytest.raises(UserError, match=r"^there is no .*provenance\.json\nhint: make_dataset or fetch_dataset"):
        read_sources(tmp_path)


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


def test_quotes_that_join_rows_of_a_tsv_are_refused(tmp_path):
    (tmp_path / "q.tsv").write_text('label\ttext\n1\t"I love it.\n0\tHe is away.\n1\tIt is great."\n')
    with pytest.raises(UserError, match=r"q.tsv:2: a text in quotes goes on to line 4.*\nhint: "):
        read_rows(tmp_path / "q.tsv")


def test_a_column_of_one_name_may_hold_it_again_and_one_row_may_hold_a_list(fetch):
    assert [row.values for row in fetch("a.csv", "text\ntext\nx\n")] == [{"text": "text"}, {"text": "x"}]
    assert fetch("a.jsonl", '{"a": ["x"], "b": "y"}\n')[0].values == {"a": ["x"], "b": "y"}


def test_bytes_are_the_text_that_they_spell_and_others_are_null(fetch, tmp_path):
    table = {"a": "né".encode(), "b": b"\xff\x00", "c": [b"x", b"y"], "d": {"bytes": b"\x89PNG", "path": "p"}}
    (row,) = fetch("a.parquet", parquet_of([table], tmp_path / "x"))
    assert row.values == {"a": "né", "b": None, "c": ["x", "y"], "d": {"bytes": None, "path": "p"}}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_file_of_wide_characters_without_a_mark_is_refused(tmp_path, name, encoding):
    text = "text,label\nhello,1\n" if name == "rows.csv" else '{"text": "hello"}\n'
    (tmp_path / name).write_bytes(text.encode(encoding))
    with pytest.raises(UserError, match=r"rows\.\w+:1: NUL characters.*\nhint: a file in UTF-16 looks like this"):
        read_rows(tmp_path / name)


def test_a_file_whose_end_was_lost_is_refused_with_the_line(tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"text,label\nhello,1\n" + b"\0" * 50)
    with pytest.raises(UserError, match=r"rows.csv:3: NUL characters"):
        read_rows(tmp_path / "rows.csv")


def test_the_mark_of_a_file_that_was_put_behind_another_is_no_text(tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"text,label\nhello,1\n\xef\xbb\xbfworld,0\n")
    assert [row["text"] for row in read_rows(tmp_path / "rows.csv").values()] == ["hello", "world"]


def test_commas_in_a_tsv_are_read_and_several_signs_are_not_guessed(tmp_path):
    (tmp_path / "rows.tsv").write_text("text,label\nhello,1\n")
    assert read_rows(tmp_path / "rows.tsv") == {2: {"text": "hello", "label": "1"}}
    (tmp_path / "rows.tsv").write_text("text,a;label\nhello,1\n")
    with pytest.raises(UserError, match="several other signs"):
        read_rows(tmp_path / "rows.tsv")


def test_a_packed_file_that_unpacks_to_far_more_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(row_files, "MOST_UNPACKED", 2**20)
    with gzip.open(tmp_path / "rows.csv.gz", "wb") as file:
        file.write(b"text,label\n" + b"a" * 2**24)
    with pytest.raises(UserError, match=r"bytes unpack to more than .*\nhint: "):
        read_rows(tmp_path / "rows.csv.gz")
    with gzip.open(tmp_path / "rows.csv.gz", "wb") as file:
        file.write(b"text,label\n" + b"".join(b"%d,%d\n" % (n * n, n % 2) for n in range(2**17)))
    assert len(read_rows(tmp_path / "rows.csv.gz")) == 2**17

"""Tables of published numbers: what is refused, with file and line, and what becomes of the rest."""

import gzip
import json

import polars as pl
import pytest

import read_published as program
from ripeness.runtime.errors import UserError
from ripeness.storage import packed as unpacking
from ripeness.study.load import load_study
from ripeness.study.schema import check_config
from ripeness.tables.published_checks import read_published
from ripeness.tables.published_rows import cells_of, lacks_of, measurements_of

HEADER = "series,checkpoint,step,tokens,dataset,method,format,shots,probe,metric,value,se,chance"
ROWS = [
    "s,a,1,10,,,default,0,nli,accuracy,0.5,0.01,0.5",
    "s,b,2,20,,,default,0,nli,accuracy,0.6,0.01,0.5",
    "s,b,2,20,,,default,4,nli,accuracy,0.65,0.01,0.5",
    "s,b,2,20,nli,,default,0,nli,accuracy,0.8,0.01,0.5",
]


def written(folder, *rows: str, header: str = HEADER, name: str = "t.csv"):
    (folder / name).write_text("\n".join([header, *(rows or ROWS)]) + "\n", encoding="utf-8")
    return folder / name


def measured(folder, *rows: str, header: str = HEADER, **settings) -> pl.DataFrame:
    path = written(folder, *rows, header=header)
    settings = {"tables": [str(path)]} | settings
    return measurements_of(read_published([path], settings.get("tokens_per_step")), settings, "study")


def row(**values: str) -> str:
    """The second row with some cells changed."""
    cells = dict(zip(HEADER.split(","), ROWS[1].split(","), strict=True))
    return ",".join((cells | values).values())


MISTAKES = {
    "not a number": (row(value="high"), ":6: value is 'high', which is not a finite number"),
    "not finite": (row(value="nan"), ":6: value is 'nan'"),
    "a part of a step": (row(step="1.5"), ":6: step is '1.5'"),
    "negative tokens": (row(tokens="-1"), ":6: tokens is '-1'"),
    "a negative error": (row(se="-0.1"), ":6: se is '-0.1', which is not a finite number that is not negative"),
    "a percentage": (row(value="61.2"), ":6: accuracy is 61.2, which is not from 0 to 1"),
    "an error in points": (row(se="1.5"), ":6: the standard error of accuracy is 1.5, but that of a share"),
    "a loss below 0": (
        row(probe="text", metric="bits_per_byte", value="-1", chance=""),
        ":6: bits_per_byte is -1, which is below 0",
    ),
    "chance above 1": (row(chance="25"), ":6: chance is '25'"),
    "an empty name": (row(probe=""), ":6: probe is empty"),
    "no place": (row(step="", tokens=""), ":6: neither step nor tokens"),
    "too many cells": (row() + ",1", ":6: 14 cells in a table of 13 columns"),
    "a method without dataset": (row(method="full"), ":6: method 'full' with no dataset"),
    "a dataset of the untouched": (row(dataset="nli", method="base"), ":6: method 'base' with the dataset 'nli'"),
    "twice": (row(), ":6: the same number as"),
    "twice with another value": (row(value="0.7"), ":6: the same number as"),
    "another step of a checkpoint": (row(probe="other", step="3"), ":6: b of s has step 3, but 2 in"),
    "other tokens of a checkpoint": (row(probe="other", tokens="30"), ":6: b of s has tokens 30, but 20 in"),
    "more steps, fewer tokens": (row(checkpoint="c", step="3", tokens="15"), ":6: 3 steps with 15 tokens, but 2 steps"),
    "more steps, as many tokens": (row(checkpoint="c", step="3", tokens="20"), ":6: 3 steps with 20 tokens"),
    "a metric of no kind": (row(probe="odd", metric="mc2"), ":6: unknown kind of the probe odd"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_file_and_line_and_a_way_out(name, tmp_path):
    line, said = MISTAKES[name]
    with pytest.raises(UserError) as error:
        read_published([written(tmp_path, *ROWS, line)], None)
    assert f"t.csv{said}" in str(error.value) and str(error.value).count("\nhint: ") == 1


HEADERS = {
    "unknown": (HEADER.replace("value", "valeu"), "t.csv:1: unknown column 'valeu'", "did you mean 'value'?"),
    "missing": (HEADER.replace(",value", ",n_items"), "t.csv:1: missing column 'value'", "hint: "),
    "no place": (HEADER.replace("step,tokens", "phase,seed"), "missing column 'tokens' (or 'step')", "hint: "),
    "twice": (HEADER.replace("se,", "value,"), "duplicate column 'value'", "hint: "),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_must_be_known_and_whole(name, tmp_path):
    header, said, hinted = HEADERS[name]
    with pytest.raises(UserError) as error:
        read_published([written(tmp_path, header=header)], None)
    assert said in str(error.value) and hinted in str(error.value)


def test_a_file_without_rows_or_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "empty.csv").write_text(HEADER + "\n")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="no rows in .*empty.csv"):
        read_published([tmp_path / "empty.csv"], None)
    with pytest.raises(UserError, match="binary.csv is not CSV"):
        read_published([tmp_path / "binary.csv"], None)


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_other_separators_and_packed_tables_are_read(sign, tmp_path):
    lines = "\n".join([HEADER, *ROWS]).replace(",", sign).encode()
    (tmp_path / "t.tsv").write_bytes(lines)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(lines))
    expected = [line.values for line in read_published([written(tmp_path)], None)]
    for name in ("t.tsv", "t.csv.gz"):
        assert [line.values for line in read_published([tmp_path / name], None)] == expected


def test_a_line_that_names_the_separator_is_read_as_in_rows(tmp_path):
    lines = "\n".join(["sep=;", *(line.replace(",", ";") for line in [HEADER, *ROWS[:2], "s;c"])])
    (tmp_path / "t.csv").write_text(lines)
    with pytest.raises(UserError, match="t.csv:5: 2 cells in a table of 13 columns"):
        read_published([tmp_path / "t.csv"], None)
    (tmp_path / "t.csv").write_text(lines.removesuffix("s;c"))
    assert [line.values["value"] for line in read_published([tmp_path / "t.csv"], None)] == [0.5, 0.6]


def test_a_packed_table_is_unpacked_within_bounds(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "MOST_UNPACKED", 2**10)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(HEADER.encode() + bytes(10**6)))
    with pytest.raises(UserError, match="unpack to more than"):
        read_published([tmp_path / "t.csv.gz"], None)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"metric": "Accuracy"}, "unknown metric 'Accuracy'\nhint: did you mean 'accuracy'?"),
        ({"metric": "exact match"}, "unknown metric 'exact match'\nhint: did you mean 'exact_match'?"),
        ({"value": "0.0_6"}, "value is '0.0_6', which is not a finite number"),
        ({"tokens": "1_0"}, "tokens is '1_0', which is not a whole number"),
        ({"checkpoint": "a\0"}, "NUL characters"),
    ],
)
def test_what_is_nearly_a_name_or_a_number_is_refused(tmp_path, cells, said):
    with pytest.raises(UserError) as error:
        read_published([written(tmp_path, row(**cells))], None)
    assert said in str(error.value)


def test_a_packed_table_that_was_cut_off_or_is_not_packed_is_refused(tmp_path):
    packed = gzip.compress("\n".join([HEADER, *ROWS]).encode())
    for content in (packed[:-9], packed[:40], HEADER.encode()):
        (tmp_path / "t.csv.gz").write_bytes(content)
        with pytest.raises(UserError, match=r"t.csv.gz cannot be read: .*\nhint: give a whole file"):
            read_published([tmp_path / "t.csv.gz"], None)


def test_the_same_number_in_two_files_is_found(tmp_path):
    paths = [written(tmp_path), written(tmp_path, ROWS[0], name="u.csv")]
    with pytest.raises(UserError, match=r"u.csv:2: the same number as .*t.csv:2"):
        read_published(paths, None)


def test_steps_alone_need_the_tokens_of_one(tmp_path):
    header = "series,checkpoint,step,probe,metric,value"
    with pytest.raises(UserError, match=r"(?s)t.csv:2: a step without tokens.*tokens_per_step"):
        measured(tmp_path, "s,a,3,nli,acc,0.5", header=header)
    (one,) = measured(tmp_path, "s,a,3,nli,acc,0.5", header=header, tokens_per_step=1000).to_dicts()
    assert (one["tokens"], one["metric"], one["probe_kind"], one["probe_format"]) == (
        3000,
        "accuracy",
        "choice",
        "default",
    )
    assert (one["method"], one["dataset"], one["suite"], one["se"], one["seed"]) == ("base", "nli", "base", None, None)


def test_shots_are_those_at_which_most_tuned_models_have_an_untouched_counterpart(tmp_path):
    few = [line.replace(",0,nli", ",4,nli") for line in (ROWS[0], ROWS[3])]
    more = [*few, few[0].replace("s,a,1,10,,", "s,a,1,10,nli,")]
    rows = measured(tmp_path, *ROWS, *more).filter(pl.col("method") != "base")
    assert {shots: chosen for shots, chosen in rows.select("shots", "is_chosen").rows()} == {0: False, 4: True}
    rows = measured(tmp_path, *ROWS, *more, shots=0).filter(pl.col("method") != "base")
    assert {shots: chosen for shots, chosen in rows.select("shots", "is_chosen").rows()} == {0: True, 4: False}
    assert any(
        lack.startswith("2 rows of tuned models with other numbers")
        for lack in lacks_of(measured(tmp_path, *ROWS, *more, shots=0))
    )


def test_what_is_not_measured_at_a_checkpoint_is_a_missing_cell(tmp_path):
    cells = cells_of(measured(tmp_path))
    lost = cells.filter(status="missing").select("checkpoint", "method", "reason").rows()
    assert lost == [
        ("a", "base", "not measured on nli (default, 4 shots)"),
        ("a", "full", "not measured on nli (default, 0 shots)"),
    ]


def test_names_in_the_config_must_be_in_the_tables(tmp_path):
    for settings in ({"learned": ["nil"]}, {"tuned_on": {"nil": {}}}, {"tuned_on": {"nli": {"probes": ["nil"]}}}):
        with pytest.raises(UserError, match=r"'nil' is not in the tables(?s:.*)did you mean 'nli'"):
            measured(tmp_path, **settings)
    with pytest.raises(UserError, match="both learned and not_learned"):
        measured(tmp_path, learned=["nli"], not_learned=["nli"])


def test_what_the_tables_lack_is_said(tmp_path):
    lacks = " ".join(lacks_of(measured(tmp_path, *ROWS, row(probe="other", se="", chance=""))))
    assert "No items" in lacks and "No standard error in 1 of 5 rows" in lacks and "No seeds of tuning" in lacks
    assert "No chance level for other" in lacks


def test_a_study_of_published_numbers_has_no_other_keys():
    study = {"study": "p", "title": "t", "published": {"tables": ["t.csv"]}}
    assert check_config(study)["findings"]["draws"]
    with pytest.raises(UserError, match="'methods'"):
        check_config(study | {"methods": {"base": {"shots": [0]}}})
    with pytest.raises(UserError, match="missing 'series'"):
        check_config({"study": "p", "title": "t"})


def test_a_study_of_published_numbers_plans_no_cell(tmp_path):
    study = load_study({"study": "p", "title": "t", "published": {"tables": ["t.csv"]}}, tmp_path)
    assert (study.checkpoints, study.tasks, study.recipes) == ({}, {}, {})


def test_the_program_writes_measurements_and_cells(tmp_path):
    settings = json.dumps({"tables": [str(written(tmp_path))]})
    outputs = ("--measurements", str(tmp_path / "m.parquet"), "--status", str(tmp_path / "c.parquet"))
    program.main(["--study", "mine", "--settings", settings, *outputs])
    rows = pl.read_parquet(tmp_path / "m.parquet")
    assert rows.height == 4 and set(rows["source"]) == {"t.csv"} and set(rows["study"]) == {"mine"}
    assert pl.read_parquet(tmp_path / "c.parquet").height == 4


def test_probes_that_nothing_reads_are_named(tmp_path):
    lacks = lacks_of(measured(tmp_path, *ROWS, row(probe="story", metric="exact_match", chance="")))
    assert any("bits per byte of running text for story: kept in the table and not read" in lack for lack in lacks)

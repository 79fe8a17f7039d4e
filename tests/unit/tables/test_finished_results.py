"""Finished files that a failure has damaged, or that are another's, are noticed by name before the next run."""

import json
from pathlib import Path

import polars as pl
import pytest

import collect_checkpoint
import run_study
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import write_json
from ripeness.tables.columns import (
    AUDIT,
    CELLS,
    IS_CHOSEN,
    ITEM_SCORES,
    MEASUREMENTS,
    PREDICTIONS,
    SENSITIVITY,
    read_tables,
    write_table,
)
from ripeness.tables.finished_results import check_finished as check_these
from ripeness.tables.finished_results import damaged_files, is_cheap, made_from
from ripeness.workflow.result_keys import Key, Keys

ROOT = Path(__file__).parents[3]


def check_finished(folder):
    check_these(folder, damaged_files(folder))


AGAIN = "hint: delete it; the next run makes it again"
PLACE = {"study": "a", "series": "s", "checkpoint": "c"}
TABLES = {
    "tables/measurements.parquet": MEASUREMENTS | IS_CHOSEN,
    "tables/cells.parquet": CELLS | IS_CHOSEN,
    "tables/audit.parquet": AUDIT,
    "tables/sensitivity.parquet": SENSITIVITY,
    "tables/items/s/c.parquet": ITEM_SCORES | IS_CHOSEN,
    "tables/measurements/s/c.parquet": MEASUREMENTS | IS_CHOSEN,
    "tables/cells/s/c.parquet": CELLS | IS_CHOSEN,
    "sensitivity/s/c.parquet": SENSITIVITY,
    "audit/inputs.parquet": AUDIT,
    "cells/s/c/d/io/full/seed1/predictions.parquet": PREDICTIONS,
    "cells/s/c/d/io/full/seed1/cell.parquet": CELLS,
}
FINDING = {"id": "gain-by-learning", "verdict": "supported", "statement": "It gains."}
TEXTS = {
    "findings.json": json.dumps([FINDING]),
    "provenance.json": '{"software": {}, "study": {}, "command": ""}',
    "prompts.json": "[]",
    "pictures.json": "[]",
    "gate/s.json": '[{"series": "s", "checkpoint": "c", "loss": 1.0}]',
    "audit/weights.json": "{}",
    "figures/gain.json": '{"$schema": ""}',
    "figures/gain.csv": 'row,panel,value\n"a ""b"" c,\nd",p,1\n',
    "figures/blank.csv": "\n",
    "figures/gain.svg": "<svg></svg>",
    "report.html": "<html></html>\n",
    "verdicts.html": "<html></html>\n",
}
EMPTY = [*TABLES, *TEXTS]
FOREIGN = {
    "findings.json": ["[]", "[1]", "[{}]", '[{"id": "a", "verdict": "b"}]', "{}", '[{"a": 1}'],
    "provenance.json": ["{}", "[]", '{"software": {}}', "null"],
    "prompts.json": ["[{}]", "{}", "[[]]"],
    "pictures.json": ["[{}]", "{}", '[{"dataset": "a"'],
    "gate/s.json": ["[{}]", "{}"],
    "audit/weights.json": ["[]"],
    "figures/gain.json": ["{}", "[]", "{"],
    "figures/gain.csv": ["row,panel,value\na,p", "row,panel,value\na,p\n", 'row,panel\n"a,p\n', "a,b\n1,2\0\n"],
    "figures/gain.svg": ["<svg>"],
    "report.html": ["<html><body>"],
    "verdicts.html": ["<html><body>"],
}


def rows(schema, **change):
    """One row of a table, null but for its place."""
    return [{name: (PLACE | change).get(name) for name in schema}]


@pytest.fixture
def results(tmp_path):
    """The folder of a study in which every kind of finished file is whole."""
    for name, schema in TABLES.items():
        write_table(tmp_path / name, rows(schema), schema)
    for name, text in TEXTS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    check_finished(tmp_path)
    return tmp_path


def said_of(path, results):
    """What is said of a file, which is named with what to do."""
    with pytest.raises(UserError) as error:
        check_finished(results)
    first, _, rest = str(error.value).partition("\n")
    also_gone = [str(other) for other in made_from(results, path) if other != path]
    again = f"hint: delete {', '.join([str(path), *also_gone])}; the next run makes them again"
    assert first.startswith(f"{path} cannot be read: ") and rest == (again if also_gone else AGAIN)
    return first


def test_with_a_file_that_others_are_made_from_goes_what_snakemake_is_asked_for(tmp_path):
    """Found by deleting each: Snakemake makes nothing again that only finished files need."""
    cell = "cells/s/c.1/d/io/full/seed1"
    expected = {
        "findings.json": [],
        "figures/gain.csv": [],
        "tables/measurements.parquet": [],
        "tables/measurements/s/c.1.parquet": ["tables/measurements.parquet"],
        "tables/cells/s/c.1.parquet": ["tables/cells.parquet"],
        "tables/items/s/c.1.parquet": ["findings.json"],
        "audit/inputs.parquet": ["tables/audit.parquet"],
        "audit/weights.json": ["audit/inputs.parquet", "tables/audit.parquet"],
        "gate/s.json": ["provenance.json"],
        "theory/seed1/noisy_networks.parquet": ["tables/noisy_networks.parquet"],
        f"{cell}/items.parquet": [
            f"{cell}/measurements.parquet",
            "tables/measurements/s/c.1.parquet",
            "tables/measurements.parquet",
        ],
    }
    for name, also_gone in expected.items():
        assert made_from(tmp_path, tmp_path / name) == [tmp_path / other for other in also_gone]


def test_nothing_is_asked_of_a_study_that_has_not_run(tmp_path):
    check_finished(tmp_path / "nothing")
    write_table(tmp_path / "tables/measurements.parquet", [], MEASUREMENTS | IS_CHOSEN)
    check_finished(tmp_path)


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_file_and_half_of_one_are_seen(results, name):
    path = results / name
    whole = path.read_bytes()
    path.write_bytes(b"")
    said_of(path, results)
    path.write_bytes(whole[: len(whole) // 2])
    said_of(path, results)


@pytest.mark.parametrize("name", [name for name in TABLES if name.count("/") == 1])
def test_a_table_that_is_damaged_between_its_ends_is_seen(results, name):
    path, content = results / name, bytearray((results / name).read_bytes())
    content[4 : len(content) // 4] = bytes(len(content) // 4 - 4)  # as blocks that had not come to the disk
    path.write_bytes(content)
    said_of(path, results)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in FOREIGN.items() for text in texts])
def test_a_whole_file_of_another_kind_is_seen(results, name, text):
    (results / name).write_text(text)
    said_of(results / name, results)


@pytest.mark.parametrize("name", [name for name in TABLES if not name.startswith("cells/")])
def test_a_table_of_other_columns_is_seen(results, name):
    path, whole = results / name, pl.read_parquet(results / name)
    last = whole.columns[-1]
    whole.drop(last).write_parquet(path)
    assert said_of(path, results).endswith(f"it lacks the column {last}")
    whole.with_columns(a=1).write_parquet(path)
    assert "a column that this table does not know, 'a'" in said_of(path, results)
    other = pl.lit(1) if whole[last].dtype == pl.String else pl.lit("x")
    whole.with_columns(other.alias(last)).write_parquet(path)
    assert f"its column {last} holds" in said_of(path, results)


@pytest.mark.parametrize("change", [{"checkpoint": "d"}, {"series": "t"}, {"series": None}])
@pytest.mark.parametrize("name", [name for name in TABLES if name.endswith("/s/c.parquet")])
def test_a_table_of_another_checkpoint_is_seen(results, name, change):
    schema = TABLES[name]
    write_table(results / name, [*rows(schema), *rows(schema, **change)], schema)
    assert "it holds rows of the checkpoint " in said_of(results / name, results)


def test_all_such_files_are_named_at_once(results):
    for name in FOREIGN:
        (results / name).write_text("")
    with pytest.raises(UserError, match=r"^\S+ cannot be read: .*\nneither can 10 more\nhint: delete .*and 5 more "):
        check_finished(results)


DAMAGED = {
    "tables/measurements.parquet": b"PAR1 and no end",
    "findings.json": b"[]",
    "provenance.json": b"{}",
    "figures/gain.csv": b"",
    "audit/inputs.parquet": b"PAR1",
}


@pytest.fixture
def damaged(tmp_path, monkeypatch):
    """The folder of a study with a damaged file, and what `make study` would start in place of Snakemake."""
    folder = tmp_path / "results/nursery"
    monkeypatch.chdir(tmp_path)

    def damage(name, content):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(content)
        Keys(folder).add(Key("rule", "settings", "code", "inputs"), [name])
        return folder

    return damage


@pytest.mark.parametrize("name", DAMAGED)
def test_make_study_has_a_damaged_file_made_again(damaged, capsys, name):
    folder = damaged(name, DAMAGED[name])
    run_study.look_at_finished(Path("results/nursery"))
    assert f"results/nursery/{name} cannot be read: " in capsys.readouterr().err
    assert Keys(folder).of(name) is None


@pytest.mark.parametrize("name", DAMAGED)
def test_make_study_does_not_pass_over_such_a_file_where_results_have_no_keys(damaged, monkeypatch, name):
    damaged(name, DAMAGED[name])
    monkeypatch.setenv("RIPENESS_PLAIN", "1")
    monkeypatch.setattr(run_study, "run_snakemake", lambda *_: pytest.fail("was started all the same"))
    with pytest.raises(UserError, match=rf"results/nursery/{name} cannot be read: .*\nhint: delete .*makes"):
        run_study.main(["--study", str(ROOT / "config.yaml")])


@pytest.mark.parametrize("name", ["cells/s/c/d/io/full/seed1/predictions.parquet", "sensitivity/s/c.parquet"])
def test_what_needs_a_gpu_is_not_made_again_unasked(damaged, name):
    damaged(name, b"PAR1 and no end")
    with pytest.raises(UserError, match=rf"results/nursery/{name} cannot be read: "):
        run_study.look_at_finished(Path("results/nursery"))
    assert is_cheap(Path("results/nursery/tables/sensitivity.parquet"))


def test_cells_of_other_columns_or_of_another_checkpoint_are_not_collected(tmp_path):
    cells = [tmp_path / f"seed{seed}" for seed in range(3)]
    outputs = [f"--{name}={tmp_path / name}.parquet" for name in ("items", "measurements", "status")]
    schemas = {"cell": CELLS, "items": ITEM_SCORES, "measurements": MEASUREMENTS}
    command = ["--scores", *(str(folder / "measurements.parquet") for folder in cells), *outputs]
    for folder in cells:
        for name, schema in schemas.items():
            write_table(folder / f"{name}.parquet", rows(schema), schema)
    collect_checkpoint.main(command)
    for name, schema in schemas.items():
        path = cells[1] / f"{name}.parquet"
        whole = path.read_bytes()
        write_table(path, rows(schema, checkpoint="d"), schema)
        with pytest.raises(UserError, match=rf"{path} cannot be read: .* checkpoint s d, unlike other cells\n{AGAIN}"):
            collect_checkpoint.main(command)
        pl.DataFrame({"a": [1]}).write_parquet(path)
        with pytest.raises(UserError, match=rf"{path} cannot be read: it has a column .* 'a'\n{AGAIN}"):
            collect_checkpoint.main(command)
        path.write_bytes(whole)


def test_tables_of_other_columns_are_not_read(tmp_path):
    write_json(tmp_path / "a.json", {})
    pl.DataFrame({"study": ["a"]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(UserError, match=rf"a.parquet cannot be read: it lacks the column series\n{AGAIN}"):
        read_tables([tmp_path / "a.parquet"], MEASUREMENTS)

"""The benchmarks of whole studies and of size: what they compare is what they say, without the timings."""

import importlib
import json
import os
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from ripeness.study.schema import check_config
from ripeness.tables.columns import CELLS, EXAMPLES, IS_CHOSEN, ITEM_SCORES, MEASUREMENTS, write_table

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
ENVIRONMENT = dict(os.environ)
bounds, invented, scale, study = (importlib.import_module(name) for name in ("bounds", "invented", "scale", "study"))
os.environ.clear()  # a benchmark sets its own environment when it is imported
os.environ.update(ENVIRONMENT)
SCHEMAS = {"items": ITEM_SCORES, "measurements": MEASUREMENTS, "cells": CELLS}


def test_invented_tables_have_the_schema_of_collected_ones(tmp_path):
    invented.write_study(tmp_path, 2)
    for table, schema in SCHEMAS.items():
        paths = sorted(tmp_path.glob(f"{table}/*/*.parquet"))
        assert [path.stem for path in paths] == ["step0", "step1"]
        assert all(pl.read_parquet(path).schema == pl.Schema(schema | IS_CHOSEN) for path in paths)
    items = pl.read_parquet(tmp_path / "items" / "**" / "*.parquet")
    assert items.height == 2 * invented.N_ROWS
    assert items.select(pl.struct(items.columns).is_unique().all()).item()


def test_invented_cells_have_the_schema_of_score(tmp_path):
    paths = invented.write_cells(tmp_path, 50)
    assert len(paths) == 50
    for path in paths:
        assert pl.read_parquet(path).schema == pl.Schema(MEASUREMENTS)
        assert pl.read_parquet(path.with_name("items.parquet")).schema == pl.Schema(ITEM_SCORES)
        assert pl.read_parquet(path.with_name("cell.parquet")).height == 1


def test_cost_a_unit_and_memory_are_compared_between_sizes():
    used = [scale.Used(1, 2.0, 3.0, 100), scale.Used(10, 8.0, 9.0, 150), scale.Used(100, 96.0, 97.0, 200)]
    rows = scale.report("collect", "million row", ".3g", used)
    assert [row["ours"] for row in rows] == [2.0, 8.0, 96.0, pytest.approx(1.2), 2.0]
    assert [row["target"] for row in rows] == ["", "", "", "<= 1.2", "<= 3"]
    assert rows[1]["setting"] == "collect, 10 million rows"


def test_seconds_are_compared_with_those_allowed_and_may_not_be_measured(tmp_path, monkeypatch):
    rows = [bounds.bound_row("planning", 20.0, 10, note="all"), bounds.bound_row("reading", None, 10)]
    assert [row["ratio"] for row in rows] == [2.0, None]
    assert rows[0]["note"] == "10 s are allowed; all" and rows[0]["target"] == "<= 1"
    assert bounds.cpu_of_a_warm_start(tmp_path, ["json"], 2) > 0
    monkeypatch.setattr(bounds, "PYTHIA", tmp_path / "absent")
    assert bounds.published_trajectories(tmp_path) is None


@pytest.mark.parametrize("n_cells", [50, 500, 10_000])
def test_a_study_has_about_as_many_cells_as_it_should(n_cells):
    config = scale.study_of(n_cells)
    found = len(scale.plan_cells(scale.load_study(config, scale.PROJECT / "tasks")))
    assert found == pytest.approx(n_cells, rel=0.07)


def test_a_command_that_fails_says_why(tmp_path):
    with pytest.raises(RuntimeError, match="nothing of that name"):
        scale.measured(["sh", "-c", "echo nothing of that name; exit 3"], tmp_path)
    assert scale.measured(["true"], tmp_path, n=7).n == 7


@pytest.fixture
def loop(tmp_path, checkpoint):
    """Write the loop of a study of one checkpoint and three datasets."""
    config = study.study_config([checkpoint], 3)
    question = {"item": "a", "cluster": "a", "prompt": "is it?", "choices": [" yes", " no"], "gold": 1, "target": " no"}
    for name in config["datasets"]:
        for form in config["formats"]:
            for role in ("train", "test"):
                write_table(tmp_path / "examples" / name / form / f"{role}.parquet", [question], EXAMPLES)
    return config, study.write_loop(tmp_path / "loop", tmp_path / "examples", config)


def test_the_study_that_is_compared_is_one(loop):
    check_config(loop[0])


def test_every_cell_of_the_loop_tunes_on_its_format_and_is_measured_in_all(loop):
    config, scripts = loop
    assert len(scripts) == 9
    script = scripts[1].read_text()
    name, form = list(config["datasets"])[0], config["formats"][1]
    assert script.count(f"{name}-{form}.train.jsonl") == 1
    assert ",".join(f"{name}-{asked}" for asked in config["formats"]) in script
    rows = (scripts[1].parent / "tasks" / f"{name}-{form}.train.jsonl").read_text()
    assert json.loads(rows) == {"prompt": "is it?", "completion": " no"}


def test_the_harness_reads_the_same_items(loop):
    tasks = loop[1][0].parent / "tasks"
    kinds = {}
    for path in tasks.glob("*.yaml"):
        task = yaml.safe_load(path.read_text())
        kinds[path.stem] = task["output_type"]
        assert json.loads(Path(task["dataset_kwargs"]["data_files"]["test"]).read_text())["prompt"] == "is it?"
    assert kinds["nursery-summary-io"] == "generate_until" and kinds["nursery-mood-io"] == "multiple_choice"

"""Predictions and records of one cell, and functions that score and collect it."""

import json
import math

import polars as pl
import pytest

import collect_checkpoint
import score
from ripeness.runtime.files import write_json
from ripeness.tables.columns import PREDICTIONS, write_table

CHECKPOINT = {
    "series": "tiny",
    "checkpoint": "step8",
    "step": 8,
    "tokens": 4096,
    "lr": 1e-3,
    "phase": "stable",
    "seed": 5,
}

CELL = {"study": "s", "dataset": "film", "format": "io", "method": "full", "learning_rate": 1e-4, "seed": 2}

RECORD = {
    "status": "done",
    "n_examples": 12,
    "n_tokens": 700,
    "n_truncated": 0,
    "losses": [2.5, 1.25],
    "displacement": 0.5,
    "relative_displacement": 0.01,
    "precision": "fp32",
}


def predictions():
    """Give four answers by choice, two by text and one passage."""
    common = {"suite": "in-domain", "shots": 0, "split": "test", "is_truncated": False, "n_dropped_shots": 0}
    choice = common | {"probe": "film", "probe_kind": "choice", "probe_format": "io", "n_prompt_tokens": 9}
    text = common | {"probe": "see", "probe_kind": "generation", "probe_format": "io", "n_prompt_tokens": 7}
    prose = common | {"probe": "prose", "probe_kind": "text", "probe_format": "text", "n_prompt_tokens": 0}
    options = {"choices": [" good", " bad"], "target": " good", "gold": 0}
    answers = [choice | options | {"item": f"c{n}", "cluster": f"c{n // 2}", "logps": [-1.0, -n]} for n in range(4)]
    texts = [
        text | {"item": f"g{n}", "cluster": f"g{n}", "choices": [], "gold": -1, "target": " a dog", "text": written}
        for n, written in enumerate(["a dog", "a cat"])
    ]
    passage = prose | {"item": "p0", "cluster": "p0", "nll": 4 * math.log(2), "n_tokens": 3, "n_bytes": 8}
    return [*answers, *texts, passage]


@pytest.fixture
def scored(tmp_path):
    """Give a function that scores a cell and returns its folder."""
    write_json(tmp_path / "checkpoint.json", CHECKPOINT)

    def run(name, rows, record=None, normalisations=None, extracts=None, words=None, metrics=None, more=(), **identity):
        folder = tmp_path / name
        write_table(folder / "predictions.parquet", rows, PREDICTIONS)
        options = ["--predictions", str(folder / "predictions.parquet")]
        options += ["--checkpoint", str(tmp_path / "checkpoint.json"), "--cell", json.dumps(CELL | identity)]
        if extracts:
            options += ["--extracts", json.dumps(extracts)]
        if normalisations:
            options += ["--normalisations", json.dumps(normalisations)]
        if words:
            options += ["--words", json.dumps(words)]
        if metrics:
            options += ["--metrics", json.dumps(metrics)]
        if record:
            write_json(folder / "training.json", record)
            options += ["--training", str(folder / "training.json")]
        options += ["--items", str(folder / "items.parquet"), "--status", str(folder / "cell.parquet")]
        score.main([*options, *more, "--measurements", str(folder / "measurements.parquet")])
        return folder

    return run


@pytest.fixture
def collected_as(tmp_path):
    """Give a function that collects one cell and returns the tables."""

    def run(folder):
        outputs = {name: tmp_path / f"collected-{name}.parquet" for name in ("items", "measurements", "status")}
        options = [f"--{name}={path}" for name, path in outputs.items()]
        collect_checkpoint.main(["--scores", str(folder / "measurements.parquet"), *options])
        return {name: pl.read_parquet(path) for name, path in outputs.items()}

    return run

"""A study with pictures, end to end: encoder, states, both stages, and what is measured with other pictures."""

import polars as pl
import pytest
import yaml
from cut_study import CUT, Study

from ripeness.runtime.files import read_json

pytestmark = [pytest.mark.slow, pytest.mark.release]

HOW = {"learning_rate": 1e-2, "epochs": 1, "batch_size": 16}
METHODS = {
    "base": {"shots": [0]},
    "see": HOW | {"kind": "projector"},
    "look": HOW | {"kind": "full", "from": "see"},
    "blind": HOW | {"kind": "full"},
}
VIEWS = ["nursery-scenes-exchanged", "nursery-scenes-blank"]
ENCODER = {"patch_size": 12, "hidden_size": 16, "n_heads": 2, "scenes": 200, "test_scenes": 30, "epochs": 1}


def config_of(min_accuracy: float) -> dict:
    """One checkpoint of the cut of the nursery, tuned on drawn scenes."""
    config = yaml.safe_load(CUT.read_text()) | {"formats": ["default"], "methods": METHODS}
    config["series"]["nursery"]["checkpoints"] = [{"step": 100}]
    config |= {"datasets": {"nursery-scenes": {}}, "items": {"train": 60, "validation": 6, "test": 30, "shots": 3}}
    config["pictures"] = {"pretrain": ENCODER | {"min_accuracy": min_accuracy}}
    config["suites"] = {
        "own": {"datasets": "own", "formats": "trained"},
        "views": {"datasets": VIEWS, "formats": ["default"]},
        "pretraining": {"texts": ["heldout"]},
    }
    return config


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("pictures") / "a study")


def test_an_encoder_that_does_not_know_what_is_asked_ends_the_study_before_any_training(study):
    study.write(config_of(0.9))
    run = study.snakemake()
    assert run.returncode != 0
    log = (study.folder / "results/cut/logs/pretrain_encoder.log").read_text()
    assert "the encoder does not recognise what the questions are about" in log
    assert not list((study.folder / "results/cut").rglob("training.json"))


def test_both_stages_are_measured_with_their_pictures_and_with_others(study):
    study.write(config_of(0.0))
    run = study.snakemake()
    assert run.returncode == 0, run.stdout + run.stderr
    results = study.folder / "results/cut"
    cells = pl.read_parquet(results / "tables/cells.parquet").filter(pl.col("method") != "base")
    assert {row["method"]: row["start"] for row in cells.to_dicts()} == {"see": None, "look": "see", "blind": None}
    assert set(cells["status"]) == {"done"}
    table = pl.read_parquet(results / "tables/measurements.parquet")
    views = table.filter(suite="other pictures", metric="accuracy")
    assert sorted(views.select("method", "probe").unique().rows()) == sorted(
        (method, view) for method in ("blind", "look", "see") for view in VIEWS
    )
    text = {row["method"]: row["value"] for row in table.filter(probe="heldout", metric="loss").to_dicts()}
    assert text["see"] == text["base"] and len({text["base"], text["look"], text["blind"]}) == 3
    losses = table.filter(metric="answer_loss")
    value = {(row["method"], row["probe"]): row["value"] for row in losses.to_dicts() if row["split"] == "test"}
    for view in VIEWS:
        assert value["look", view] != value["look", "nursery-scenes"]
        assert value["blind", view] == value["blind", "nursery-scenes"]  # it reads the question alone
    findings = {one["id"]: one for one in read_json(results / "findings.json", list)}
    assert {"worse-at-seeing", "read-off-pictures"} <= findings.keys() and "first-stage-saves" not in findings
    assert "Score of look with its own " in findings["read-off-pictures"]["statement"]
    frame = pl.read_csv(results / "figures/seeing.csv")
    assert set(frame["picture"]) == {"its own", "another", "grey", "none (question alone)"}
    shown = read_json(results / "pictures.json", list)
    assert shown and all(len(one["answers"]) == 3 for one in shown)  # with its picture, with another one, with none
    page = (results / "report.html").read_text()
    assert page.count('<img src="data:image/png;base64,') == len(shown) and shown[0]["picture"] in page
    assert not list((results / "cells").rglob("*.safetensors"))
    assert study.planned() == {}

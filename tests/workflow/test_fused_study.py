"""A study whose trainings are made of the adapters of other cells: in which order they run, and what runs again."""

import polars as pl
import pytest
import yaml
from cut_study import CUT, Study

pytestmark = [pytest.mark.slow, pytest.mark.release]

DATASETS = ["nursery-sentiment", "nursery-summary"]
HOW = {"learning_rate": 1e-2, "epochs": 3, "batch_size": 32}
METHODS = {
    "base": {"shots": [0]},
    "adapter": HOW | {"kind": "adapter", "size": 4},
    "fused": HOW | {"kind": "fusion", "of": {"method": "adapter", "datasets": DATASETS}},
}


def config_of(**methods) -> dict:
    """One checkpoint of the cut of the nursery, with adapters on both datasets, and their fusions."""
    config = yaml.safe_load(CUT.read_text()) | {"formats": ["default"], "methods": METHODS | methods}
    config["series"]["nursery"]["checkpoints"] = [{"step": 100}]
    config["suites"] = {"own": {"datasets": "own", "formats": "trained"}, "pretraining": {"texts": ["heldout"]}}
    return config


@pytest.fixture(scope="module")
def fused(tmp_path_factory):
    """The study after its run."""
    study = Study(tmp_path_factory.mktemp("fused") / "a study")
    study.write(config_of())
    run = study.snakemake()
    assert run.returncode == 0, run.stdout + run.stderr
    return study


def test_fusions_are_measured_and_no_model_is_left(fused):
    results = fused.folder / "results/cut"
    cells = pl.read_parquet(results / "tables/cells.parquet").filter(pl.col("method") != "base")
    assert sorted(cells.select("method", "dataset", "status").rows()) == [
        (method, dataset, "done") for method in ("adapter", "fused") for dataset in DATASETS
    ]
    assert cells["displacement"].null_count() == cells.height  # the weights are those of the checkpoint
    measured = pl.read_parquet(results / "tables/measurements.parquet").filter(probe="heldout", metric="loss")
    losses = {(row["method"], row["dataset"]): row["value"] for row in measured.to_dicts()}
    assert len(losses) == len(set(losses.values())) == 5 and None not in losses.values()
    assert not list((results / "cells").rglob("*.safetensors"))
    assert fused.planned() == {}


def test_other_adapters_make_other_fusions_and_one_more_dataset_only_its_own(fused):
    other = fused.planned(config_of(adapter=METHODS["adapter"] | {"learning_rate": 3e-3}))
    assert (other["train_model"], other["predict"]) == (4, 4)
    other = fused.planned(config_of(more=HOW | {"kind": "adapter", "size": 2}))  # which no fusion reads
    assert (other["train_model"], other["predict"]) == (2, 2)

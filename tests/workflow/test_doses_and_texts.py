"""Doses of examples and a text that is learned once for all datasets, through the whole workflow."""

import copy
import json

import polars as pl
import pytest
import yaml
from cut_study import CUT, Study

from ripeness.models.load import load_model

pytestmark = [pytest.mark.slow, pytest.mark.release]

FULL = {"kind": "full", "learning_rate": 1e-3, "epochs": 1, "batch_size": 16}
METHODS = {
    "base": {"shots": [0]},
    "form": FULL | {"examples": [8, 32], "steps": 6},
    "continued": FULL | {"learns": "text", "text": "domain.txt", "learning_rate": [1e-3, 3e-3]},
    "after": FULL | {"from": "continued-lr0.001", "datasets": ["nursery-sentiment"]},
}
CELLS = {"form-n8": 4, "form-n32": 4, "continued": 8, "after": 2}  # of one checkpoint, two datasets, two formats


def config() -> dict:
    """The cut of the nursery at one checkpoint, with these methods."""
    config = yaml.safe_load(CUT.read_text()) | {"methods": copy.deepcopy(METHODS)}
    config["series"]["nursery"]["checkpoints"] = [{"step": 100}]
    config["suites"] |= {"in-domain": {"datasets": "own", "formats": "trained"}}
    return config


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    study = Study(tmp_path_factory.mktemp("doses") / "a study")
    study.write(config())
    (study.folder / "domain.txt").write_text("the dog sat on the mat and the film was good .\n" * 600)
    run = study.snakemake("--scheduler", "greedy")
    assert run.returncode == 0, run.stdout + run.stderr
    return study


def test_doses_are_compared_on_the_same_items(study):
    tables = study.folder / "results/cut/tables"
    cells, m = (pl.read_parquet(tables / f"{name}.parquet") for name in ("cells", "measurements"))
    tuned = cells.filter(pl.col("method") != "base")
    assert dict(tuned.group_by("method").len().iter_rows()) == CELLS and set(tuned["status"]) == {"done"}
    doses = tuned.filter(doses_of="form").group_by("examples").agg(pl.col("n_examples", "steps").unique())
    assert sorted(doses.iter_rows()) == [(8, [8], [6]), (32, [32], [6])]
    # as docs/methods.md has it
    names = cells.select("method", "doses_of", "examples").unique()
    scores = m.filter("is_primary", "is_chosen", pl.col("dataset") == pl.col("probe"), pl.col("split") == "test")
    place = ["doses_of", "series", "checkpoint", "dataset", "format", "probe_format", "seed"]
    paired = scores.join(names.drop_nulls("doses_of"), on="method").pivot("examples", index=place, values="value")
    assert paired.height == 4 and paired.select("8", "32").null_count().sum_horizontal().item() == 0


def test_a_text_is_learned_once_and_measured_in_every_cell(study):
    results = study.folder / "results/cut"
    trained = sorted(results.glob("cells/*/*/*/*/continued-*/*/training.json"))
    assert [path.relative_to(results / "cells/nursery/step100").parts[:3] for path in trained] == [
        ("text", "text", "continued-lr0.001"), ("text", "text", "continued-lr0.003")
    ]  # fmt: skip
    assert json.loads(trained[0].read_text())["settings"]["learns"] == "text"
    cells = pl.read_parquet(results / "tables/cells.parquet").filter(learns="text")
    assert cells.group_by("learning_rate").agg(pl.col("final_loss").n_unique()).get_column("final_loss").to_list() == [
        1,
        1,
    ]
    m = pl.read_parquet(results / "tables/measurements.parquet").filter(method="continued")
    assert set(m["suite"]) == {"validation", "in-domain", "pretraining"}
    losses = m.filter(metric="loss", learning_rate=1e-3)["value"]
    assert len(losses) == 4 and losses.n_unique() == 1
    assert not list((results / "cells").rglob("*.safetensors"))


def test_what_runs_again_is_what_changed(study):
    assert study.planned(config()) == {}
    changed = config()
    changed["methods"]["form"]["examples"] = [8, 16, 32]
    planned = study.planned(changed)
    assert planned["train_model"] == planned["predict"] == 4
    (study.folder / "domain.txt").write_text("the cat sat on the mat and the film was bad .\n" * 600)
    planned = study.planned(config())
    assert (planned["train_model"], planned["predict"]) == (2 + 2, 8 + 2)


def test_a_model_that_learned_a_text_is_kept_once(study):
    changed = config() | {"keep_models": "all"}
    study.write(changed)
    run = study.snakemake()
    assert run.returncode == 0, run.stdout + run.stderr
    kept = list((study.folder / "results/cut/cells").rglob("model.safetensors"))
    assert len(kept) == 2 + 8 + 2
    assert load_model(kept[0].parent).config.vocab_size > 0

"""Preferences and a reward model after supervised tuning, through the whole workflow."""

import json

import polars as pl
import pytest
from cut_study import finished_study

pytestmark = [pytest.mark.slow, pytest.mark.release]

FULL = {"kind": "full", "learning_rate": 1e-3, "epochs": 2, "batch_size": 16}
PAIRS = FULL | {"from": "sft", "learns": "preferences", "epochs": 4}
METHODS = {
    "base": {"shots": [0]},
    "sft": FULL,
    "dpo": PAIRS | {"loss": "dpo", "beta": 0.1, "learning_rate": [1e-4, 1e-3]},
    "kto": PAIRS | {"loss": "kto", "beta": 0.1},
    "simpo": PAIRS | {"loss": "simpo", "beta": 2.0, "gamma": 0.5, "kind": "lora", "rank": 2, "alpha": 4},
    "orpo": FULL | {"learns": "preferences", "loss": "orpo", "beta": 0.5},  # from the checkpoint
    "rm": FULL | {"from": "sft", "learns": "reward", "epochs": 8},
}
MODELS = {"sft", "dpo", "kto", "simpo", "orpo", "rm"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return finished_study(tmp_path_factory.mktemp("preferences") / "a study", METHODS, ["nursery-headline"])


def test_every_model_is_asked_for_pairs_and_words_are_asked_of_all_but_the_reward_model(study):
    tables = study.folder / "results/cut/tables"
    cells, m = (pl.read_parquet(tables / f"{name}.parquet") for name in ("cells", "measurements"))
    assert set(cells["status"]) == {"done"}
    assert dict(cells.filter(method="rm").select("learns", "start").iter_rows()) == {"reward": "sft"}
    asked = m.filter(suite="own", metric="preferred")
    assert set(asked["method"]) == MODELS and set(asked["chance"]) == {0.5}
    assert set(m.filter(suite="own", metric="preferred_token")["method"]) == MODELS - {"rm"}
    assert set(m.filter(metric="loss")["method"]) == (MODELS - {"rm"}) | {"base"}
    assert m.filter(metric="preferred", method="base").height == 1
    primary = m.filter("is_primary", probe_kind="preference")
    assert set(primary["metric"]) == {"preferred"}


def test_the_rate_is_chosen_by_the_share_of_pairs_that_are_preferred(study):
    m = pl.read_parquet(study.folder / "results/cut/tables/measurements.parquet").filter(method="dpo")
    shares = dict(m.filter(suite="validation", metric="preferred").select("learning_rate", "value").iter_rows())
    chosen = m.filter("is_chosen", suite="own")["learning_rate"].unique().to_list()
    assert len(shares) == 2 and chosen == [max(sorted(shares), key=lambda rate: shares[rate])]


def test_records_say_how_the_start_and_the_result_treat_pairs(study):
    cells = study.folder / "results/cut/cells/nursery/step100/nursery-headline/default"
    dpo = json.loads((cells / "dpo-lr0.001/seed1/training.json").read_text())
    assert dpo["settings"] | {"learns": "preferences", "loss": "dpo", "beta": 0.1} == dpo["settings"]
    assert dpo["losses"][0] == pytest.approx(0.6931, abs=1e-3) and dpo["losses"][-1] < dpo["losses"][0]
    start, result = dpo["pairs"]["start"], dpo["pairs"]["result"]
    assert result["preferred"] > start["preferred"] and start["chosen_logp"] < 0
    rm = json.loads((cells / "rm/seed1/training.json").read_text())
    assert rm["losses"][0] == pytest.approx(0.6931, abs=1e-3) and 0.5 < rm["reward_accuracy"] <= 1
    assert not list((study.folder / "results/cut/cells").rglob("*.safetensors"))

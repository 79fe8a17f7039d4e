"""Policies after supervised tuning, by the rule of a task and by a reward model, through the whole workflow."""

import json

import polars as pl
import pytest
from cut_study import finished_study

pytestmark = [pytest.mark.slow, pytest.mark.release]

FULL = {"kind": "full", "learning_rate": 1e-3, "epochs": 4, "batch_size": 16}
POLICY = FULL | {"from": "sft", "learns": "policy", "reward": "rule", "kl_weight": 0.05, "learning_rate": 3e-4}
POLICY |= {"batch_size": 4, "samples": 4, "tries": 4, "steps": 6}
HEADLINE = {"datasets": ["nursery-headline"]}
METHODS = {
    "base": {"shots": [0]},
    "sft": FULL,
    "rm": FULL | HEADLINE | {"from": "sft", "learns": "reward"},
    "grpo": POLICY | {"datasets": ["nursery-summary"]},
    "ppo": POLICY | HEADLINE | {"algorithm": "ppo", "passes": 2, "reward": "rm", "kind": "lora", "rank": 2, "alpha": 4},
    "rloo": POLICY | HEADLINE | {"algorithm": "rloo", "reward": "rm", "rule_share": 0.5},
    "far": POLICY | HEADLINE | {"reward": "rm", "learning_rate": 0.1, "kl_weight": 0.0, "max_kl": 0.5},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return finished_study(
        tmp_path_factory.mktemp("policy") / "a study", METHODS, ["nursery-headline", "nursery-summary"]
    )


def test_policies_are_cells_like_others_with_what_their_own_texts_are_like(study):
    cells = pl.read_parquet(study.folder / "results/cut/tables/cells.parquet")
    tuned = {row["method"]: row for row in cells.filter(pl.col("method") != "base").iter_rows(named=True)}
    assert {name: row["status"] for name, row in tuned.items()} == dict.fromkeys(METHODS.keys() - {"base"}, "done") | {
        "far": "diverged"
    }
    for name in ("grpo", "ppo", "rloo"):
        row = tuned[name]
        assert (row["learns"], row["start"], row["steps"]) == ("policy", "sft", 6)
        assert None not in (row["kl"], row["win_rate"], row["truth"], row["truth_before"], row["pass_at_1"])
        assert row["pass_at_64"] is None  # of four tries
        assert 0 <= row["distinct"] <= 1
    assert 0 < tuned["grpo"]["reward"] == tuned["grpo"]["truth"] < 1  # by ROUGE-L
    assert tuned["ppo"]["reward"] != tuned["ppo"]["truth"]
    assert "max_kl is 0.5" in tuned["far"]["reason"]
    assert tuned["sft"]["kl"] is None


def test_records_have_a_curve_for_every_round(study):
    folder = study.folder / "results/cut/cells/nursery/step100"
    places = {"grpo": "nursery-summary", "ppo": "nursery-headline", "far": "nursery-headline"}
    records = {
        name: json.loads((folder / dataset / f"default/{name}/seed1/training.json").read_text())
        for name, dataset in places.items()
    }
    assert len(records["grpo"]["curves"]["reward"]) == 6
    assert len(records["ppo"]["curves"]["reward"]) == 3
    assert records["grpo"]["curves"]["reward"] == records["grpo"]["curves"]["truth"]
    assert records["ppo"]["curves"]["reward"] != records["ppo"]["curves"]["truth"]
    assert records["grpo"]["tokens_seen"] > records["grpo"]["tokens_drawn"] > 0
    assert len(records["far"]["losses"]) < 6
    assert records["far"]["curves"]["kl_token"][-1] > 0.5
    settings = records["ppo"]["settings"]
    assert settings | {"learns": "policy", "reward": "model", "passes": 2, "samples": 4} == settings
    assert not list((study.folder / "results/cut/cells").rglob("*.safetensors"))

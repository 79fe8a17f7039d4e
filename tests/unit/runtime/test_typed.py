"""Settings of another type than a number, a text or a list that is wanted are refused by name."""

from functools import partial

import pytest

import measure_sensitivity
from ripeness.findings import finding
from ripeness.runtime.errors import UserError
from ripeness.study import pretraining_settings, theory_settings
from ripeness.study.methods import reading as methods
from ripeness.train import annealing

TUNING = {"learning_rate": 1e-4, "epochs": 3, "batch_size": 32, "seed": 1}
PRETRAINING = {
    **{"architecture": "llama", "hidden_size": 16, "n_layers": 1, "n_heads": 2, "intermediate_size": 32},
    **{"sequence_length": 16, "batch_size": 4, "learning_rate": 0.01, "warmup_steps": 3, "weight_decay": 0.1},
    **{"betas": [0.9, 0.95], "clip": 1.0, "initial_std": 0.1, "embedding_std": 0.5, "seed": 3},
}
READERS = {
    "tuning": (methods.read_settings, TUNING),
    "annealing": (partial(annealing.read_settings, facts={"lr": 0.1}, window=64), {"steps": 9, "batch_size": 2}),
    "pretraining": (pretraining_settings.read_settings, PRETRAINING),
    "findings": (finding.settings_from, {}),
    "sensitivity": (measure_sensitivity.with_defaults, {}),
}
WRONG = [
    *(("tuning", {"learning_rate": value}) for value in ("1e-4", [1e-4], True, float("nan"), {})),
    *(("tuning", {"epochs": value}) for value in ("3", 3.0, [3])),
    ("tuning", {"modules": "q_proj", "kind": "lora", "rank": 1, "alpha": 1}),
    ("tuning", {"pull": "much"}),
    ("annealing", {"steps": "9"}),
    ("annealing", {"warmup_ratio": "0.1"}),
    ("annealing", {"sequence_length": 1.5}),
    ("pretraining", {"betas": [0.9]}),
    ("pretraining", {"betas": "0.9"}),
    ("pretraining", {"hidden_size": "16"}),
    ("pretraining", {"seed": None}),
    ("findings", {"shots": "none"}),
    ("sensitivity", {"seeds": 3}),
    ("sensitivity", {"bits": ["8"]}),
    ("sensitivity", {"noise": [0.1]}),
    ("sensitivity", {"noise": {"init": 0.1}}),
    ("sensitivity", {"noise": {"init": ["0.1"]}}),
]


@pytest.mark.parametrize(("name", "change"), WRONG, ids=[f"{name}-{change}" for name, change in WRONG])
def test_a_setting_of_another_type_is_refused(name, change):
    read, right = READERS[name]
    read(right)
    with pytest.raises(UserError, match=r" is .*, not .*\nhint: "):
        read(right | change)


def test_a_whole_number_may_stand_where_any_number_is_wanted():
    assert methods.read_settings(TUNING | {"learning_rate": 1}).learning_rate == 1


def test_settings_of_a_simulation_that_are_missing_are_named():
    with pytest.raises(UserError, match=r"theory: .*width missing\nhint: "):
        theory_settings.settings_from({"targets": {}})

"""What jobs ask of a cluster grows with model, work and attempt, and is known before anything is fetched."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from nursery import tuned_nursery
from safetensors.torch import save_file

from ripeness.runtime.files import write_json
from ripeness.study.load import load_study
from ripeness.study.methods.settings import POLICY, RULE
from ripeness.train.pretraining import ARCHITECTURES
from ripeness.workflow import operations, resources
from ripeness.workflow.snakemake_call import is_group

ROOT = Path(__file__).parents[3]


@pytest.fixture
def nursery():
    return load_study(tuned_nursery(), ROOT / "tasks")


def cell(method="full", checkpoint="step64", dataset="nursery-mood"):
    return SimpleNamespace(
        series="nursery", checkpoint=checkpoint, dataset=dataset, format="io", method=method, seed="1"
    )


def test_parameters_of_a_designed_model_are_those_that_it_has_but_for_norms(nursery):
    design = nursery.config["series"]["nursery"]["pretrain"]
    config_class, model_class = ARCHITECTURES["llama"]
    config = config_class(
        vocab_size=design["vocabulary_size"],
        hidden_size=design["hidden_size"],
        num_hidden_layers=design["n_layers"],
        num_attention_heads=design["n_heads"],
        intermediate_size=design["intermediate_size"],
        tie_word_embeddings=True,
    )
    with torch.device("meta"):
        model = model_class(config)
    assert operations.designed_parameters(design) == sum(w.numel() for w in model.parameters() if w.ndim > 1)


@pytest.mark.parametrize(("dtype", "n_bytes"), [("float32", 4), ("bfloat16", 2)])
def test_parameters_of_a_stored_model_are_read_off_its_files(tmp_path, dtype, n_bytes):
    assert operations.stored_parameters(str(tmp_path)) == 0
    save_file({"a": torch.zeros(1000, 300, dtype=getattr(torch, dtype))}, tmp_path / "model.safetensors")
    write_json(tmp_path / "config.json", {"dtype": dtype})
    assert operations.stored_parameters(str(tmp_path)) == pytest.approx(300_000, rel=0.01)


def test_each_attempt_requests_more_memory_and_time(nursery):
    for need in (
        resources.training_memory,
        resources.training_minutes,
        resources.prediction_memory,
        resources.prediction_minutes,
    ):
        asked = [need(nursery, cell(), attempt) for attempt in (1, 2, 3)]
        assert asked == sorted(set(asked)) and asked[0] > 0


def test_a_larger_model_and_more_work_ask_for_more(nursery):
    small = resources.training_memory(nursery, cell(), 1), resources.training_minutes(nursery, cell(), 1)
    nursery.config["series"]["nursery"]["pretrain"]["hidden_size"] = 8192
    large = resources.training_memory(nursery, cell(), 1), resources.training_minutes(nursery, cell(), 1)
    assert large[0] > 2 * small[0]
    items = nursery.config["items"] | {"train": 100 * nursery.settings.items.train}
    more = replace(nursery, config=nursery.config | {"items": items})
    assert resources.training_minutes(more, cell(), 1) > large[1]


def test_the_untouched_checkpoint_is_predicted_with_the_memory_of_its_weights(nursery):
    assert resources.prediction_memory(nursery, cell("base"), 1) < resources.training_memory(nursery, cell(), 1)
    assert resources.prediction_minutes(nursery, cell("base"), 1) >= resources.START_MINUTES


def test_a_job_of_a_cluster_with_several_members_is_a_group():
    assert is_group(["snakemake", "--target-jobs", "train:a=1", "predict:a=1", "--allowed-rules", "x", "y"])
    assert not is_group(["snakemake", "--target-jobs", "train:a=1", "--allowed-rules", "x", "y"])
    assert not is_group(["snakemake", "all"])


def test_a_model_shared_out_to_gpus_asks_for_them_and_needs_less_time_and_more_memory_in_all(nursery):
    nursery.config["series"]["nursery"]["pretrain"]["hidden_size"] = 8192
    alone = resources.training_memory(nursery, cell(), 1), resources.training_minutes(nursery, cell(), 1)
    assert resources.training_gpus(nursery, cell()) == 1
    nursery.recipes["full"]["nursery-mood"]["gpu"] = 4
    assert resources.training_gpus(nursery, cell()) == 4
    assert resources.training_memory(nursery, cell(), 1) > alone[0]
    assert resources.training_minutes(nursery, cell(), 1) < alone[1]


def test_a_policy_requests_the_memory_of_its_start_and_of_a_reward_model(nursery):
    nursery.config["series"]["nursery"]["pretrain"]["hidden_size"] = 8192
    settings = nursery.recipes["full"]["nursery-mood"]
    asked = [resources.training_memory(nursery, cell(), 1)]
    for reward in (RULE, "rm"):
        settings |= {"learns": POLICY, "reward": reward}
        asked.append(resources.training_memory(nursery, cell(), 1))
    per_byte = (asked[1] - asked[0]) / resources.START_BYTES
    assert asked[2] - asked[1] == pytest.approx(resources.PREDICTION_BYTES * per_byte, rel=1e-3) and per_byte > 500


def test_tuning_the_best_model_again_requests_what_tuning_it_did(nursery):
    best = SimpleNamespace(series="nursery", checkpoint="step64", dataset="nursery-mood", tuning="full")
    for need in (resources.training_memory, resources.training_minutes):
        assert need(nursery, best, 1) == need(nursery, cell(), 1)

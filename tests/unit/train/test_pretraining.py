import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pretrained_states import SETTINGS as SHARED
from pretrained_states import pretrained, pretrained_checkpoint
from transformers import AutoModelForCausalLM, AutoTokenizer

from ripeness.runtime.errors import UserError
from ripeness.study.pretraining_settings import Decay, PretrainingSettings, learning_rate_of, read_settings
from ripeness.train.pretraining import batch_of, count_parameters, load_state, start

SETTINGS = SHARED | {"warmup_steps": 4}


def state(corpus: Path, output: Path, until: int, resume: Path | None = None, **changes) -> Path:
    return pretrained(SETTINGS | changes, corpus, output, until, resume)


def checkpoint(corpus: Path, output: Path, earlier: Path, described: dict) -> Path:
    described = {"series": "nursery", "checkpoint": output.name, **described}
    return pretrained_checkpoint(SETTINGS, corpus, output, described, earlier)


@pytest.mark.parametrize("architecture", ["llama", "olmo2"])
def test_pieces_joined_at_any_step_give_the_bytes_of_one_training(corpus, tmp_path, architecture):
    whole = state(corpus, tmp_path / "whole", 7, architecture=architecture)
    first = state(corpus, tmp_path / "first", 2, architecture=architecture)
    second = state(corpus, tmp_path / "second", 3, first, architecture=architecture)
    pieces = state(corpus, tmp_path / "pieces", 7, second, architecture=architecture)
    assert pieces.read_bytes() == whole.read_bytes()


def test_training_lowers_the_loss(corpus, tmp_path):
    def loss(path):
        model = load_state(path, read_settings(SETTINGS), corpus).model
        batch = batch_of(1, np.load(corpus / "train.npy"), read_settings(SETTINGS))
        return model(input_ids=batch, labels=batch).loss.item()

    assert loss(state(corpus, tmp_path / "late", 60)) < loss(state(corpus, tmp_path / "early", 1)) - 1


def test_checkpoint_is_the_same_from_any_earlier_state(corpus, tmp_path):
    early, late = state(corpus, tmp_path / "0", 0), state(corpus, tmp_path / "5", 5)
    described = {"phase": "stable", "step": 5}
    folders = [checkpoint(corpus, tmp_path / "a" / "s5", early, described)]
    folders.append(checkpoint(corpus, tmp_path / "b" / "s5", late, described))
    names = sorted(path.name for path in folders[0].iterdir())
    assert names == sorted(path.name for path in folders[1].iterdir())
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_checkpoint_loads_with_the_auto_classes_and_knows_itself(corpus, tmp_path):
    folder = checkpoint(corpus, tmp_path / "s0", state(corpus, tmp_path / "0", 0), {"phase": "stable", "step": 0})
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    facts = json.loads((folder / "checkpoint.json").read_text())
    assert facts["n_parameters"] == count_parameters(model)
    assert (facts["step"], facts["tokens"], facts["lr"], facts["phase"], facts["seed"]) == (0, 0, 0.0, "stable", 3)
    assert model.dtype == torch.float32
    assert model.config.vocab_size == len(tokenizer)
    ids = tokenizer("review : the film was dull .\nverdict :").input_ids
    assert tokenizer.decode(ids) == "<|endoftext|>review : the film was dull .\nverdict :"
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id


def test_annealed_checkpoint_decays_from_its_start_whatever_the_state(corpus, tmp_path):
    described = {"phase": "annealed", "from_step": 5, "steps": 4}
    early, late = state(corpus, tmp_path / "2", 2), state(corpus, tmp_path / "5", 5)
    one = checkpoint(corpus, tmp_path / "one", early, described)
    other = checkpoint(corpus, tmp_path / "other", late, described)
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    facts = json.loads((one / "checkpoint.json").read_text())
    assert (facts["step"], facts["tokens"], facts["phase"]) == (9, 9 * 64, "annealed")
    assert facts["lr"] == pytest.approx(0.01 / 4)


def test_rate_warms_up_stays_and_decays_to_zero():
    settings = read_settings(SETTINGS)
    assert [learning_rate_of(step, settings) for step in (0, 1, 2, 4, 50)] == [0, 0.0025, 0.005, 0.01, 0.01]
    decay = Decay(start=10, steps=4)
    rates = [learning_rate_of(step, settings, decay) for step in range(10, 16)]
    assert rates == pytest.approx([0.01, 0.01, 0.0075, 0.005, 0.0025, 0])


def test_an_epoch_reads_every_window_once_and_the_next_in_another_order():
    settings = read_settings(SETTINGS | {"sequence_length": 2, "batch_size": 1})
    stream = np.arange(21, dtype=np.uint16)
    epochs = [
        [batch_of(step, stream, settings)[0, 0].item() for step in steps] for steps in (range(1, 11), range(11, 21))
    ]
    assert [sorted(epoch) for epoch in epochs] == [list(range(0, 20, 2))] * 2
    assert epochs[0] != epochs[1]


def test_seeds_differ_in_weights_and_order():
    settings = [read_settings(SETTINGS | {"seed": seed}) for seed in (1, 2)]
    stream = np.arange(1000, dtype=np.uint16)
    assert not torch.equal(batch_of(1, stream, settings[0]), batch_of(1, stream, settings[1]))


def test_weights_of_step_zero_follow_the_seed(corpus):
    def first(seed):
        return next(start(read_settings(SETTINGS | {"seed": seed}), corpus).model.parameters())

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


def test_weights_begin_at_the_scale_asked_for(corpus):
    model = start(read_settings(SETTINGS | {"hidden_size": 64}), corpus).model
    assert model.get_input_embeddings().weight.std().item() == pytest.approx(0.5, rel=0.03)
    assert model.model.layers[0].mlp.up_proj.weight.std().item() == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"architecture": "lama"}, "'lama'.*llama"), ({"hidden": 3}, "hidden"), ({"n_heads": 3}, "3 heads")],
)
def test_settings_that_make_no_sense_are_reported_to_the_user(change, message):
    with pytest.raises(UserError, match=message):
        read_settings(SETTINGS | change)


def test_settings_are_frozen_and_hold_what_was_given():
    assert isinstance(read_settings(SETTINGS), PretrainingSettings)
    assert read_settings(SETTINGS).n_threads == 1


def test_state_of_other_settings_is_refused(corpus, tmp_path):
    earlier = state(corpus, tmp_path / "2", 2)
    with pytest.raises(UserError, match="learning_rate"):
        state(corpus, tmp_path / "4", 4, earlier, learning_rate=0.02)
    assert not (tmp_path / "4").exists()


def test_state_past_the_step_is_refused(corpus, tmp_path):
    late = state(corpus, tmp_path / "4", 4)
    with pytest.raises(UserError, match="step 4, past step 3"):
        state(corpus, tmp_path / "3", 3, late)
    with pytest.raises(UserError, match="past step 2"):
        checkpoint(corpus, tmp_path / "a", late, {"phase": "annealed", "from_step": 2, "steps": 5})


def test_checkpoint_that_says_too_little_is_refused(corpus, tmp_path):
    earlier = state(corpus, tmp_path / "0", 0)
    with pytest.raises(UserError, match="it needs .*from_step"):
        checkpoint(corpus, tmp_path / "a", earlier, {"phase": "annealed", "step": 5})
    with pytest.raises(UserError, match="'anealed'"):
        checkpoint(corpus, tmp_path / "a", earlier, {"phase": "anealed", "step": 5})


def test_missing_corpus_and_missing_state_are_named(corpus, tmp_path):
    with pytest.raises(UserError, match="no corpus"):
        state(tmp_path / "none", tmp_path / "0", 0)
    with pytest.raises(UserError, match="no state"):
        state(corpus, tmp_path / "5", 5, tmp_path / "none")


def test_diverged_training_is_reported_to_the_user(corpus, tmp_path):
    with pytest.raises(UserError, match="diverged"):
        state(corpus, tmp_path / "9", 9, learning_rate=1e30, warmup_steps=0)

"""Kinds that end as weights: untouched at the start, merged as unmerged, nothing left behind, saved, and resumed."""

import shutil

import pytest
import torch
from small_kinds import (
    EXACT_START,
    KINDS,
    ROUNDED,
    ROWS,
    architecture_of,
    killed,
    logits,
    moved,
    same_weights,
    settings_of,
    shape_of,
)

from ripeness.models.batching import encode_examples
from ripeness.models.load import load_model
from ripeness.models.methods.layer_names import linear_modules
from ripeness.models.methods.nf4 import round_weights
from ripeness.models.methods.register import attach
from ripeness.models.tuned_state import STATE, Tuned, fingerprint_of
from ripeness.models.tuned_weights import save_model
from ripeness.study.methods.register import KINDS as KNOWN
from ripeness.train.loop import train


@pytest.fixture(scope="module")
def examples(tokenizer):
    return encode_examples(ROWS, tokenizer, max_length=64)


@pytest.fixture(params=KINDS)
def name(request):
    return request.param


@pytest.fixture
def fresh(tiny_model, name):
    return lambda: tiny_model(architecture_of(name))


def test_a_model_is_untouched_before_the_first_step_and_the_same_after_it_is_taken_out(fresh, name):
    model, start = fresh(), fresh()
    if name in ROUNDED:
        round_weights(linear_modules(start).values())
    before = logits(start)
    torch.manual_seed(1)
    attached = attach(model, settings_of(name))
    assert any(weight.requires_grad for weight in model.parameters())
    assert torch.allclose(logits(model), before, atol=0 if name in EXACT_START else 1e-4)
    attached.merge()
    assert shape_of(model) == shape_of(start)
    assert torch.allclose(logits(model), before, atol=1e-4)


def test_what_was_learned_is_merged_and_nothing_else_is_left_behind(fresh, examples, name, monkeypatch):
    model, start, apart = fresh(), fresh(), []
    kind = type(attach(fresh(), settings_of(name)))
    merge = kind.merge
    monkeypatch.setattr(kind, "merge", lambda self: (apart.append(logits(self.model)), merge(self))[1])
    outcome = train(model, examples, settings_of(name, epochs=6), pad=0)
    assert outcome.status == "done" and outcome.losses[-1] < outcome.losses[0] - 0.1
    assert torch.allclose(logits(model), apart[0], atol=1e-4)
    assert not torch.allclose(logits(model), logits(start), atol=1e-2)
    assert shape_of(model) == shape_of(start)
    assert 0 < len(moved(model, start)) < len(list(model.parameters()))


def test_a_state_that_is_saved_is_loaded_as_the_model_in_memory(fresh, examples, checkpoint, tmp_path, name):
    base = tmp_path / "base"
    shutil.copytree(checkpoint, base, ignore=shutil.ignore_patterns("*.safetensors", "*config.json"))
    fresh().save_pretrained(base)
    model, settings = load_model(base), settings_of(name)
    fingerprint = fingerprint_of(model)
    outcome = train(model, examples, settings, pad=0)
    save_model(model, base, tmp_path / "tuned", tuned=Tuned(settings, outcome.state, fingerprint))
    torch.manual_seed(99)
    again = load_model(tmp_path / "tuned")
    assert same_weights(again, model)
    n_parameters = sum(weight.numel() for weight in model.parameters())
    n_saved = sum(tensor.numel() for tensor in outcome.state.values())
    assert n_saved < n_parameters / 2
    assert n_saved <= KNOWN[settings.kind].state_size(vars(settings), n_parameters)
    assert (tmp_path / "tuned" / STATE).stat().st_size < (base / "model.safetensors").stat().st_size


@pytest.mark.parametrize("after", [1, 4])
def test_a_training_that_is_killed_goes_on_to_the_same_state(fresh, examples, tmp_path, name, after):
    expected, settings = fresh(), settings_of(name)
    outcome = train(expected, examples, settings, pad=0)
    progress = killed(fresh(), examples, settings, tmp_path / "state", after)
    torch.manual_seed(99)
    model = fresh()
    again = train(model, examples, settings, pad=0, progress=progress)
    assert again[:3] == outcome[:3]
    assert again.state.keys() == outcome.state.keys()
    assert all(torch.equal(again.state[key], outcome.state[key]) for key in again.state)
    assert same_weights(model, expected)

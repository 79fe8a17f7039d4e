"""A layer over label words: all labels equal at the start, nothing left behind, saved, cut off and gone on."""

import math
import shutil

import pytest
import torch
from killed import killed_after

from ripeness.models.batching import label_examples
from ripeness.models.label_map import map_of
from ripeness.models.load import load_model
from ripeness.models.methods.head import LAYER
from ripeness.models.methods.register import attach
from ripeness.models.tuned_state import Tuned, fingerprint_of
from ripeness.models.tuned_weights import save_model
from ripeness.study.methods.reading import read_settings
from ripeness.study.methods.register import KINDS
from ripeness.train.loop import train
from ripeness.train.resume import Progress

LABELS = ("red", "green", "blue")
CONTEXTS = [[5, 6, n % 3 + 20, *[7] * (n % 4)] for n in range(12)]
EXAMPLES = label_examples(CONTEXTS, [n % 3 for n in range(12)], pad=0)
TOKENS = torch.tensor([[5, 6, 7, 8, 9, 11]])
SHARED = {"kind": "head", "epochs": 4, "batch_size": 4, "seed": 1, "schedule": "constant", "warmup_ratio": 0.0}
MOVES = ["head", "all"]


def settings_of(moves, **given):
    rate = {"head": 0.03, "all": 0.003}[moves]
    return read_settings(SHARED | {"moves": moves, "learning_rate": rate} | given).with_labels(LABELS)


@torch.no_grad()
def logits(model):
    return model.eval()(TOKENS).logits


def shape_of(model):
    modules = {name: type(module) for name, module in model.named_modules()}
    hooks = [module for module in model.modules() if module._forward_hooks or module._forward_pre_hooks]
    return modules, hooks, {name: weight.requires_grad for name, weight in model.named_parameters()}


@pytest.mark.parametrize("moves", MOVES)
@pytest.mark.parametrize("architecture", ["llama", "gemma2", "bloom"])
def test_all_labels_are_equal_at_the_start_and_the_model_is_the_same_when_the_layer_is_gone(
    tiny_model, architecture, moves
):
    model = tiny_model(architecture)
    before, shape = logits(model), shape_of(model)
    attached = attach(model, settings_of(moves))
    assert logits(model).shape == (1, 6, 3) and (logits(model) == 0).all()
    losses = train(tiny_model(architecture), EXAMPLES, settings_of(moves), pad=0).losses
    assert losses[0] == pytest.approx(math.log(3), abs=1e-6)
    attached.merge()
    assert torch.equal(logits(model), before)
    assert shape_of(model) == shape
    assert (map_of(model).weight == 0).all() and map_of(model).labels == LABELS


@pytest.mark.parametrize("moves", MOVES)
@pytest.mark.parametrize("is_tied", [False, True])
def test_what_moves_is_trained_and_saved_and_nothing_else(tiny_model, moves, is_tied):
    model, start = (tiny_model("llama", tie_word_embeddings=is_tied) for _ in range(2))
    outcome = train(model, EXAMPLES, settings_of(moves, epochs=12), pad=0)
    assert outcome.status == "done" and outcome.losses[-1] < 0.5
    pairs = zip(model.named_parameters(), start.parameters(), strict=True)
    moved = {name for (name, weight), before in pairs if not torch.equal(weight, before)}
    names = {name for name, _ in model.named_parameters()} - {"lm_head.weight"} if moves == "all" else set()
    assert moved == names
    assert outcome.state.keys() == names | {f"{LAYER}.weight", f"{LAYER}.bias"}
    assert shape_of(model) == shape_of(start)


@pytest.mark.parametrize("moves", MOVES)
def test_what_is_saved_is_loaded_as_the_model_in_memory(tiny_model, checkpoint, tmp_path, moves):
    base = tmp_path / "base"
    shutil.copytree(checkpoint, base, ignore=shutil.ignore_patterns("*.safetensors"))
    tiny_model("llama").save_pretrained(base)
    model, settings = load_model(base), settings_of(moves)
    fingerprint = fingerprint_of(model)
    outcome = train(model, EXAMPLES, settings, pad=0)
    save_model(model, base, tmp_path / "tuned", tuned=Tuned(settings, outcome.state, fingerprint))
    again = load_model(tmp_path / "tuned")
    assert torch.equal(map_of(again).weight, map_of(model).weight)
    assert torch.equal(map_of(again).bias, map_of(model).bias)
    assert (map_of(again).weight != 0).any()
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True))
    assert torch.equal(logits(again), logits(model))
    n_saved, n_parameters = (sum(t.numel() for t in ts) for ts in (outcome.state.values(), model.parameters()))
    assert n_saved <= KINDS["head"].state_size({"moves": moves}, n_parameters)


@pytest.mark.parametrize("moves", MOVES)
@pytest.mark.parametrize("after", [1, 7])
def test_a_training_that_is_killed_goes_on_to_the_same_state(tiny_model, tmp_path, moves, after):
    settings = settings_of(moves)
    expected = train(tiny_model("llama"), EXAMPLES, settings, pad=0)
    progress = Progress(tmp_path / "state", "mine", 0)

    with killed_after(after):
        train(tiny_model("llama"), EXAMPLES, settings, pad=0, progress=progress)
    again = train(tiny_model("llama"), EXAMPLES, settings, pad=0, progress=progress)
    assert again.losses == expected.losses
    assert all(torch.equal(again.state[name], expected.state[name]) for name in expected.state)


def test_a_rate_that_is_far_too_high_is_a_result(tiny_model):
    outcome = train(tiny_model("llama"), EXAMPLES, settings_of("head", learning_rate=1e4), pad=0)
    assert outcome.status == "diverged" and len(outcome.losses) < 12


def test_a_layer_is_trained_in_half_precision_with_the_same_start(tiny_model):
    outcome = train(tiny_model("llama"), EXAMPLES, settings_of("all", precision="bf16", epochs=12), pad=0)
    assert outcome.losses[0] == pytest.approx(math.log(3), abs=1e-6) and outcome.losses[-1] < 0.6

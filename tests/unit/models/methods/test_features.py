"""Logistic regression on the states of a model: one minimum, whatever the items lack, next to a model that stays."""

import math
import shutil

import pytest
import torch

from ripeness.models.label_map import map_of
from ripeness.models.load import load_model
from ripeness.models.methods import features
from ripeness.models.methods.attached import LabelledStates
from ripeness.models.methods.features import fitted, loss_of
from ripeness.models.methods.register import attach
from ripeness.models.tuned_state import STATE, Tuned, fingerprint_of
from ripeness.models.tuned_weights import save_model
from ripeness.runtime.errors import UserError
from ripeness.study.methods.features import STRENGTHS, strengths_of
from ripeness.study.methods.reading import read_settings
from ripeness.study.methods.register import KINDS
from ripeness.train.fitting import Questions, fit

LABELS = ("red", "green", "blue")
CONTEXTS = [[n % 7 + 2, n % 5 + 9, n // 7 + 3, n % 3 + 20] for n in range(30)]
GOLDS = [n % 3 for n in range(30)]
TRAIN, VALIDATION = Questions(CONTEXTS[:20], GOLDS[:20]), Questions(CONTEXTS[20:], GOLDS[20:])


def settings_of(**given):
    return read_settings({"kind": "features", "seed": 1} | given).with_labels(LABELS)


def drawn(n, width=6, n_labels=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    golds = torch.arange(n) % n_labels
    noise = torch.randn(n, width, generator=generator)
    return LabelledStates(noise + torch.nn.functional.one_hot(golds, width), golds)


def weights(model):
    return {name: weight.clone() for name, weight in model.state_dict().items()}


def test_the_minimum_has_no_gradient_and_does_not_depend_on_scale_or_place_of_the_states():
    items = drawn(60)
    found = fitted(items, 0.01, LABELS)
    mean, deviation = items.states.double().mean(0), items.states.double().std(0, correction=0)
    weight = (found.weight * deviation).requires_grad_(True)
    bias = (found.bias + found.weight @ mean).requires_grad_(True)
    logits = ((items.states - mean) / deviation) @ weight.T + bias
    (torch.nn.functional.cross_entropy(logits, items.golds) + 0.01 / 2 * weight.square().sum()).backward()
    assert weight.grad.abs().max() < 1e-8 and bias.grad.abs().max() < 1e-8
    other = fitted(LabelledStates(items.states * 100 - 7, items.golds), 0.01, LABELS)
    assert torch.allclose(other.logps(items.states * 100 - 7), found.logps(items.states), atol=1e-6)


def test_a_stronger_penalty_fits_less_and_a_very_strong_one_says_how_often_each_label_is_right():
    items = drawn(50)
    losses = [loss_of(fitted(items, strength, LABELS), items) for strength in (1e-4, 1e-2, 1.0, 1e6)]
    assert losses == sorted(losses) and losses[0] < math.log(3) - 0.3
    shares = torch.tensor([17, 17, 16]).double() / 50
    assert torch.allclose(fitted(items, 1e6, LABELS).logps(items.states).exp()[0], shares, atol=1e-4)


@pytest.mark.parametrize(
    ("golds", "likely"), [([0, 0, 2, 2, 2, 0], [0, 2]), ([1] * 6, [1])], ids=["a label lacks", "one label"]
)
def test_a_label_that_no_item_has_is_unlikely_and_has_a_number(golds, likely):
    items = LabelledStates(drawn(6).states, torch.tensor(golds))
    logps = fitted(items, 0.1, LABELS).logps(items.states)
    assert logps.isfinite().all()
    assert set(logps.argmax(1).tolist()) <= set(likely)
    unseen = [label for label in range(3) if label not in golds]
    assert (logps[:, unseen] < math.log(1 / 6) + 1e-9).all()


def test_a_state_that_never_varies_counts_for_nothing():
    items = drawn(30)
    constant = LabelledStates(torch.cat([items.states, torch.full((30, 1), 7.5)], dim=1), items.golds)
    found = fitted(constant, 0.1, LABELS)
    assert (found.weight[:, -1] == 0).all()
    assert torch.allclose(found.logps(constant.states), fitted(items, 0.1, LABELS).logps(items.states), atol=1e-7)


def test_the_penalty_is_chosen_on_validation_items_alone(tiny_model):
    attached = attach(tiny_model("llama"), settings_of(penalties=[1e-4, 1.0, 1e-2]))
    train, validation = drawn(30, width=32), drawn(30, width=32, seed=1)
    found = attached.fit(train, validation)
    losses = {strength: loss_of(fitted(train, strength, LABELS), validation) for strength in (1.0, 1e-2, 1e-4)}
    assert found.remarks["validation_losses"] == [list(one) for one in losses.items()]
    assert found.remarks["penalty"] == min(losses, key=losses.get)
    assert found.loss == loss_of(fitted(train, found.remarks["penalty"], LABELS), train)


def test_of_penalties_that_are_as_good_the_strongest_is_taken(tiny_model, monkeypatch):
    attached = attach(tiny_model("llama"), settings_of())
    monkeypatch.setattr(features, "loss_of", lambda *_: 1.0)
    assert attached.fit(drawn(9, width=32), drawn(9, width=32)).remarks["penalty"] == max(STRENGTHS)
    assert strengths_of(settings_of(penalties=[0.1, 10, 1])) == (10, 1, 0.1)


def test_the_model_stays_as_it_is_and_the_seed_changes_nothing(tiny_model):
    states = []
    for seed in (1, 2):
        model = tiny_model("llama")
        before, modules = weights(model), list(model.named_modules())
        state, record = fit(model, TRAIN, VALIDATION, settings_of(seed=seed))
        assert (record["status"], record["steps"], record["losses"]) == ("done", 0, [])
        assert record["trainable_parameters"] == 3 * 33 and record["n_examples"] == 20
        assert record["n_tokens"] == record["tokens_seen"] == 4 * 30
        assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())
        assert [name for name, _ in model.named_modules()] == [name for name, _ in modules]
        assert all(weight.requires_grad for weight in model.parameters())
        assert not any(one._forward_hooks or one._forward_pre_hooks for one in model.modules())
        states.append(state)
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_map_that_is_saved_is_loaded_as_the_one_in_memory(tiny_model, checkpoint, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(checkpoint, base, ignore=shutil.ignore_patterns("*.safetensors"))
    tiny_model("llama").save_pretrained(base)
    model, settings = load_model(base), settings_of()
    fingerprint = fingerprint_of(model)
    state, _ = fit(model, TRAIN, VALIDATION, settings)
    save_model(model, base, tmp_path / "tuned", tuned=Tuned(settings, state, fingerprint))
    again = load_model(tmp_path / "tuned")
    assert map_of(again).labels == LABELS
    assert torch.equal(map_of(again).weight, map_of(model).weight)
    assert torch.equal(map_of(again).bias, map_of(model).bias)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True))
    assert map_of(load_model(base)) is None
    n_parameters = sum(weight.numel() for weight in model.parameters())
    assert sum(tensor.numel() for tensor in state.values()) <= KINDS["features"].state_size({}, n_parameters)
    assert (tmp_path / "tuned" / STATE).stat().st_size < 2000


def test_states_that_are_not_finite_are_a_result(tiny_model):
    model = tiny_model("llama")
    model.model.norm.weight.data.fill_(math.nan)
    state, record = fit(model, TRAIN, VALIDATION, settings_of())
    assert (record["status"], record["losses"]) == ("diverged", [])
    assert "loss" not in record and (state["weight"] == 0).all()


def test_a_kind_that_is_trained_by_steps_is_not_fitted(tiny_model):
    settings = read_settings({"kind": "full", "learning_rate": 1e-3, "epochs": 1, "batch_size": 2, "seed": 1})
    with pytest.raises(TypeError, match="full is trained by steps"):
        fit(tiny_model("llama"), TRAIN, VALIDATION, settings)


def test_a_model_without_an_output_layer_is_refused(tiny_model, monkeypatch):
    model = tiny_model("llama")
    monkeypatch.setattr(type(model), "get_output_embeddings", lambda self: None)
    with pytest.raises(UserError, match="not found\nhint: kind: full or lora"):
        attach(model, settings_of())

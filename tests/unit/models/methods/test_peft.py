"""Each type of peft either becomes part of a model's weights, is saved and loaded, or is refused with its reason."""

import pytest
import torch
from peft import PeftType
from peft_types import OPTIONS

from ripeness.models.batching import encode_examples
from ripeness.models.methods.peft import attach
from ripeness.runtime.errors import UserError
from ripeness.study.methods.peft import MERGED, REFUSED
from ripeness.study.methods.reading import read_settings
from ripeness.train.loop import train

TOKENS = torch.tensor([[5, 6, 7, 8, 9, 11]])
SHARED = {"kind": "peft", "epochs": 1, "batch_size": 4, "seed": 1, "learning_rate": 3e-2, "schedule": "constant"}
ROWS = [(f"row{n}", "the film was " + "far " * (n % 4) + "long\nit is", [" good", " bad"][n % 2]) for n in range(12)]


def settings_of(name, **change):
    return read_settings(SHARED | {"type": name} | OPTIONS.get(name, {}) | change)


@torch.no_grad()
def logits(model):
    return model.eval()(TOKENS).logits


def same_weights(model, other):
    return all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))


def test_every_type_that_peft_has_is_known_to_merge_or_refused():
    known = {one.value for one in PeftType}
    assert set(MERGED) | REFUSED.keys() == known
    assert not set(MERGED) & REFUSED.keys()
    assert list(MERGED) == sorted(MERGED)


@pytest.mark.parametrize("name", REFUSED)
def test_a_type_that_does_not_merge_is_refused_with_its_reason(name):
    with pytest.raises(UserError, match=rf"settings.type: {name} cannot be used: .+\nhint: ."):
        settings_of(name)


@pytest.mark.parametrize("name", MERGED)
def test_a_type_that_merges_learns_is_merged_and_loaded_as_it_was(tiny_model, tokenizer, name, monkeypatch):
    model, start, again, apart = tiny_model("qwen2"), tiny_model("qwen2"), tiny_model("qwen2"), []
    settings, examples = settings_of(name), encode_examples(ROWS, tokenizer, max_length=64)
    kind = type(attach(tiny_model("qwen2"), settings))
    merge = kind.merge
    monkeypatch.setattr(kind, "merge", lambda self: (apart.append(logits(self.model)), merge(self))[1])
    outcome = train(model, examples, settings, pad=0)
    assert outcome.status == "done"
    assert torch.allclose(logits(model), apart[0], atol=1e-3)
    assert not same_weights(model, start)
    assert {n: type(m) for n, m in model.named_modules()} == {n: type(m) for n, m in start.named_modules()}
    assert [w.requires_grad for w in model.parameters()] == [w.requires_grad for w in start.parameters()]
    torch.manual_seed(99)
    before = torch.get_rng_state()
    attached = attach(again, settings)
    assert torch.equal(torch.get_rng_state(), before)
    attached.load(outcome.state)
    attached.merge()
    assert same_weights(again, model)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("HRA", {"options": {"rank": 8}}, r"options: HRA has no 'rank'\nhint: "),
        ("HRA", {"options": {"target_modules": ["q_proj"]}}, r"options: HRA has no 'target_modules'\nhint: "),
        ("HRA", {"options": {"bias": "all"}}, r"options of HRA train weights of the model itself\nhint: kind: freeze"),
        ("ADAMSS", {"options": {"use_asa": True}}, r"options: ADAMSS has no 'use_asa'\nhint: "),
        ("HRA", {"options": {"r": -1}}, r"peft cannot adapt these layers in this way: .*\nhint: other `modules`"),
        ("C3A", {"options": {"block_size": 5}}, r"peft cannot adapt these layers in this way: .*\nhint: other "),
        ("BEFT", {"modules": ["o_proj"]}, r"peft cannot adapt these layers in this way: .*no bias.*\nhint: other "),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_trained(tiny_model, name, change, message):
    with pytest.raises(UserError, match=message):
        attach(tiny_model("qwen2"), settings_of(name, **change))

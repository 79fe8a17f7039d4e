"""Gradient checkpointing keeps less for the backward pass and changes no bit of what is trained."""

from dataclasses import replace

import pytest
import torch
from tuned_by_loop import SETTINGS, encoded, same_weights  # noqa: F401

from ripeness.models.forward.last_layer import last_layer
from ripeness.models.forward.packing import narrows_exactly
from ripeness.models.forward.recomputed import recomputed
from ripeness.models.methods.layer_names import blocks_of
from ripeness.runtime.errors import UserError
from ripeness.study.methods.reading import read_settings
from ripeness.train.loop import train

BLOCKS = {"llama": "num_hidden_layers", "gpt2": "n_layer"}
SHARED = {"learning_rate": 3e-3, "epochs": 1, "batch_size": 4, "seed": 1, "precision": "fp32"}


def trained(tiny_model, examples, settings, architecture="llama", **how):
    model = tiny_model(architecture, **{BLOCKS.get(architecture, "num_hidden_layers"): 4})
    return train(model, examples, settings, pad=0, **how), model


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("architecture", ["llama", "gpt_neox", "gpt2"])  # the last one drops activations at random
def test_losses_and_weights_are_the_same_to_the_bit(tiny_model, encoded, architecture, precision):  # noqa: F811
    settings = replace(SETTINGS, precision=precision)
    expected, reference = trained(tiny_model, encoded, settings, architecture, row_tokens=40)
    again = replace(settings, gradient_checkpointing=True)
    found, model = trained(tiny_model, encoded, again, architecture, row_tokens=40)
    assert (found.losses, found.status) == (expected.losses, "done")
    assert same_weights(model, reference) and not same_weights(model, tiny_model(architecture, num_hidden_layers=4))


@pytest.mark.parametrize(
    "own",
    [{"kind": "lora", "rank": 2, "alpha": 4.0}, {"kind": "prefix", "tokens": 3}, {"kind": "adapter", "size": 4}],
    ids=lambda own: own["kind"],
)
def test_what_is_attached_learns_the_same(tiny_model, encoded, own):  # noqa: F811
    expected, _ = trained(tiny_model, encoded, read_settings(SHARED | own))
    found, _ = trained(tiny_model, encoded, read_settings(SHARED | own | {"gradient_checkpointing": True}))
    assert found.losses == expected.losses
    assert found.state.keys() == expected.state.keys()
    assert all(torch.equal(found.state[name], expected.state[name]) for name in expected.state)


def test_so_it_is_for_a_model_that_cannot_be_packed(tiny_model, encoded, monkeypatch):  # noqa: F811
    monkeypatch.setattr("ripeness.models.forward.packing.reach", lambda model: 0)
    expected, reference = trained(tiny_model, encoded, SETTINGS)
    found, model = trained(tiny_model, encoded, replace(SETTINGS, gradient_checkpointing=True))
    assert found.losses == expected.losses and same_weights(model, reference)


def test_inside_all_blocks_but_the_narrowed_last_one_nothing_is_kept(tiny_model):
    model = tiny_model("llama", num_hidden_layers=4).train()
    assert narrows_exactly(model)
    tokens = torch.arange(5, 45)[None]

    def kept():
        sizes = {}

        def note(tensor):
            sizes[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss = model(input_ids=tokens, use_cache=False).logits.sum()
        loss.backward()
        model.zero_grad()
        return sum(sizes.values()) - sum(weight.nbytes for weight in model.parameters())

    before = kept()
    with recomputed(model):
        assert ["forward" in vars(block) for block in blocks_of(model).values()] == [True, True, True, False]
        assert "forward" not in vars(last_layer(model))
        assert kept() < before / 2
    assert not any("forward" in vars(block) for block in blocks_of(model).values())
    assert kept() == before


def test_a_model_without_blocks_is_refused(tiny_model, monkeypatch):
    model = tiny_model("llama")
    monkeypatch.setattr("ripeness.models.forward.recomputed.blocks_of", lambda model: {})
    with pytest.raises(UserError, match="no blocks .* 'llama'\nhint: leave it out"), recomputed(model):
        pass

"""Rotations of what layers read: they stay rotations, and their blocks divide the inputs."""

import pytest
import torch
from small_kinds import settings_of

from ripeness.models.methods.layer_names import linear_modules
from ripeness.models.methods.oft import attach
from ripeness.runtime.errors import UserError

TOKENS = torch.tensor([[5, 6, 7, 8]])


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox"])
@torch.no_grad()
def test_weights_are_rotated_however_far_training_goes_and_merged_as_they_are(tiny_model, architecture):
    model, start = tiny_model(architecture), tiny_model(architecture)
    attached = attach(model, settings_of("oft"))
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if "oft" in name:
            weight.normal_(std=2)
    apart = model(TOKENS).logits
    attached.merge()
    assert torch.allclose(model(TOKENS).logits, apart, atol=1e-3)
    for name, layer in linear_modules(start).items():
        weight, after = layer.weight, model.get_submodule(name).weight
        assert not torch.allclose(weight, after, atol=1e-2)
        assert torch.allclose(weight @ weight.T, after @ after.T, atol=1e-3)  # angles and lengths of rows stay


def test_blocks_that_do_not_divide_the_inputs_of_a_layer_are_refused(tiny_model):
    with pytest.raises(UserError, match=r"block_size: 32 does not divide the 48 inputs of .*down_proj\nhint: a div"):
        attach(tiny_model("llama"), settings_of("oft", block_size=32))
    attach(tiny_model("llama"), settings_of("oft", block_size=32, modules=["q_proj"]))
    with pytest.raises(UserError, match=r"peft cannot adapt these layers in this way: .*Conv1D.*\nhint: other "):
        attach(tiny_model("gpt2"), settings_of("oft"))

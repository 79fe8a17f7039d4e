"""Scales of keys, values and inner states: the places by architecture, named ones, and what is not known."""

import pytest
import torch
from small_kinds import settings_of

from ripeness.models.methods.ia3 import attach
from ripeness.runtime.errors import UserError

TOKENS = torch.tensor([[5, 6, 7, 8]])


def scaled(model, **change):
    """Layers that have a vector, with its length."""
    attach(model, settings_of("ia3", **change))
    named = model.named_parameters()
    return {
        name.partition(".ia3_l")[0].partition(".1.")[2]: w.numel()
        for name, w in named
        if ".1." in name and "ia3" in name
    }


@pytest.mark.parametrize(
    ("architecture", "places"),
    [
        ("llama", {"self_attn.k_proj": 16, "self_attn.v_proj": 16, "mlp.down_proj": 48}),
        ("olmo2", {"self_attn.k_proj": 16, "self_attn.v_proj": 16, "mlp.down_proj": 48}),
        ("qwen2", {"self_attn.k_proj": 16, "self_attn.v_proj": 16, "mlp.down_proj": 48}),
        ("gpt2", {"attn.c_attn": 96, "mlp.c_proj": 128}),
        ("gpt_neox", {"attention.query_key_value": 96, "mlp.dense_4h_to_h": 48}),
    ],
)
def test_keys_values_and_inner_states_are_scaled(tiny_model, architecture, places):
    assert scaled(tiny_model(architecture)) == places


def test_layers_that_are_named_are_scaled_at_their_outputs_or_inputs(tiny_model):
    assert scaled(tiny_model("llama"), modules=["up_proj"]) == {"mlp.up_proj": 48}
    places = {"mlp.up_proj": 48, "mlp.down_proj": 48}
    assert scaled(tiny_model("llama"), modules=["up_proj", "down_proj"], input_modules=["down_proj"]) == places


def test_a_model_whose_keys_are_not_known_is_refused_with_the_names_of_its_layers(tiny_model):
    with pytest.raises(
        UserError, match=r"layers of a mpt produce keys and values; its blocks have Wqkv, .*\nhint: name"
    ):
        attach(tiny_model("mpt", d_model=32, n_heads=4, n_layers=2), settings_of("ia3"))


@torch.no_grad()
def test_a_gpt2_with_scales_is_the_same_once_they_are_merged(tiny_model):
    model, start = tiny_model("gpt2"), tiny_model("gpt2")
    attached = attach(model, settings_of("ia3"))
    assert torch.equal(model(TOKENS).logits, start(TOKENS).logits)
    for name, weight in model.named_parameters():
        if "ia3" in name:
            weight.normal_(mean=1, std=0.5)
    apart = model(TOKENS).logits
    attached.merge()
    assert torch.allclose(model(TOKENS).logits, apart, atol=1e-4)
    assert not torch.allclose(apart, start(TOKENS).logits, atol=1e-2)

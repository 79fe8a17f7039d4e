"""Variants of LoRA: what each of their papers says of where adapters start and how they are scaled."""

import math

import pytest
import torch
from small_kinds import settings_of

from ripeness.models.methods.layer_names import linear_modules
from ripeness.models.methods.lora import attach
from ripeness.runtime.errors import UserError


def attached(model, name, **change):
    torch.manual_seed(1)
    return attach(model, settings_of(name, **change))


@torch.no_grad()
def test_what_pissa_and_olora_start_at_is_taken_out_of_the_weights_and_put_back(tiny_model):
    for name in ("pissa", "olora"):
        model, start = tiny_model("llama"), tiny_model("llama")
        adapters = attached(model, name, alpha=6)
        weights = {name: layer.weight for name, layer in linear_modules(start).items()}
        for place, weight in weights.items():
            layer = model.get_submodule(place)
            change = layer.lora_B["default"].weight @ layer.lora_A["default"].weight * 6 / 4
            assert torch.allclose(layer.base_layer.weight, weight - change, atol=1e-5)
            assert torch.linalg.matrix_rank(change) == 4
            if name == "pissa":  # the four largest singular values, so that nothing of rank four is nearer
                values = torch.linalg.svdvals(weight)
                assert torch.linalg.norm(weight - change) == pytest.approx(values[4:].norm().item(), rel=1e-4)
        adapters.merge()
        for place, weight in weights.items():
            assert torch.allclose(model.get_submodule(place).weight, weight, atol=1e-5)


def test_rslora_is_scaled_by_the_root_of_the_rank_and_dora_has_the_norms_of_the_weights(tiny_model):
    model, start = tiny_model("llama"), tiny_model("llama")
    attached(model, "rslora")
    layer = model.model.layers[0].self_attn.q_proj
    assert layer.scaling["default"] == 8 / math.sqrt(4)
    model = tiny_model("llama")
    attached(model, "dora")
    magnitude = model.model.layers[0].self_attn.q_proj.lora_magnitude_vector["default"].weight
    assert torch.allclose(magnitude, start.model.layers[0].self_attn.q_proj.weight.norm(dim=1))


@pytest.mark.parametrize("name", ["dora", "rslora", "pissa"])
def test_variants_start_where_a_gpt2_is(tiny_model, name):
    model, start, tokens = tiny_model("gpt2"), tiny_model("gpt2"), torch.tensor([[5, 6, 7, 8]])
    adapters = attached(model, name)
    assert torch.allclose(model(tokens).logits, start(tokens).logits, atol=1e-4)
    adapters.merge()
    assert torch.allclose(model(tokens).logits, start(tokens).logits, atol=1e-4)


def test_olora_on_layers_that_peft_would_decompose_wrongly_is_refused(tiny_model):
    with pytest.raises(UserError, match=r"variant: olora is not for a model .*\nhint: variant: pissa"):
        attached(tiny_model("gpt2"), "olora")

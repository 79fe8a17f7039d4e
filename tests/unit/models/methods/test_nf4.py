"""Rounding to NF4: the nearest level of each block's scale, the values of bitsandbytes, and merged into them."""

import pytest
import torch
from small_kinds import settings_of

from ripeness.models.methods.layer_names import linear_modules
from ripeness.models.methods.lora import attach
from ripeness.models.methods.nf4 import BLOCK, LEVELS, round_weights, rounded


def drawn(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(160, 64), (7, 13), (3, 200)])
def test_each_number_becomes_the_nearest_level_times_the_largest_of_its_block(shape):
    matrix = drawn(*shape)
    found, flat = rounded(matrix).flatten(), matrix.flatten()
    for start in range(0, len(flat), BLOCK):
        block = flat[start : start + BLOCK]
        levels = LEVELS * block.abs().max()
        nearest = levels[(block[:, None] - levels).abs().argmin(dim=1)]
        assert torch.allclose(found[start : start + BLOCK], nearest, atol=1e-6)
    assert rounded(rounded(matrix)).flatten().tolist() == pytest.approx(found.tolist(), abs=1e-6)
    assert 0.05 < (rounded(matrix) - matrix).std() < 0.12  # 4 bits, and not 8


def test_a_block_of_zeros_stays_and_the_type_too():
    matrix = torch.zeros(2, BLOCK, dtype=torch.bfloat16)
    matrix[1] = 3.0
    assert torch.equal(rounded(matrix), matrix) and rounded(matrix).dtype == torch.bfloat16


# on CPUs bitsandbytes 0.50.2 takes wrong scales where a block goes on in the next row, so rows are whole blocks
@pytest.mark.parametrize("shape", [(160, 64), (96, 128)])
def test_the_values_are_those_of_bitsandbytes(shape):
    library = pytest.importorskip(
        "bitsandbytes.functional", reason="bitsandbytes, an optional library, is not installed"
    )
    matrix = drawn(*shape)
    packed, state = library.quantize_4bit(matrix, blocksize=BLOCK, quant_type="nf4", compress_statistics=False)
    assert torch.equal(library.dequantize_4bit(packed, state), rounded(matrix))


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
@torch.no_grad()
def test_all_linear_layers_of_the_blocks_are_rounded_and_adapters_are_merged_into_them(tiny_model, architecture):
    model, start = tiny_model(architecture), tiny_model(architecture)
    some = {"llama": "q_proj", "gpt2": "c_attn"}[architecture]
    attached = attach(model, settings_of("quantised", modules=[some]))
    for name, weight in model.named_parameters():
        if ".lora_" in name:
            weight.normal_(std=0.3, generator=torch.Generator().manual_seed(1))
    layers = {name: module for name, module in model.named_modules() if hasattr(module, "lora_A")}
    changes = {name: layer.get_delta_weight("default").clone() for name, layer in layers.items()}
    attached.merge()
    assert len(changes) == 2
    for name, layer in linear_modules(start).items():
        is_turned = architecture == "gpt2"
        expected = rounded(layer.weight.T.contiguous()).T if is_turned else rounded(layer.weight)
        found = model.get_submodule(name).weight
        assert torch.allclose(found, expected + changes.get(name, 0), atol=1e-6)
        assert not torch.equal(found, layer.weight)
    other = {
        name: w for name, w in model.named_parameters() if not any(name.startswith(n) for n in linear_modules(start))
    }
    assert all(torch.equal(weight, start.get_parameter(name)) for name, weight in other.items())


def test_rounding_once_more_changes_a_model_by_rounding_only(tiny_model):
    model = tiny_model("llama")
    round_weights(linear_modules(model).values())
    once = [layer.weight.clone() for layer in linear_modules(model).values()]
    round_weights(linear_modules(model).values())
    assert all(
        torch.allclose(a, b.weight, atol=1e-6) for a, b in zip(once, linear_modules(model).values(), strict=True)
    )

"""Noise and rounding: how large on which tensor, the same by seed, and gone without a trace."""

import math
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoConfig

from ripeness.measure.perturbation import (
    CUT_AT_3,
    copies_of,
    draw_noise,
    initial_stds,
    replaced,
    rounded,
    rounding,
    stds_of,
    weights_of,
    with_noise,
)
from ripeness.runtime.errors import UserError

NORM, MATRIX = "model.norm.weight", "model.layers.1.mlp.down_proj.weight"
EMBEDDING = "model.embed_tokens.weight"


@pytest.fixture(scope="module")
def tied(tiny_model):
    return tiny_model("llama", tie_word_embeddings=True)


def bits_of(model):
    """Every tensor of a model as bytes, -0.0 and 0.0 apart."""
    return {
        name: tensor.contiguous().view(torch.uint8).numpy().tobytes() for name, tensor in model.state_dict().items()
    }


def relative(weights):
    return stds_of("relative", weights, None, None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("is_tied", [True, False])
def test_weights_are_afterwards_what_they_were_bit_by_bit(tiny_model, dtype, is_tied):
    model = tiny_model("llama", tie_word_embeddings=is_tied).to(dtype)
    weights = weights_of(model)
    weights[MATRIX][0, 0] = -0.0
    before, originals = bits_of(model), copies_of(weights)
    changes = [with_noise(draw_noise(weights, 1), relative(originals), scale) for scale in (0.01, 3.0)]
    for change in [*changes, rounding(model, 4)]:
        with replaced(weights, originals, change):
            assert bits_of(model) != before
        assert bits_of(model) == before
    with pytest.raises(ZeroDivisionError), replaced(weights, originals, changes[1]):
        raise ZeroDivisionError
    assert bits_of(model) == before


def test_tied_weights_are_perturbed_once(tied):
    weights = weights_of(tied)
    assert "lm_head.weight" not in weights
    originals = copies_of(weights)
    with replaced(weights, originals, with_noise(draw_noise(weights, 1), dict.fromkeys(weights, 1.0), 0.5)):
        assert tied.lm_head.weight is tied.model.embed_tokens.weight
        added = tied.lm_head.weight - originals[EMBEDDING]
    assert added.std().item() == pytest.approx(0.5, rel=0.03)


def test_noise_has_the_std_of_its_normalisation_on_every_tensor(tied):
    originals, config = copies_of(weights_of(tied)), tied.config
    noise = draw_noise(originals, 3)
    expected = {
        "absolute": lambda weight: 1.0,
        "relative": lambda weight: weight.norm().item() / math.sqrt(weight.numel()),
        "init": lambda weight: 0.15 if weight.ndim > 1 else 0.0,
    }
    for normalisation, std in expected.items():
        stds = stds_of(normalisation, originals, config, None)
        for name, weight in originals.items():
            added = with_noise(noise, stds, 0.1)(name, weight) - weight
            rms = added.square().mean().sqrt().item()
            assert rms == pytest.approx(0.1 * std(weight), rel=0.35 if weight.ndim < 2 else 0.05)


def test_the_std_at_step_0_is_measured_on_its_tensors_and_gains_have_none(tied, tiny_model, tmp_path):
    start = tiny_model("llama", tie_word_embeddings=True, seed=9, initializer_range=0.4)
    start.save_pretrained(tmp_path / "step0")
    state = {f"weight.{name}": weight for name, weight in weights_of(start).items()}
    save_file(state | {f"exp_avg.{name}": torch.zeros(3) for name in state}, tmp_path / "step0.safetensors")
    weights = weights_of(tied)
    for path in (tmp_path / "step0", tmp_path / "step0.safetensors"):
        stds = stds_of("init", weights, tied.config, path)
        assert stds.keys() == weights.keys()
        for name, weight in weights_of(start).items():
            assert stds[name] == pytest.approx(weight.std(correction=0).item(), rel=1e-6)
        assert stds[NORM] == 0.0 and stds[MATRIX] == pytest.approx(0.4, rel=0.1)


def test_tensors_of_step_0_may_have_names_that_only_transformers_knows(tiny_model, tmp_path):
    model = tiny_model("gpt2")
    model.transformer.save_pretrained(tmp_path)  # without the prefix "transformer."
    stds = stds_of("init", weights_of(model), model.config, tmp_path)
    name = "transformer.h.1.attn.c_attn.weight"
    assert stds[name] == pytest.approx(weights_of(model)[name].std(correction=0).item(), rel=1e-6)


def test_step_0_of_another_model_is_refused(tied, tmp_path):
    save_file({"weight.other": torch.zeros(3)}, tmp_path / "step0.safetensors")
    with pytest.raises(UserError, match=r"has no tensor lm_head|has no tensor model.*\nhint: "):
        stds_of("init", weights_of(tied), tied.config, tmp_path / "step0.safetensors")


@pytest.mark.parametrize("architecture", ["llama", "olmo2", "qwen2"])
def test_the_std_of_the_config_is_that_of_a_new_model(tiny_model, architecture):
    model = tiny_model(architecture)
    stds = initial_stds(model.config, weights_of(model))
    for name, weight in weights_of(model).items():
        assert stds[name] == pytest.approx(weight.std(correction=0).item(), rel=0.1)


def test_the_first_olmo_begins_as_its_code_says_and_not_as_its_config_says(tiny_model):
    model = tiny_model("olmo", hidden_size=32, intermediate_size=48)
    stds = initial_stds(model.config, weights_of(model))
    assert stds[EMBEDDING] == stds["model.layers.1.self_attn.q_proj.weight"] == CUT_AT_3 / math.sqrt(32)
    assert stds["model.layers.1.mlp.up_proj.weight"] == CUT_AT_3 / math.sqrt(32)
    assert stds["model.layers.1.self_attn.o_proj.weight"] == CUT_AT_3 / math.sqrt(2 * 32 * 2)
    assert stds[MATRIX] == CUT_AT_3 / math.sqrt(2 * 48 * 2)
    drawn = torch.empty(10**6)
    torch.nn.init.trunc_normal_(drawn, std=1.0, a=-3.0, b=3.0, generator=torch.Generator().manual_seed(0))
    assert drawn.std().item() == pytest.approx(CUT_AT_3, abs=0.002)


def test_the_number_is_found_by_its_other_name(tiny_model):
    config, weights = AutoConfig.for_model("opt", init_std=0.03), weights_of(tiny_model("opt"))
    assert initial_stds(config, weights)["model.decoder.layers.0.fc1.weight"] == 0.03


def test_a_config_that_says_nothing_of_its_initialisation_is_refused(tied):
    config = AutoConfig.for_model("llama")
    silent = SimpleNamespace(get_text_config=lambda **_: SimpleNamespace(model_type=config.model_type))
    with pytest.raises(UserError, match=r"does not specify its initialisation.*\nhint: .*step 0"):
        initial_stds(silent, weights_of(tied))


def test_the_same_seed_is_the_same_noise_at_every_checkpoint_and_scale(tied, tiny_model):
    later = weights_of(tiny_model("llama", tie_word_embeddings=True, seed=4, num_hidden_layers=3))
    weights = weights_of(tied)
    one, again, other, longer = (draw_noise(w, s) for w, s in ((weights, 1), (weights, 1), (weights, 2), (later, 1)))
    for name in weights:
        assert torch.equal(one[name], again[name]) and torch.equal(one[name], longer[name])
        assert not torch.equal(one[name], other[name])
    first, second = (one[f"model.layers.{n}.mlp.down_proj.weight"] for n in (0, 1))
    assert not torch.equal(first, second)
    everything = torch.cat([values.flatten() for values in one.values()])
    assert everything.mean().item() == pytest.approx(0, abs=0.03) and everything.std().item() == pytest.approx(1, 0.02)
    zeros = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    changes = [with_noise(one, dict.fromkeys(weights, 1.0), scale) for scale in (0.25, 1.0)]
    assert torch.equal(changes[0](MATRIX, zeros[MATRIX]) * 4, changes[1](MATRIX, zeros[MATRIX]))


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_rounding_takes_the_nearest_of_symmetric_levels_by_output_channel(bits):
    matrix = torch.randn(6, 500, generator=torch.Generator().manual_seed(1)) * torch.arange(6)[:, None]
    found, top = rounded(matrix, bits), 2 ** (bits - 1) - 1
    assert torch.equal(found[0], torch.zeros(500))
    for before, after in zip(matrix[1:], found[1:], strict=True):
        step = before.abs().max() / top
        levels = torch.round(after / step)
        assert torch.allclose(after, levels * step) and levels.abs().max() == top
        assert len(levels.unique()) <= 2**bits - 1
        assert (after - before).abs().max() <= step / 2 * 1.0001
    assert torch.equal(rounded(rounded(matrix, bits), bits), found)


def test_matrices_are_rounded_and_vectors_stay(tied, tiny_model):
    change, weights = rounding(tied, 4), weights_of(tied)
    assert change(NORM, weights[NORM]) is weights[NORM]
    assert all(len(row.unique()) <= 15 for row in change(MATRIX, weights[MATRIX]))
    model = tiny_model("gpt2")  # whose layers hold their inputs first
    name = "transformer.h.0.mlp.c_fc.weight"
    found = rounding(model, 4)(name, weights_of(model)[name])
    assert all(len(channel.unique()) <= 15 for channel in found.T) and len(found.unique()) > 15 * 15

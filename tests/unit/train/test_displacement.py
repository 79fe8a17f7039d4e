"""How far tuning has moved a model, against the norm computed from two whole models."""

import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from ripeness.models.load import load_model
from ripeness.train import displacement as module
from ripeness.train.displacement import displacement


def moved_apart(model, other):
    """Norm of the difference of two models, and of the other one, over the weights as one long vector."""
    a, b = (torch.nn.utils.parameters_to_vector(m.parameters()).double() for m in (model, other))
    return (a - b).norm().item(), b.norm().item()


def shaken(folder, scale=0.01):
    model = load_model(folder)
    torch.manual_seed(3)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(scale * torch.randn_like(weight))
    return model


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "olmo2"])
@pytest.mark.parametrize("is_tied", [True, False])
def test_the_norm_is_that_of_the_difference_of_all_weights_tied_ones_once(tiny_model, tmp_path, architecture, is_tied):
    start = tiny_model(architecture, tie_word_embeddings=is_tied)
    start.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    model = shaken(tmp_path)
    far, size = moved_apart(model, start)
    assert displacement(model, tmp_path) == pytest.approx((far, far / size), rel=1e-6)
    assert displacement(start, tmp_path) == (0.0, 0.0)


def test_weights_put_together_from_processes_are_measured_in_the_models_place(tiny_model, tmp_path):
    start = tiny_model("llama", tie_word_embeddings=True)
    start.save_pretrained(tmp_path)
    model = shaken(tmp_path)
    whole = {name: weight.clone() for name, weight in model.state_dict().items() if name != "lm_head.weight"}
    assert displacement(start, tmp_path, whole) == pytest.approx(displacement(model, tmp_path))


def test_files_may_leave_out_the_models_prefix_and_hold_half_precision(tiny_model, tmp_path):
    tiny_model("gpt2").save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    short = {name.removeprefix("transformer."): tensor.half() for name, tensor in load_file(file).items()}
    save_file(short, file, metadata={"format": "pt"})
    start, model = load_model(tmp_path), shaken(tmp_path)
    far, size = moved_apart(model, start)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_model", lambda *_, **__: pytest.fail("a second model was loaded"))
        assert displacement(model, tmp_path) == pytest.approx((far, far / size), rel=1e-6)


def test_weights_that_transformers_makes_of_several_tensors_are_compared_as_loaded(tiny_model, tmp_path):
    start = tiny_model("mixtral", num_local_experts=4)
    start.save_pretrained(tmp_path)
    names = set(load_file(tmp_path / "model.safetensors"))
    assert not names >= {name for name, _ in start.named_parameters()}  # experts lie apart in the file
    model = shaken(tmp_path)
    far, size = moved_apart(model, start)
    assert displacement(model, tmp_path) == pytest.approx((far, far / size), rel=1e-6)


def test_weights_that_are_no_numbers_have_no_distance(tiny_model, tmp_path):
    model = tiny_model("llama")
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = math.nan
    assert displacement(model, tmp_path) == (None, None)


def test_a_large_tensor_is_compared_block_by_block(tiny_model, tmp_path, monkeypatch):
    model = tiny_model("llama")
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight))
    whole = displacement(model, tmp_path)
    monkeypatch.setattr(module, "BLOCK", 7)
    assert displacement(model, tmp_path) == pytest.approx(whole, rel=1e-12)

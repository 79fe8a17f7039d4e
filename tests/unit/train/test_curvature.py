"""Curvature along a displacement: against a known function, and against autograd's Hessian on a tiny model."""

import math

import polars as pl
import pytest
import torch
from torch.nn.functional import cross_entropy

from ripeness.models.load import load_model
from ripeness.train.curvature import along_displacement, derivatives

PASSAGES = ["the dog ran far away", "a cat sat on the mat and", "the film was long and bad"]


@pytest.mark.parametrize("scale", [1e-4, 1.0, 30.0])  # of a short way, a usual one, and one far beyond the second order
def test_derivatives_of_a_known_function_over_ways_of_any_length(scale):
    slope, bend = derivatives(lambda x: 3 + 0.2 * math.sin(scale * x) + 0.5 * math.sin(scale * x) ** 2)
    assert slope == pytest.approx(0.2 * scale, rel=1e-3)
    assert bend == pytest.approx(scale**2, rel=1e-3)


def hessian_along(model, tokenizer, directions):
    """Loss (nats a token), u' grad and u' H u, by autograd twice, one passage at a time, in double precision."""
    model = model.double()
    model.set_attn_implementation("eager")  # the others have no second derivative
    texts = [[0, *tokenizer(text)["input_ids"]] for text in PASSAGES]
    weights = list(model.parameters())
    losses = [
        cross_entropy(model(torch.tensor([text])).logits[0, :-1], torch.tensor(text[1:]), reduction="sum")
        for text in texts
    ]
    loss = sum(losses) / sum(len(text) - 1 for text in texts)
    gradients = torch.autograd.grad(loss, weights, create_graph=True)
    slope = sum((g * u).sum() for g, u in zip(gradients, directions, strict=True))
    products = torch.autograd.grad(slope, weights)
    bend = sum((h * u).sum() for h, u in zip(products, directions, strict=True))
    return loss.item(), slope.item(), bend.item()


@pytest.mark.parametrize("scale", [1e-4, 1e-2])
def test_the_curvature_is_that_of_the_hessian_and_the_weights_are_as_before(tiny_model, tokenizer, tmp_path, scale):
    tiny_model("llama", tie_word_embeddings=True).save_pretrained(tmp_path)
    pl.DataFrame({"item": ["a", "b", "c"], "text": PASSAGES}).write_parquet(tmp_path / "text.parquet")
    start, tuned = load_model(tmp_path), load_model(tmp_path)
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in tuned.parameters():
            weight.add_(scale * torch.randn_like(weight))
    before = [weight.detach().clone() for weight in tuned.parameters()]
    found = along_displacement(tuned, tokenizer, tmp_path, tmp_path / "text.parquet")
    assert all(torch.equal(a, b) for a, b in zip(tuned.parameters(), before, strict=True))
    ways = [(b.double() - a.double()).detach() for a, b in zip(start.parameters(), before, strict=True)]
    loss, slope, bend = hessian_along(start, tokenizer, ways)
    after, *_ = hessian_along(tuned, tokenizer, ways)
    assert found["curvature"] == pytest.approx(bend / sum(u.square().sum().item() for u in ways), rel=0.02)
    losses = found["text_losses"]
    assert losses["bend"] == pytest.approx(bend, rel=0.02)
    assert losses["slope"] == pytest.approx(slope, rel=0.02)
    assert (losses["checkpoint"], losses["tuned"]) == pytest.approx((loss, after), abs=1e-5)
    assert losses["increase"] == pytest.approx(after - loss, abs=1e-5)
    assert (losses["n_items"], losses["n_tokens"]) == (3, sum(len(tokenizer(text)["input_ids"]) for text in PASSAGES))
    assert losses["se"] > 0


def test_a_model_that_has_not_moved_has_no_curvature(tiny_model, tokenizer, tmp_path):
    tiny_model("llama").save_pretrained(tmp_path)
    pl.DataFrame({"item": ["a", "b"], "text": PASSAGES[:2]}).write_parquet(tmp_path / "text.parquet")
    found = along_displacement(load_model(tmp_path), tokenizer, tmp_path, tmp_path / "text.parquet")
    assert found["curvature"] is None
    assert found["text_losses"]["increase"] == 0.0

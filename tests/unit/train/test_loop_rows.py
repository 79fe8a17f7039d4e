"""Rows of a batch: padded, packed, halved or read once, they train the same model."""

from dataclasses import replace

import pytest
import torch
from small_memory import small_memory
from tuned_by_loop import SETTINGS, example, same_weights, tune

from ripeness.models.batching import IGNORED, padded, rows_of, shared_tokens
from ripeness.models.forward.packing import packs_exactly
from ripeness.runtime.errors import UserError
from ripeness.train.loop import train
from ripeness.train.reading import may_share


def test_padding_does_not_change_the_loss(tiny_model, encoded):
    pads = [tune(tiny_model, encoded, epochs=1)[0]]
    model = tiny_model("llama")
    pads.append(train(model, encoded, replace(SETTINGS, epochs=1), pad=17)[0])
    assert pads[0] == pytest.approx(pads[1], abs=1e-6)


def test_batches_are_padded_on_the_right_where_nothing_is_learned(encoded):
    tokens, targets = padded(encoded[:4], pad=17)
    assert tokens.shape == targets.shape == (4, max(len(e.tokens) for e in encoded[:4]))
    for row, one in enumerate(encoded[:4]):
        n = len(one.tokens)
        assert tokens[row].tolist() == one.tokens + [17] * (tokens.shape[1] - n)
        assert targets[row].tolist() == one.targets + [IGNORED] * (tokens.shape[1] - n)


def test_rows_are_halved_until_they_fit_into_memory(tiny_model, encoded, caplog):
    expected = tune(tiny_model, encoded)
    model, most = tiny_model("llama"), 40
    with small_memory(model, lambda: most):
        outcome = train(model, encoded, SETTINGS, pad=0)
        assert (outcome.status, outcome.row_tokens <= most) == ("done", True)
        assert outcome.losses == pytest.approx(expected[0], abs=1e-5)
        assert "out of memory: from now on at most" in caplog.text
        most = 3
        with pytest.raises(UserError, match=r"no memory for one example of \d+ tokens\nhint: "):
            train(model, encoded, SETTINGS, pad=0)


def test_half_precision_trains_with_weights_in_single_precision(tiny_model, encoded):
    single, half = tune(tiny_model, encoded), tune(tiny_model, encoded, precision="bf16")
    assert {weight.dtype for weight in half[2].parameters()} == {torch.float32}
    assert half[0] != single[0]
    assert half[0] == pytest.approx(single[0], abs=0.05)


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox", "olmo2", "qwen2"])
@pytest.mark.parametrize("row_tokens", [1, 20, 35, 10_000])
def test_rows_of_any_size_give_the_same_model_up_to_rounding(tiny_model, encoded, architecture, row_tokens):
    expected = tune(tiny_model, encoded, architecture)
    model = tiny_model(architecture)
    losses, *_ = train(model, encoded, SETTINGS, pad=0, row_tokens=row_tokens)
    assert losses == pytest.approx(expected[0], abs=1e-5)
    # not the weights themselves: biases of keys have no true gradient, and Adam makes a step of its rounding errors
    tokens = torch.tensor([encoded[1].tokens], device=model.device)
    assert torch.allclose(model(tokens).logits, expected[2](tokens).logits, atol=1e-3)


def test_a_model_that_cannot_pack_is_tuned_with_padding(tiny_model, encoded, monkeypatch):
    packed = tune(tiny_model, encoded)
    monkeypatch.setattr("ripeness.models.forward.packing.reach", lambda model: 0)
    losses, *_ = train(tiny_model(), encoded, SETTINGS, pad=0)
    assert losses == pytest.approx(packed[0], abs=1e-5)


def test_windows_that_hold_every_example_hide_nothing_and_shorter_ones_do(tiny_model, encoded):
    longest, expected = max(len(example.tokens) for example in encoded), tune(tiny_model, encoded)[0]
    losses = {}
    for window in (longest, longest // 2):
        model = tiny_model("mistral", sliding_window=window)  # the weights and layers of a Llama
        assert packs_exactly(model, longest) == (window == longest)
        losses[window] = train(model, encoded, SETTINGS, pad=0).losses
    assert losses[longest] == pytest.approx(expected, abs=1e-5) != losses[longest // 2]


@pytest.mark.parametrize("row_tokens", [1, 20, 35, 10_000])
def test_rows_hold_every_example_once_and_keep_to_their_size(encoded, row_tokens):
    rows = rows_of(encoded, row_tokens)
    assert sorted(example.tokens for row in rows for example in row) == sorted(example.tokens for example in encoded)
    assert all(len(row) == 1 or sum(len(example.tokens) for example in row) <= row_tokens for row in rows)


@pytest.mark.parametrize(
    ("row", "n_shared"),
    [
        ([([1, 2, 3, 4, 5], 4), ([1, 2, 3, 9, 5, 6], 5)], 3),
        ([([1, 2, 3, 4, 5], 3), ([1, 2, 3, 9, 5, 6], 5)], 2),  # the last token of a prompt predicts
        ([([1, 2, 3, 4, 5], 1), ([1, 2, 3, 9, 5, 6], 5)], 0),  # as in running text
        ([([1, 2, 3], 2), ([1, 2, 3], 2)], 1),  # the same twice
        ([([7, 2, 3, 4], 3), ([1, 2, 3, 9, 5, 6], 5)], 0),
        ([([1, 2, 3, 4, 5], 4)], 0),
        ([([1, *range(100, 200)], 90), ([1, *range(200, 300)], 90)], 0),  # not worth it
    ],
)
def test_of_what_all_prompts_begin_with_nothing_is_predicted(row, n_shared):
    assert shared_tokens([example(*each) for each in row], width=1024) == n_shared
    assert shared_tokens([example(*each) for each in row], width=64) == 0


def test_a_beginning_that_is_read_once_trains_the_same_model(tiny_model, encoded, monkeypatch):
    other_losses, _, other = tune(tiny_model, encoded)
    monkeypatch.setattr("ripeness.models.batching.WORTH", 0)
    assert shared_tokens(encoded, width=64) > 2
    losses, _, model = tune(tiny_model, encoded)
    assert losses == pytest.approx(other_losses, abs=1e-5) and not same_weights(model, other)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_what_is_dropped_by_chance_is_not_shared(tiny_model):
    assert may_share(tiny_model("llama")) and not may_share(tiny_model("gpt2"))
    model = tiny_model("llama")
    model.config.attention_dropout = 0.1
    assert not may_share(model)

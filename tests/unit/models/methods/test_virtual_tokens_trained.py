"""Virtual tokens are trained as text before every example would be: packed, shared, killed and resumed."""

import pytest
import torch
from killed import killed_after
from small_kinds import settings_of
from virtual_tokens import REAL, ROWS, learned, logits, readings

from ripeness.models.batching import encode_examples
from ripeness.models.forward.packing import (
    NARROW,
    WHOLE,
    separately,
    ways_to_pack,
)
from ripeness.models.load import autocast
from ripeness.models.methods.register import attach
from ripeness.train import reading
from ripeness.train.loop import train
from ripeness.train.resume import Progress


@pytest.mark.parametrize("kind", REAL)
def test_losses_and_gradients_of_packed_rows_are_those_of_padded_ones(tiny_model, encoded, kind, monkeypatch):
    packed = train(tiny_model("llama"), encoded, settings_of(kind), pad=0)
    narrow = train(tiny_model("llama", hidden_size=64), encoded, settings_of(kind), pad=0, row_tokens=30)
    monkeypatch.setattr("ripeness.train.loop.packing", unpacked)
    padded = train(tiny_model("llama"), encoded, settings_of(kind), pad=0)
    assert packed.losses == pytest.approx(padded.losses, abs=1e-4)
    padded = train(tiny_model("llama", hidden_size=64), encoded, settings_of(kind), pad=0)
    assert narrow.losses == pytest.approx(padded.losses, abs=1e-4)


def unpacked(model, longest):
    """Read each example as transformers does."""
    import contextlib

    return contextlib.nullcontext(False)


@pytest.mark.parametrize("kind", REAL)
def test_a_common_beginning_is_read_once_with_the_gradients_of_all(tiny_model, tokenizer, kind, monkeypatch):
    rows = [(item, "the film was good bad long short a dog cat sat on mat " * 2 + p, t) for item, p, t in ROWS]
    encoded, losses, shared = encode_examples(rows, tokenizer, max_length=60), [], []
    logits_of = reading.packed_logits
    monkeypatch.setattr(
        reading, "packed_logits", lambda *args, **kw: (shared.append(args[3]), logits_of(*args, **kw))[1]
    )
    for worth in (0, 10**9):  # always, never
        monkeypatch.setattr("ripeness.models.batching.WORTH", worth)
        losses.append(train(tiny_model("llama"), encoded, settings_of(kind), pad=0).losses)
    assert min(shared[: len(shared) // 2]) > 10 and max(shared[len(shared) // 2 :]) == 0
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_half_precision_reads_nearly_the_same(tiny_model, tokenizer, encoded, name):
    model = learned(tiny_model("llama"), name)
    full = readings(model, tokenizer)
    with autocast(model.device, "bf16"):
        half = readings(model, tokenizer)
    flat = [[score for row in found[0] for score in row] + found[2] for found in (full, half)]
    assert flat[1] == pytest.approx(flat[0], rel=0.05) and flat[1] != flat[0]
    outcome = train(tiny_model("llama"), encoded, settings_of(name, precision="bf16", epochs=4), pad=0)
    assert outcome.status == "done" and outcome.losses[-1] < outcome.losses[0] - 0.1
    assert all(tensor.dtype == torch.float32 for tensor in outcome.state.values())


@pytest.mark.parametrize("after", [1, 4])
def test_a_training_that_is_killed_goes_on_to_the_same_state(tiny_model, encoded, tmp_path, name, after):
    expected, settings = tiny_model("llama"), settings_of(name)
    outcome = train(expected, encoded, settings, pad=0)
    progress = Progress(tmp_path / "state", "mine", 0)

    with killed_after(after):
        train(tiny_model("llama"), encoded, settings, pad=0, progress=progress)
    torch.manual_seed(99)
    model = tiny_model("llama")
    again = train(model, encoded, settings, pad=0, progress=progress)
    assert again[:3] == outcome[:3]
    assert all(torch.equal(again.state[key], outcome.state[key]) for key in outcome.state)
    assert torch.equal(logits(model), logits(expected))


def test_a_rate_that_is_far_too_high_diverges_as_a_result(tiny_model, encoded):
    outcome = train(tiny_model("llama"), encoded, settings_of("prefix", learning_rate=1e30, clip=1e30), pad=0)
    assert outcome.status == "diverged"


def test_how_a_model_is_read_is_tried_again_with_what_was_learned(tiny_model, monkeypatch):
    model, tried = tiny_model("llama"), []
    attached = attach(model, settings_of("prefix"))
    monkeypatch.setattr("ripeness.models.forward.packing.separately", lambda one: (tried.append(1), separately(one))[1])
    assert ways_to_pack(model) == (WHOLE, NARROW) and not tried
    attached.merge()
    assert ways_to_pack(model) == ways_to_pack(model) == (WHOLE, NARROW) and tried == [1]
    attached.remove()
    assert ways_to_pack(model) == (WHOLE, NARROW) and tried == [1, 1]

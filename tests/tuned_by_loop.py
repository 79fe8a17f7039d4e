"""Ten examples and a function that tunes a tiny model on them, for the tests of the training loop."""

from dataclasses import replace

import pytest
import torch
from film_rows import film_rows

from ripeness.models.batching import IGNORED, Example, encode_examples
from ripeness.study.methods.full import FullSettings
from ripeness.train.loop import train

SETTINGS = FullSettings(
    kind="full",
    learning_rate=3e-3,
    epochs=2,
    batch_size=4,
    schedule="linear",
    warmup_ratio=0.3,
    weight_decay=0.1,
    clip=1.0,
    precision="fp32",
    seed=1,
)

ROWS = film_rows(10)


@pytest.fixture(scope="module")
def encoded(tokenizer):
    return encode_examples(ROWS, tokenizer, max_length=64)


def tune(tiny_model, encoded, architecture="llama", **changes):
    """Tune a fresh model; the same model every time."""
    model = tiny_model(architecture)
    losses, status, *_ = train(model, encoded, replace(SETTINGS, **changes), pad=0)
    return losses, status, model


def same_weights(model, other):
    return all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def example(tokens, n_prompt):
    return Example(tokens, [IGNORED] * n_prompt + tokens[n_prompt:])

"""The record of a training: what it was asked, what it read, and the loss of every step."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from ripeness.models.load import resolve_precision
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import MethodSettings, TrainingSettings
from ripeness.train.loop import Outcome, batches
from ripeness.train.modifiers.replay import Replay
from ripeness.train.reading import Unit


def record_of(
    settings: TrainingSettings,
    outcome: Outcome,
    examples: Sequence[Unit],
    replay: Replay | None,
    device: torch.device,
) -> dict[str, Any]:
    """Return the record of a training: settings, status, what was read, and the loss of every step."""
    planned = batches(examples, settings)
    read = [example for batch in planned for example in batch]
    seen = [example for batch in planned[: len(outcome.losses)] for example in batch]  # fewer where it diverged
    text = replay.pieces_for(0, len(seen)) if replay else []
    record = {
        "settings": given(settings),
        "status": outcome.status,
        "precision": resolve_precision(settings.precision, device),  # of the forward pass; weights are fp32
        "n_examples": len(examples),
        "n_tokens": sum(len(example.tokens) for example in read),
        "tokens_seen": sum(len(example.tokens) for example in seen) + sum(len(piece) for piece in text),
        "trainable_parameters": outcome.n_trained,
        "row_tokens": outcome.row_tokens,  # at most so many were read at once
        "n_truncated": 0,  # an example that does not fit is refused
        "losses": [loss if math.isfinite(loss) else None for loss in outcome.losses],  # JSON has no word for NaN
    }
    replayed = {"n_replayed": replay.count(len(read))} if replay else {}
    return record | replayed | KINDS[settings.kind].remarks(settings)


def record_without_steps(settings: MethodSettings, reason: str) -> dict[str, Any]:
    """Return the record of a training that takes no step, since a model that it needs diverged."""
    return {
        "settings": given(settings),
        "status": "diverged",
        "reason": reason,
        "precision": None,
        "n_examples": 0,
        "n_tokens": 0,
        "tokens_seen": 0,
        "n_truncated": 0,
        "losses": [None],
    }


def given(settings: Any) -> dict[str, Any]:
    """Return the settings that have a value."""
    return {key: value for key, value in asdict(settings).items() if value is not None}

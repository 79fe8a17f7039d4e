"""Fit a linear map to the states of a model at its items, which are read once; the model stays as it is."""

from dataclasses import asdict
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel

from ripeness.models.forward.last_states import last_states
from ripeness.models.load import autocast, resolve_precision
from ripeness.models.methods.attached import Fitted, LabelledStates, State
from ripeness.models.methods.register import attach
from ripeness.study.methods.settings import MethodSettings

BATCH_TOKENS = 4096  # padded tokens in one batch


class Questions(NamedTuple):
    """Items as tokens: the context of each, and the place of its right label."""

    contexts: list[list[int]]
    golds: list[int]


def fit(
    model: PreTrainedModel, train: Questions, validation: Questions, settings: MethodSettings
) -> tuple[State | None, dict[str, Any]]:
    """Fit what the settings name; return its state and its record.

    States that are not finite are a result: the status is then "diverged", as that of a training.
    """
    attached = attach(model, settings)
    if not isinstance(attached, Fitted):
        raise TypeError(f"{settings.kind} is trained by steps")
    items, held = (read(model, questions, settings) for questions in (train, validation))
    record: dict[str, Any] = {"status": "diverged", "steps": 0, "losses": []}
    if items.states.isfinite().all() and held.states.isfinite().all():
        found = attached.fit(items, held)
        record |= {"status": "done", "loss": found.loss} | found.remarks
    state = attached.state()
    n_tokens = sum(map(len, [*train.contexts, *validation.contexts]))
    settings_given = {key: value for key, value in asdict(settings).items() if value is not None}
    attached.merge()
    return state, {"settings": settings_given} | record | {
        "precision": resolve_precision(settings.precision, model.device),  # of the forward pass
        "n_examples": len(train.contexts),
        "n_tokens": n_tokens,
        "tokens_seen": n_tokens,
        "trainable_parameters": sum(tensor.numel() for tensor in (state or {}).values()),
        "n_truncated": 0,  # an item that does not fit is refused
    }


def read(model: PreTrainedModel, questions: Questions, settings: MethodSettings) -> LabelledStates:
    """Read the states before the answers."""
    with autocast(model.device, resolve_precision(settings.precision, model.device)):
        states = last_states(model, questions.contexts, batch_tokens=BATCH_TOKENS)
    return LabelledStates(states, torch.tensor(questions.golds))

"""Tune a model on prompts and answers: one screen, no trainer class.

AdamW, a rate by schedule after a linear warm-up, gradient clipping; the order of units depends on the seed alone. A
batch is read in rows of at most `row_tokens` tokens (see models/row_tokens.py), whose gradients add up to that of the
batch. The rows are halved when the GPU runs out of memory. Losses are those of the objective: text that is replayed,
the pull towards the start, and the penalty of a kind change the gradient only. A training that resumes reaches the very
weights that it would have reached without the interruption. Divergence is a result: a loss that is not finite, or that
the objective calls diverged, ends the training. A model that can no longer learn at its end has diverged too. A model
that is sharded over processes is trained by all of them, each on its share of every batch.
"""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from ripeness.models.batching import of_text
from ripeness.models.context_limits import text_config
from ripeness.models.forward.packing import packing
from ripeness.models.forward.recomputed import recomputed
from ripeness.models.methods.attached import Attached, State
from ripeness.models.methods.register import attach
from ripeness.models.pictures import Pictures, show
from ripeness.models.row_tokens import row_tokens as tokens_in_rows
from ripeness.study.methods.settings import TrainingSettings
from ripeness.train.backward import backward
from ripeness.train.modifiers.l2sp import clip_gradient, starting_point
from ripeness.train.modifiers.replay import PIECE_TOKENS, Replay
from ripeness.train.objectives.objective import ANSWERS, Objective
from ripeness.train.reading import Reading, Room, SomeUnit, Unit
from ripeness.train.resume import Progress


class Steps(NamedTuple):
    """What the steps of a training are made of; `start` has the weights that the model is pulled to, if any."""

    batches: list[list[Unit]]
    attached: Attached
    objective: Objective[Any]
    progress: Progress | None
    replay: Replay | None
    start: list[torch.Tensor]


class Outcome(NamedTuple):
    """What became of a training: the loss of every step (nats per answer token), "done" or "diverged", how many tokens
    were read at once at its end, the tuned state of a kind that has a smaller one than all weights, how many numbers
    were trained, and what was learned in addition to the model's weights and this state."""

    losses: list[float]
    status: str
    row_tokens: int
    state: State | None = None
    n_trained: int = 0
    learned: State | None = None


def train(
    model: PreTrainedModel,
    units: Sequence[Unit],
    settings: TrainingSettings,
    *,
    pad: int,
    row_tokens: int | None = None,
    progress: Progress | None = None,
    replay: Replay | None = None,
    others: Sequence[State] = (),
    objective: Objective[Any] = ANSWERS,
    pictures: Pictures | None = None,
) -> Outcome:
    """Tune `model` in place on units: examples, or what another objective than the loss of answers is made of.

    With `progress` the state is saved now and then, and a training that was interrupted resumes from there.
    `others` are the tuned states of other trainings, for a kind that is made of them. `pictures` are those that tokens
    of examples stand for; a projector that the model has is trained too.
    """
    torch.manual_seed(settings.seed)  # for dropout, where a model has any, and for where adapters start
    start = starting_point(model, settings)
    attached = attach(model, settings)
    show(model, pictures)
    if others:
        attached.start_from(others)
    planned = batches(units, settings)
    objective.attach(model, len(planned))
    n_trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    steps = Steps(planned, attached, objective, progress, replay, start)
    row_tokens = row_tokens or tokens_in_rows(model, is_trained=True)
    outcome = take_steps(model, steps, settings, pad=pad, row_tokens=row_tokens)
    learned = objective.merge(model)
    state = attached.state()
    attached.merge()
    return outcome._replace(state=state, n_trained=n_trained, learned=learned)


def take_steps(
    model: PreTrainedModel, steps: Steps, settings: TrainingSettings, *, pad: int, row_tokens: int
) -> Outcome:
    """Take all steps of a training."""
    planned, attached, objective, progress, replay, start = steps
    longest = max(PIECE_TOKENS if replay else 0, objective.longest(planned))
    n_words, n_read, norm = text_config(model.config).vocab_size, 0, torch.tensor(1.0)
    attached.begin(len(planned))
    optimizer, weights = make_optimizer(model, settings), list(model.parameters())
    saving = recomputed(model) if settings.gradient_checkpointing else nullcontext()
    with packing(model, longest) as is_packed, saving:
        room = Room(Reading(model, pad, is_packed, settings.precision), row_tokens)
        objective.begin(planned, room)
        losses = progress.restore(model, optimizer) if progress else []
        model.train()
        for step, batch in enumerate(planned):
            n_before, n_read = n_read, n_read + len(batch)
            if step < len(losses):
                continue
            attached.before_step(step)
            set_rate(optimizer, settings.learning_rate * rate_at(step, len(planned), settings))
            text = [of_text(tokens) for tokens in replay.pieces_for(n_before, n_read)] if replay else []
            drawn = objective.before_step(step, batch, room)
            compute = partial(backward, batch=drawn, text=text, objective=objective)
            losses.append(room.read(compute, [*drawn, *text]))
            if not math.isfinite(losses[-1]) or objective.has_diverged(losses, n_words):
                return Outcome(losses, "diverged", room.row_tokens)
            if (penalty := attached.penalty()) is not None:
                penalty.backward()
            norm = whole_tensor(clip_gradient(weights, start, settings))
            optimizer.step()
            attached.after_step(step + 1)
            optimizer.zero_grad(set_to_none=True)
            if progress:
                progress.save(model, optimizer, losses)
        is_done = has_numbers(model) and not objective.is_lost(norm, losses[-1])
        if is_done:
            objective.end(room)
    model.eval()
    return Outcome(losses, "done" if is_done else "diverged", room.row_tokens)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all weights."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def make_optimizer(model: PreTrainedModel, settings: TrainingSettings) -> torch.optim.AdamW:
    """AdamW that decays matrices only, not biases nor the weights of norms, as `Trainer` of transformers does."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.999), eps=1e-8, fused=True)


def has_numbers(model: PreTrainedModel) -> bool:
    """Tell whether all weights are numbers."""
    return bool(whole_tensor(torch.nn.utils.get_total_norm(list(model.parameters()))).isfinite())


def whole_tensor(value: torch.Tensor) -> torch.Tensor:
    """Return a value of a sharded model as each process sees it whole; any other as it is."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def batches(units: Sequence[SomeUnit], settings: TrainingSettings) -> list[list[SomeUnit]]:
    """All batches of all epochs, or as many as there are steps; each epoch in a new order drawn from the seed."""
    generator = torch.Generator().manual_seed(settings.seed)
    result = []
    for _ in range(settings.epochs):
        order = torch.randperm(len(units), generator=generator).tolist()
        for start in range(0, len(order), settings.batch_size):
            result.append([units[i] for i in order[start : start + settings.batch_size]])
    return result[: settings.steps]


def rate_at(step: int, n_steps: int, settings: TrainingSettings) -> float:
    """Return the share of the peak rate at one step: linear warm-up from zero, then linear, cosine or no decay to zero.

    As `get_linear_schedule_with_warmup`, `get_cosine_schedule_with_warmup` and `get_constant_schedule_with_warmup` of
    transformers.
    """
    warmup = math.ceil(settings.warmup_ratio * n_steps)
    if step < warmup:
        return step / warmup
    if settings.schedule == "constant":
        return 1.0
    if settings.schedule == "cosine":
        return (1 + math.cos(math.pi * (step - warmup) / max(1, n_steps - warmup))) / 2
    return (n_steps - step) / max(1, n_steps - warmup)

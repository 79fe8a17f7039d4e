"""Tune all weights of a model on prompts and answers: one screen, no trainer class."""

import math
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.errors import UserError
from ripeness.models import contexts_of, encode_pairs, end_of_text

CHOICES = {"kind": ("full",), "schedule": ("linear", "constant")}
IGNORED = -100  # target of positions that the loss leaves out, as in torch and transformers


@dataclass(frozen=True)
class TrainingSettings:
    """How a model is tuned; config.schema.yaml explains the values."""

    kind: str
    learning_rate: float
    epochs: int
    batch_size: int
    schedule: str
    warmup_ratio: float
    weight_decay: float
    clip: float
    seed: int


def read_settings(values: dict[str, Any]) -> TrainingSettings:
    """Settings from a JSON object; UserError for a key that is unknown or missing, or a value that is not a choice."""
    known = [field.name for field in fields(TrainingSettings)]
    unknown, missing = sorted(values.keys() - set(known)), sorted(set(known) - values.keys())
    if unknown or missing:
        raise UserError(
            f"settings: unknown {unknown or 'none'}, missing {missing or 'none'}\nhint: the keys are {', '.join(known)}"
        )
    for key, choices in CHOICES.items():
        if values[key] not in choices:
            raise UserError(f"settings: unknown {key} {values[key]!r}\nhint: known are {', '.join(choices)}")
    return TrainingSettings(**values)


@dataclass(frozen=True)
class Example:
    """Tokens of one prompt with its answer; `targets` is IGNORED on the prompt."""

    tokens: list[int]
    targets: list[int]


def encode_examples(
    rows: list[tuple[str, str, str]], tokenizer: PreTrainedTokenizerBase, *, max_length: int
) -> list[Example]:
    """Tokenize (item, prompt, answer) rows; the answer ends with the end-of-text token.

    UserError for a row that does not fit: nothing is ever cut off in silence; and for no rows.
    """
    if not rows:
        raise UserError("there are no examples to train on\nhint: the file of training examples is empty")
    end = end_of_text(tokenizer)
    pairs = encode_pairs(tokenizer, [(prompt, answer) for _, prompt, answer in rows])
    contexts = contexts_of(tokenizer, [prompt for prompt, _ in pairs])
    examples = []
    for (item, _, _), context, (_, completion) in zip(rows, contexts, pairs, strict=True):
        tokens = [*context, *completion, end]
        if len(tokens) > max_length:
            raise UserError(
                f"item {item!r} has {len(tokens)} tokens with its answer, but the model reads {max_length}\n"
                "hint: leave long items out with `max_characters` in the task file or under `datasets` in the study"
            )
        examples.append(Example(tokens, [IGNORED] * len(context) + tokens[len(context) :]))
    return examples


def train(
    model: PreTrainedModel, examples: list[Example], settings: TrainingSettings, *, pad: int
) -> tuple[list[float], str]:
    """Tune `model` in place; return the loss of every step (nats per answer token) and "done" or "diverged".

    AdamW, linear or constant rate after a linear warm-up, gradient clipping; the order of examples is a function of
    the seed alone. Divergence is a result: a loss that is not finite, or above the first by twice that of guessing
    evenly, ends the training; a model that can no longer learn at its end has diverged too.
    """
    torch.manual_seed(settings.seed)  # for dropout, where a model has any
    n_steps = settings.epochs * math.ceil(len(examples) / settings.batch_size)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.999), weight_decay=settings.weight_decay
    )
    limit = 2 * math.log(model.config.vocab_size)
    losses: list[float] = []
    model.train()
    for step, batch in enumerate(batches(examples, settings)):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate_at(step, n_steps, settings)
        tokens, targets = (t.to(model.device) for t in padded(batch, pad=pad))  # (B, T) each
        # no attention mask: padding stands on the right, where causal attention does not look
        logits = model(input_ids=tokens, use_cache=False).logits
        # position t predicts token t+1; padding and prompts are IGNORED
        loss = cross_entropy(logits[:, :-1].flatten(0, 1), targets[:, 1:].flatten(), ignore_index=IGNORED)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]) or losses[-1] > limit + losses[0]:
            return losses, "diverged"
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()
    model.eval()
    return losses, "done" if is_alive(model, norm, losses[-1]) else "diverged"


def is_alive(model: PreTrainedModel, norm: torch.Tensor, loss: float) -> bool:
    """Whether all weights are numbers and the last gradient was not lost.

    Weights so large that activations overflow inside a normalisation make every logit zero: the loss stays that of
    guessing evenly, and the gradient (of norm `norm`) is exactly zero although there is much to learn.
    """
    finite = all(torch.isfinite(weights).all() for weights in model.parameters())
    return finite and not (norm == 0 and loss > 0)


def batches(examples: list[Example], settings: TrainingSettings) -> list[list[Example]]:
    """All batches of all epochs, each epoch in a new order drawn from the seed."""
    generator = torch.Generator().manual_seed(settings.seed)
    result = []
    for _ in range(settings.epochs):
        order = torch.randperm(len(examples), generator=generator).tolist()
        for start in range(0, len(order), settings.batch_size):
            result.append([examples[i] for i in order[start : start + settings.batch_size]])
    return result


def padded(batch: list[Example], *, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens and targets of a batch, (B, T) each, padded on the right to the longest example."""
    length = max(len(example.tokens) for example in batch)
    tokens = [example.tokens + [pad] * (length - len(example.tokens)) for example in batch]
    targets = [example.targets + [IGNORED] * (length - len(example.targets)) for example in batch]
    return torch.tensor(tokens), torch.tensor(targets)


def rate_at(step: int, n_steps: int, settings: TrainingSettings) -> float:
    """The share of the peak rate at one step: linear warm-up, then linear decay to zero or constant."""
    warmup = math.ceil(settings.warmup_ratio * n_steps)
    if step < warmup:
        return (step + 1) / warmup
    if settings.schedule == "constant":
        return 1.0
    return (n_steps - step) / max(1, n_steps - warmup)

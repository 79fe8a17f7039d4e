"""How the loss on pre-training text bends at a checkpoint along the way that tuning went, and what the way has cost.

With u the displacement, L the loss and H its Hessian at the checkpoint: curvature = u' H u / |u|^2. To second order the
way costs slope + curvature * |u|^2 / 2, where slope = u' grad L, which is small where pre-training has come to rest.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.models.forward.running_text import Passages, passage_losses, read_passages, read_rows
from ripeness.models.load import load_model
from ripeness.stats.finite import finite
from ripeness.stats.ratios import ratio_with_error
from ripeness.train.displacement import square_of_norm

# The step of the differences, as a part of the displacement, is such that the loss bends by a share of itself between
# these two: far above the rounding of single precision (1e-7), and small enough for what follows the second order.
LEAST_BEND, MOST_BEND = 1e-4, 1e-2
FIRST_STEP, SMALLEST_STEP, LARGEST_STEP = 2**-3, 2**-10, 2**6
BATCH_TOKENS = 4096  # padded tokens in one batch


def along_displacement(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, checkpoint: Path, text: Path
) -> dict[str, Any]:
    """Curvature on a text (passages, as predict reads them) from a checkpoint to a model tuned from it, and losses.

    `text_losses` (nats a token) has those of both, their difference with its error over passages, `slope` and `bend`
    (u' H u). Forward passes are in single precision. The model's weights are put back to the bit.
    """
    passages = read_passages(model, tokenizer, read_rows(text), batch_tokens=BATCH_TOKENS)
    start = [weight.detach().to(model.device) for weight in load_model(checkpoint, on_gpu=False).parameters()]
    weights = list(model.parameters())
    tuned = [weight.detach().clone() for weight in weights]
    squared = sum(square_of_norm(b - a) for a, b in zip(start, tuned, strict=True))

    @torch.no_grad()
    def losses_at(place: float) -> list[float]:
        for weight, a, b in zip(weights, start, tuned, strict=True):
            torch.lerp(a, b, place, out=weight.data)
        return passage_losses(model, passages)

    try:
        slope, bend = derivatives(lambda place: sum(losses_at(place)) / sum(passages.n_tokens))
        found = compared(losses_at(0.0), losses_at(1.0), passages) | {"slope": slope, "bend": bend}
    finally:
        for weight, b in zip(weights, tuned, strict=True):
            weight.data.copy_(b)
    return numbers({"curvature": bend / squared if squared else math.nan}) | {"text_losses": numbers(found)}


def derivatives(loss: Callable[[float], float]) -> tuple[float, float]:
    """First and second derivative of a function at 0, by central differences.

    The second one of two steps, the error of their step squared taken out (Richardson's extrapolation).
    """
    middle = loss(0.0)

    def differences(step: float) -> tuple[float, float]:
        ahead, behind = loss(step), loss(-step)
        return (ahead - behind) / (2 * step), ahead - 2 * middle + behind

    step = FIRST_STEP
    slope, bent = differences(step)
    while abs(bent) > MOST_BEND * middle and step > SMALLEST_STEP:
        step /= 2
        slope, bent = differences(step)
    while abs(bent) < LEAST_BEND * middle and step < LARGEST_STEP:
        step *= 2
        slope, bent = differences(step)
    half_slope, half_bent = differences(step / 2)
    return (4 * half_slope - slope) / 3, (16 * half_bent - bent) / (3 * step**2)


def compared(before: list[float], after: list[float], passages: Passages) -> dict[str, Any]:
    """Losses (nats a token) of two models on the same passages, and their difference with its standard error."""
    differences = [b - a for a, b in zip(before, after, strict=True)]
    increase, se = ratio_with_error(differences, passages.n_tokens, passages.items)
    n_tokens = sum(passages.n_tokens)
    losses = {"checkpoint": sum(before) / n_tokens, "tuned": sum(after) / n_tokens, "increase": increase, "se": se}
    return losses | {"n_items": len(passages.items), "n_tokens": n_tokens}


def numbers(values: dict[str, Any]) -> dict[str, Any]:
    """Values for JSON, which has no word for what is not finite."""
    return {key: finite(value) for key, value in values.items()}

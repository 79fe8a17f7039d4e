"""The gradient of a batch's loss, added up over rows that fit into memory."""

import math
from typing import Any

import torch

from ripeness.models.batching import Example, rows_of
from ripeness.models.load import autocast, resolve_precision
from ripeness.models.sharding import n_processes, rank, summed
from ripeness.train.objectives.objective import ANSWERS, Objective
from ripeness.train.reading import Reading, Unit


def backward(
    reading: Reading, row_tokens: int, *, batch: list[Unit], text: list[Example], objective: Objective[Any]
) -> float:
    """Add the gradient of a batch's loss to the weights', and return the loss without that of replayed text.

    Pieces of replayed text take part as the share of sequences that they are.
    """
    share = len(text) / (len(batch) + len(text))
    loss = backward_part(reading, batch, objective, weight=1 - share, row_tokens=row_tokens)
    if text:
        backward_part(reading, list(text), ANSWERS, weight=share, row_tokens=row_tokens)
    return loss


def backward_part(
    reading: Reading, batch: list[Unit], objective: Objective[Any], *, weight: float, row_tokens: int
) -> float:
    """Add the gradient of `weight` times a loss to the weights' and return the loss.

    Of several processes each reads some of the rows, all as many; their gradients are averaged, so each counts n times.
    """
    size, n_shares, device = objective.size(batch), n_processes(), reading.model.device
    total = torch.zeros((), dtype=torch.float64, device=device)
    if n_shares > 1:
        row_tokens = min(row_tokens, math.ceil(sum(len(unit.tokens) for unit in batch) / n_shares))
    is_apart = reading.is_apart([answer for unit in batch for answer in unit.answers])
    rows = rows_of(batch, 1 if is_apart else row_tokens)
    with autocast(device, resolve_precision(reading.precision, device)):  # one for all rows: weights are cast once
        for start in range(0, len(rows), n_shares):
            is_idle = start + rank() >= len(rows)
            row = rows[start if is_idle else start + rank()]
            logits, targets = reading.logits([answer for unit in row for answer in unit.answers])  # (N, V), (N,)
            with torch.autocast(device.type, enabled=False):
                loss = objective.loss(logits, targets, row, size)
                (loss * (0 if is_idle else n_shares * weight)).backward()
            if not is_idle:
                total += loss.detach()
    return summed(total.item())[0]  # read once, since a GPU has no work while it is asked

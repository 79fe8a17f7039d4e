"""Log-likelihoods of answers and of running text: what a model expects, without making it write."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from ripeness.models.forward.padding import reads_together
from ripeness.models.load import is_even

NEAR = 1e-3  # nats, by which rounding may part a log-probability from that of guessing evenly
CHUNK = 256  # rows of logits whose probabilities are summed at once, so that they need little memory next to them
FEW = 64  # the same, where options are scored


@dataclass(frozen=True)
class Request:
    """Score `completion` after `context`, both tokens; the context is not empty."""

    context: list[int]
    completion: list[int]


def by_length(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Batch indices into at most `batch_tokens` padded tokens, longest first: little padding, early failure."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > batch_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


@dataclass(frozen=True)
class Batch:
    """Requests read side by side: `tokens` (B, T) padded on the right, of which the last K predict `targets` (B, K).

    `spans` say for every row which of these K belong to its completion, and `places` which request it is.
    """

    tokens: torch.Tensor
    targets: torch.Tensor
    spans: list[slice]
    places: list[int]


def in_batches(requests: list[Request], *, batch_tokens: int, device: torch.device) -> Iterator[Batch]:
    """Sort requests by length and pad them on the right, which causal attention does not see.

    So the result does not depend on batch, order or padding beyond rounding.
    """
    rows = [request.context + request.completion[:-1] for request in requests]
    for places in by_length([len(row) for row in rows], batch_tokens):
        starts = [len(requests[i].context) - 1 for i in places]
        first = min(starts)  # the vocabulary projection of the contexts before it is left out
        asked = [(start - first, requests[i].completion) for start, i in zip(starts, places, strict=True)]
        yield Batch(
            tokens=right_padded([rows[i] for i in places], device),
            targets=right_padded([[0] * before + (completion or [0]) for before, completion in asked], device),
            spans=[slice(before, before + len(completion)) for before, completion in asked],
            places=places,
        )


@torch.inference_mode()
def read_batches(model: PreTrainedModel, batches: Iterable[Batch], n_requests: int) -> list[list[float]]:
    """Compute the log-probability (nats) of every completion token of every request, in the order of the requests."""
    results: list[list[float]] = [[] for _ in range(n_requests)]
    for batch in batches:
        kept = batch.targets.shape[1]
        logits = model(input_ids=batch.tokens, use_cache=False, logits_to_keep=kept).logits
        logits = logits[:, -kept:].flatten(0, 1)  # (B * K, V); some models give those of all tokens whatever is asked
        places = torch.arange(len(logits), device=logits.device)
        logps = token_logps(logits, places, batch.targets.flatten(), model=model).view(batch.targets.shape).tolist()
        for place, row, span in zip(batch.places, logps, batch.spans, strict=True):
            results[place] = row[span]
    return results


def token_logps(
    logits: torch.Tensor,
    places: torch.Tensor,
    tokens: torch.Tensor,
    *,
    model: PreTrainedModel | None = None,
    chunk: int = CHUNK,
) -> torch.Tensor:
    """Compute the log-probability (nats) of each of the K `tokens` from the rows (`places`, K) of logits (N, V).

    NaN where all logits of the row are equal: weights so large that activations overflow inside a normalisation make
    them all zero, and what looks like guessing evenly is no answer. A `model` whose output layer is zero, as some are
    at their start, does guess evenly.
    """
    norms = torch.cat([part.float().logsumexp(-1) for part in logits.split(chunk)])
    logps = logits[places, tokens].float() - norms[places]
    likely = places[(logps + math.log(logits.shape[-1])).abs() < NEAR].unique()
    if len(likely) and not (model is not None and is_even(model)):
        alike = [part[logits[part].amax(-1) == logits[part].amin(-1)] for part in likely.split(chunk)]
        logps[torch.isin(places, torch.cat(alike))] = math.nan
    return logps


def summed_logps(
    logits: torch.Tensor, scored: list[tuple[int, int, int]], n: int, model: PreTrainedModel | None = None
) -> list[float]:
    """Sum log-probabilities (nats) for each of `n` owners; `scored` are (row of the logits, token, owner).

    Of what is none see `token_logps`, which asks the `model`.
    """
    if not scored:
        return [0.0] * n
    place, token, owner = torch.tensor(scored, device=logits.device, dtype=torch.long).unbind(1)
    # sums of hundreds of nats have few digits left in fp32
    logps = token_logps(logits, place, token, model=model, chunk=FEW).double()
    return torch.zeros(n, dtype=torch.float64, device=logits.device).index_add(0, owner, logps).tolist()


def log_likelihoods(model: PreTrainedModel, requests: list[Request], *, batch_tokens: int) -> list[list[float]]:
    """Compute the log-probability (nats) of every completion token of every request."""
    return read_batches(model, batches_for(model, requests, batch_tokens), len(requests))


def batches_for(model: PreTrainedModel, requests: list[Request], batch_tokens: int) -> Iterator[Batch]:
    """Batch requests as this model requires: one at a time where padding or other rows would change the result."""
    longest = max((len(request.context) + len(request.completion) for request in requests), default=1) - 1
    room = batch_tokens if reads_together(model, longest) else 1
    return in_batches(requests, batch_tokens=room, device=model.device)


def right_padded(sequences: list[list[int]], device: torch.device) -> torch.Tensor:
    """Make one tensor (B, T) of sequences, padded with token 0 on the right."""
    length = max(len(sequence) for sequence in sequences)
    return torch.tensor([sequence + [0] * (length - len(sequence)) for sequence in sequences], device=device)


def windows(tokens: list[int], start: int, context_length: int) -> list[Request]:
    """Split a text into requests that together score every token once.

    As in the rolling log-likelihood of lm-evaluation-harness: disjoint windows, the first after the token `start`, each
    later one after the last token of the window before; the last one, being shorter, after as many as fit.
    """
    requests = []
    for first in range(0, len(tokens), context_length):
        piece = tokens[first : first + context_length]
        before = tokens[first + len(piece) - context_length - 1 : first] if first else [start]
        requests.append(Request(before, piece))
    return requests

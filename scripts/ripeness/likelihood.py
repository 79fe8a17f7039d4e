"""Log-likelihoods of answers and of running text: what a model expects, without making it write."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel


@dataclass(frozen=True)
class Request:
    """Score `completion` after `context`, both tokens; the context is not empty."""

    context: list[int]
    completion: list[int]


def by_length(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Indices in batches of at most `batch_tokens` padded tokens, longest first: little padding, early failure."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > batch_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


@torch.inference_mode()
def log_likelihoods(model: PreTrainedModel, requests: list[Request], *, batch_tokens: int) -> list[list[float]]:
    """Log-probability (nats) of every completion token of every request.

    Sorted by length and padded on the right, where causal attention does not look, so that the result does not depend
    on batch, order or padding beyond rounding.
    """
    rows = [request.context + request.completion[:-1] for request in requests]
    results: list[list[float]] = [[] for _ in requests]
    for batch in by_length([len(row) for row in rows], batch_tokens):
        tokens = right_padded([rows[i] for i in batch], model.device)  # (B, T)
        starts = [len(requests[i].context) - 1 for i in batch]
        # logits from the first answer on, (B, K, V): the vocabulary projection of the contexts is left out
        kept = tokens.shape[1] - min(starts)
        logits = model(input_ids=tokens, use_cache=False, logits_to_keep=kept).logits
        for logit, index, start in zip(logits, batch, starts, strict=True):
            completion = torch.tensor(requests[index].completion, dtype=torch.long, device=model.device)
            span = logit[start - min(starts) :][: len(completion)].float()  # (C, V)
            results[index] = (span.gather(1, completion[:, None])[:, 0] - span.logsumexp(-1)).tolist()
    return results


def right_padded(sequences: list[list[int]], device: torch.device) -> torch.Tensor:
    """Sequences as one tensor (B, T), filled up with token 0 on the right."""
    length = max(len(sequence) for sequence in sequences)
    return torch.tensor([sequence + [0] * (length - len(sequence)) for sequence in sequences], device=device)


def windows(tokens: list[int], start: int, context_length: int) -> list[Request]:
    """Requests that together score every token of a text once.

    As in the rolling log-likelihood of lm-evaluation-harness: disjoint windows, the first after the token `start`, each
    later one after the last token of the window before; the last one, being shorter, after as many as fit.
    """
    requests = []
    for first in range(0, len(tokens), context_length):
        piece = tokens[first : first + context_length]
        before = tokens[first + len(piece) - context_length - 1 : first] if first else [start]
        requests.append(Request(before, piece))
    return requests

"""Log-likelihoods of answers and of running text: what a model expects, without making it write."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache

# A shared beginning shorter than this is not worth a cache of its own.
SHORTEST_PREFIX = 8


@dataclass(frozen=True)
class Request:
    """Score `completion` after `context`, both tokens; the context is not empty."""

    context: list[int]
    completion: list[int]


def shared_prefix(contexts: Sequence[Sequence[int]]) -> list[int]:
    """The tokens that all contexts begin with, as few-shot prompts with their shots; at least one is left to each."""
    if not contexts:
        return []
    first, last = min(contexts), max(contexts)  # in dictionary order these two differ first
    length = 0
    for a, b in zip(first, last, strict=False):
        if a != b:
            break
        length += 1
    length = min(length, min(len(context) for context in contexts) - 1)
    return list(first[:length]) if length >= SHORTEST_PREFIX else []


@torch.inference_mode()
def prefix_cache(model: PreTrainedModel, prefix: list[int]) -> DynamicCache | None:
    """Keys and values of a prefix, computed once for all that share it; None for an empty one."""
    if not prefix:
        return None
    tokens = torch.tensor([prefix], device=model.device)  # (1, P)
    return model(input_ids=tokens, use_cache=True, logits_to_keep=1).past_key_values


def repeated(cache: DynamicCache | None, times: int) -> DynamicCache | None:
    """A copy of a cache of one sequence for a batch of `times`."""
    if cache is None:
        return None
    copied = copy.deepcopy(cache)
    copied.batch_repeat_interleave(times)
    return copied


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

    The shared beginning of all contexts is read once; the rest is sorted by length and padded on the right, where
    causal attention does not look, so that the result does not depend on batch, order or padding beyond rounding.
    """
    prefix = shared_prefix([request.context for request in requests])
    cache = prefix_cache(model, prefix)
    rests = [request.context[len(prefix) :] + request.completion[:-1] for request in requests]
    results: list[list[float]] = [[] for _ in requests]
    for batch in by_length([len(rest) for rest in rests], batch_tokens):
        starts = [len(requests[i].context) - len(prefix) - 1 for i in batch]
        tokens = right_padded([rests[i] for i in batch], model.device)  # (B, T)
        logits, first = answer_logits(model, tokens, repeated(cache, len(batch)), min(starts))  # (B, T - first, V)
        logps = logits.float().log_softmax(-1)
        for row, (index, start) in enumerate(zip(batch, starts, strict=True)):
            completion = torch.tensor(requests[index].completion, dtype=torch.long, device=model.device)
            span = logps[row, start - first : start - first + len(completion)]  # (C, V)
            results[index] = span.gather(1, completion[:, None])[:, 0].tolist()
    return results


def answer_logits(
    model: PreTrainedModel, tokens: torch.Tensor, cache: DynamicCache | None, first: int
) -> tuple[torch.Tensor, int]:
    """Logits from position `first` on, (B, T - first, V): the vocabulary projection of the prompt is left out."""
    length = tokens.shape[1]
    output = model(input_ids=tokens, past_key_values=cache, use_cache=cache is not None, logits_to_keep=length - first)
    return output.logits, first


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

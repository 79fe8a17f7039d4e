"""Keys and values of a beginning that many prompts share, as few-shot prompts share their shots: read once."""

import copy
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel

# A shared beginning shorter than this is not worth a cache of its own.
SHORTEST_PREFIX = 8


def shared_prefix(contexts: Sequence[Sequence[int]]) -> list[int]:
    """The tokens that all contexts begin with; at least one is left to each."""
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
    """A copy of the cache of one sequence for a batch of `times`, which grows as the batch goes on."""
    if cache is None:
        return None
    copied = copy.deepcopy(cache)
    copied.batch_repeat_interleave(times)
    return copied


def read_only(cache: DynamicCache | None) -> DynamicCache | None:
    """The cache of one sequence for batches of any size, which read it and leave it as it is."""
    if cache is None:
        return None
    view = copy.copy(cache)
    view.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in view.layers:
        layer.update = partial(after_prefix, layer.keys, layer.values)
    return view


def after_prefix(
    keys: torch.Tensor, values: torch.Tensor, new_keys: torch.Tensor, new_values: torch.Tensor, *_: Any, **__: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values of the prefix, (1, H, P, D), before those of a batch, (B, H, T, D); nothing is stored."""
    n_rows = len(new_keys)
    return (
        torch.cat([keys.expand(n_rows, -1, -1, -1), new_keys], dim=2),
        torch.cat([values.expand(n_rows, -1, -1, -1), new_values], dim=2),
    )

"""Keys and values of a beginning that many prompts share, as few-shot prompts share their shots: read once."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from ripeness.memory import KeysAndValues

# A shared beginning shorter than this is not worth a pass of its own.
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
def keys_and_values(model: PreTrainedModel, prefix: list[int]) -> KeysAndValues | None:
    """What every layer keeps of a prefix, computed once for all that share it; None for an empty one."""
    if not prefix:
        return None
    tokens = torch.tensor([prefix], device=model.device)  # (1, P)
    cache = model(input_ids=tokens, use_cache=True, logits_to_keep=1).past_key_values
    return [(layer.keys, layer.values) for layer in cache.layers]

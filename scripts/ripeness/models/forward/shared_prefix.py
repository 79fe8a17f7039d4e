"""Keys and values of a beginning that many prompts share, as few-shot prompts share their shots: read once."""

from os.path import commonprefix

import torch
from transformers import PreTrainedModel

from ripeness.models.forward.kv_cache import KeysAndValues, Memory
from ripeness.models.forward.packed_attention import causal_groups, most_unequal, row_logits
from ripeness.models.forward.virtual_tokens import after_virtual, virtual_keys

# A shared beginning shorter than this is not worth a pass of its own.
SHORTEST_PREFIX = 8


def shared_prefix(contexts: list[list[int]]) -> list[int]:
    """Find the tokens that all contexts begin with; each keeps at least one of its own."""
    if not contexts:
        return []
    common = commonprefix(contexts)
    length = min(len(common), min(len(context) for context in contexts) - 1)
    return list(common[:length]) if length >= SHORTEST_PREFIX else []


@torch.no_grad()
def keys_and_values(model: PreTrainedModel, prefix: list[int]) -> KeysAndValues | None:
    """Compute the keys and values of a prefix in every layer, once for all prompts; None for an empty prefix.

    Those of a model's virtual tokens stand before them, and are there for an empty prefix too.
    Taken where attention gets it: what models put into a cache may be something else, as the latents of DeepSeek are.
    The model must be `packing`.
    """
    virtual = virtual_keys(model)
    if not prefix:
        return virtual
    memory = Memory(1, len(prefix), None)
    memory.read(0, [len(prefix)], model.device)
    last = torch.tensor([len(prefix) - 1])
    groups = causal_groups([len(prefix)], most_unequal(model))
    row_logits(model, prefix, list(range(len(prefix))), last, groups, virtual, memory)
    return after_virtual(virtual, memory.layers)

"""Attention over sequences that lie one after the other in a single row, without padding and without seeing each other.

Only attention mixes the tokens of a sequence; every other layer of a causal language model treats each token alone. So
sequences of unequal length can be laid end to end, their positions starting anew, and padding costs nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

from ripeness.memory import KeysAndValues, Memory
from ripeness.models import attention_is_plain

PACKED = "ripeness_packed"
TOLERANCE = 1e-3  # between packed and separate logits, in fp32; a leak between sequences is far larger
# Neighbours share a call of attention while the longest is at most this times the shortest: on a CPU padding costs more
# time than calls do, on a GPU it is the other way round.
SIMILAR = {"cpu": 1.1, "cuda": 1.5}


@dataclass(frozen=True)
class Group:
    """Neighbours of similar length in a row, for one call of attention: n sequences of at most L tokens, t together.

    Where all are as long, their tokens need not be gathered.
    """

    lengths: list[int]
    mask: torch.Tensor | None  # (n or 1, 1, L, P + L), added to the scores; None is causal
    gather: torch.Tensor | None = None  # (n, L): which of the t is where; padding repeats one and is not looked at
    keep: torch.Tensor | None = None  # (t,): where in the n * L the tokens are

    def apart(self, states: torch.Tensor) -> torch.Tensor:
        """The tokens of each sequence: (H, t, D) gives (n, H, L, D)."""
        if self.gather is None:
            return states.unflatten(1, (len(self.lengths), -1)).transpose(0, 1)
        return states[:, self.gather].transpose(0, 1)

    def together(self, states: torch.Tensor) -> torch.Tensor:
        """The tokens one after the other: (n, H, L, D) gives (t, H, D)."""
        states = states.transpose(1, 2).flatten(0, 1)
        return states if self.keep is None else states[self.keep]


def similar(lengths: list[int], most: float) -> Iterator[range]:
    """Places of neighbours of which the longest is at most some times as long as the shortest."""
    start = 0
    for end in range(1, len(lengths) + 1):
        more = lengths[start : end + 1]
        if end == len(lengths) or max(more) > most * min(more):
            yield range(start, end)
            start = end


def group(lengths: list[int], device: torch.device, mask: torch.Tensor | None = None) -> Group:
    """The group of sequences of these lengths."""
    longest, gather, keep, first = max(lengths), [], [], 0
    if longest == min(lengths):
        return Group(lengths, mask)
    for index, length in enumerate(lengths):
        gather.append([first + min(place, length - 1) for place in range(longest)])
        keep += range(index * longest, index * longest + length)
        first += length
    return Group(lengths, mask, torch.tensor(gather, device=device), torch.tensor(keep, device=device))


def causal_groups(lengths: list[int], device: torch.device, n_prefix: int = 0) -> list[Group]:
    """Groups of sequences each of whose tokens sees a prefix and the tokens of its own sequence up to itself."""
    groups = []
    for some in similar(lengths, SIMILAR[device.type]):
        alike, mask = [lengths[index] for index in some], None
        if n_prefix:
            hidden = torch.ones(max(alike), n_prefix + max(alike), dtype=torch.bool, device=device).triu(n_prefix + 1)
            mask = torch.zeros(hidden.shape, device=device).masked_fill(hidden, -torch.inf)[None, None]
        groups.append(group(alike, device, mask))
    return groups


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _mask: torch.Tensor | None,
    *,
    groups: list[Group],
    prefix: KeysAndValues | None = None,
    memory: Memory | None = None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention inside each sequence, and to a prefix that all share: (1, H, T, D) gives (1, T, H, D).

    The signature is that of the attention functions of transformers. Heads of keys and values may be fewer than those
    of queries (grouped attention). A `memory` keeps the keys and values; without groups, each of the T tokens is one
    more of a text in it.
    """
    if memory:
        memory.write(module.layer_idx, key, value)
    if not groups:
        return memory.attend(module.layer_idx, query, scaling), None
    outputs, sizes = [], [sum(group.lengths) for group in groups]
    parts = zip(groups, *(states[0].split(sizes, dim=1) for states in (query, key, value)), strict=True)
    for group, *states in parts:
        q, k, v = map(group.apart, states)  # (n, H, L, D)
        if prefix:
            before = (states.expand(len(k), -1, -1, -1) for states in prefix[module.layer_idx])
            k, v = (torch.cat([earlier, states], dim=2) for earlier, states in zip(before, (k, v), strict=True))
        if k.shape[1] != q.shape[1]:
            k, v = (states.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for states in (k, v))
        mask = None if group.mask is None else group.mask.to(q.dtype)
        output = scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=mask is None, dropout_p=dropout, scale=scaling
        )
        outputs.append(group.together(output))
    return torch.cat(outputs)[None], None


AttentionInterface.register(PACKED, packed_attention)


def row_logits(
    model: PreTrainedModel,
    tokens: list[int],
    places: list[int],
    wanted: torch.Tensor,
    groups: list[Group],
    prefix: KeysAndValues | None = None,
    memory: Memory | None = None,
) -> torch.Tensor:
    """Logits (N, V) at the N `wanted` places of a row of tokens with these positions; only these are projected.

    The model must be `packing`.
    """
    return model(
        input_ids=torch.tensor([tokens], device=model.device),
        position_ids=torch.tensor([places], device=model.device),
        use_cache=False,
        logits_to_keep=wanted,
        groups=groups,
        prefix=prefix,
        memory=memory,
    ).logits[0]


def packed_logits(model: PreTrainedModel, sequences: list[list[int]], wanted: torch.Tensor) -> torch.Tensor:
    """Logits (N, V) at the N `wanted` places of the row that the sequences make, in the order given."""
    lengths = [len(sequence) for sequence in sequences]
    tokens = [token for sequence in sequences for token in sequence]
    places = [place for length in lengths for place in range(length)]
    return row_logits(model, tokens, places, wanted, causal_groups(lengths, model.device))


@contextmanager
def packing(model: PreTrainedModel) -> Iterator[bool]:
    """Let a model attend inside packed sequences for a while, and say whether it can; if not, it stays as it was."""
    can, before = packs_exactly(model), model.config._attn_implementation
    if can:
        model.set_attn_implementation(PACKED)
    try:
        yield can
    finally:
        if can:
            model.set_attn_implementation(before)


@lru_cache(maxsize=1)  # one model is trained or measured at a time
@torch.no_grad()
def packs_exactly(model: PreTrainedModel) -> bool:
    """Whether packing leaves logits as they are; tried, since not every model follows a foreign attention function.

    It does not where a model attends in windows, adds distances to its scores, or has no attention at all.
    """
    if not attention_is_plain(model):
        return False
    before, was_training = model.config._attn_implementation, model.training
    model.eval()
    sequences = [[1, 2, 3, 4, 5], [6, 7], [3, 2, 1]]
    with torch.autocast(model.device.type, enabled=False):
        alone = [model(input_ids=torch.tensor([s], device=model.device), use_cache=False).logits[0] for s in sequences]
        expected = torch.cat(alone)
        try:
            model.set_attn_implementation(PACKED)
            found = packed_logits(model, sequences, torch.arange(len(expected), device=model.device))
            can = torch.allclose(found.float(), expected.float(), atol=TOLERANCE)
        except (TypeError, ValueError, RuntimeError):
            can = False
    model.set_attn_implementation(before)
    model.train(was_training)
    return can

"""Attention over sequences that lie one after the other in a single row, without padding and without seeing each other.

Only attention mixes the tokens of a sequence; every other layer of a causal language model treats each token alone. So
sequences of unequal length can be laid end to end, their positions starting again, and padding costs nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

from ripeness.models.context_limits import n_virtual
from ripeness.models.forward.kv_cache import KeysAndValues, Memory
from ripeness.models.forward.last_layer import Asked, KeysAreKnown, all_keys, ask, attend, last_layer, narrow, spread
from ripeness.models.forward.transfer import to_device
from ripeness.models.forward.virtual_tokens import virtual_keys

PACKED = "ripeness_packed"
OWN: WeakKeyDictionary[PreTrainedModel, str] = WeakKeyDictionary()  # of models in which ours is, the attention before
# What models also pass to their attention and need not pass to ours; all else changes scores: sinks, caps, blocks.
NOT_NEEDED = {"is_causal", "output_attentions", "output_router_logits", "position_ids", "sliding_window", "use_cache"}
# Neighbours share a call of attention while the longest is at most this times the shortest: on a CPU padding costs more
# time than calls do, on a GPU it is the other way round. Where few tokens of each are asked, padding costs little.
SIMILAR = {"cpu": 1.0}
SIMILAR_ON_GPU = 1.5
SIMILAR_ASKED = 1.5


@dataclass(frozen=True)
class Group:
    """Neighbours of similar length in a row, for one call of attention: n sequences of at most L tokens, t together.

    Where all are as long, their tokens need not be gathered. The first P tokens of the row may come before each: then
    these are among the t and the L.
    """

    lengths: list[int]
    mask: torch.Tensor | None  # (n or 1, 1, L, P + L), added to the scores; None is causal
    gather: torch.Tensor | None = None  # (n, L): which of the t is where; padding repeats one and is not looked at
    keep: torch.Tensor | None = None  # (t,): where in the n * L the tokens are
    n_shared: int = 0  # P

    def apart(self, states: torch.Tensor) -> torch.Tensor:
        """Separate the sequences: (H, t, D) becomes (n, H, L, D)."""
        if self.gather is None:
            return states.unflatten(1, (len(self.lengths), -1)).transpose(0, 1)
        return states[:, self.gather].transpose(0, 1)

    def together(self, states: torch.Tensor) -> torch.Tensor:
        """Join the sequences in one row: (n, H, L, D) becomes (t, H, D)."""
        states = states.transpose(1, 2).flatten(0, 1)
        return states if self.keep is None else states[self.keep]


def most_unequal(model: PreTrainedModel) -> float:
    """Return how many times as long as the shortest the longest of neighbours may be on the device of a model."""
    return SIMILAR.get(model.device.type, SIMILAR_ON_GPU)


def similar(lengths: list[int], most: float) -> Iterator[range]:
    """Split into runs of neighbours of which the longest is at most so many times as long as the shortest."""
    start = 0
    for end in range(1, len(lengths) + 1):
        more = lengths[start : end + 1]
        if end == len(lengths) or max(more) > most * min(more):
            yield range(start, end)
            start = end


def group(lengths: list[int], mask: torch.Tensor | None = None, n_shared: int = 0) -> Group:
    """Make the group of sequences of these lengths, not counting what they share; on the CPU, as all layouts."""
    if max(lengths) == min(lengths) and not n_shared:
        return Group(lengths, mask)
    gather, keep = spread(lengths, n_shared)
    return Group(lengths, mask, None if len(lengths) == 1 else gather, keep, n_shared)


def parts_of(lengths: list[int], n_shared: int, most: float) -> list[range]:
    """Split into neighbours of similar length; the first sequence alone where it begins with what others share."""
    if not n_shared:
        return list(similar(lengths, most))
    return [range(1), *(range(1 + some.start, 1 + some.stop) for some in similar(lengths[1:], most))]


def shared_groups(lengths: list[int], most: float, n_shared: int) -> list[Group]:
    """Make groups of causal sequences; the first begins with what precedes all others too."""
    parts = parts_of(lengths, n_shared, most)
    return [group(lengths[part.start : part.stop], n_shared=n_shared if part.start else 0) for part in parts]


def causal_groups(lengths: list[int], most: float, n_prefix: int = 0) -> list[Group]:
    """Make groups of causal sequences that also see a prefix."""
    groups = []
    for some in similar(lengths, most):
        alike = [lengths[index] for index in some]
        groups.append(group(alike, causal_after(n_prefix, max(alike)) if n_prefix else None))
    return groups


def causal_after(n_prefix: int, length: int) -> torch.Tensor:
    """Make the mask (1, 1, L, P + L) of sequences that see P tokens before them and their own up to each."""
    hidden = torch.ones(length, n_prefix + length, dtype=torch.bool).triu(n_prefix + 1)
    return torch.zeros(hidden.shape).masked_fill(hidden, -torch.inf)[None, None]


def groups_after(n: int, groups: list[Group]) -> list[Group]:
    """Have groups see `n` virtual tokens too, before all else."""
    return [
        replace(
            some,
            mask=causal_after(n, some.n_shared + max(some.lengths)) if some.mask is None else pad(some.mask, (n, 0)),
        )
        for some in groups
    ]


def asked_after(n: int, asked: Asked) -> Asked:
    """Have what is asked see `n` virtual tokens too, before all else."""
    return Asked(asked.places, [replace(part, mask=pad(part.mask, (n, 0))) for part in asked.parts])


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
    asked: Asked | None = None,
    stop: bool = False,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attend inside each sequence, and to a prefix that all share: (1, H, T, D) gives (1, T, H, D).

    The signature is that of the attention functions of transformers. Heads of keys and values may be fewer than those
    of queries (grouped attention). A `memory` keeps the keys and values; without groups, each of the T tokens is one
    more of a text in it. In the last layer what is `asked` attends alone (see last_layer.py). ValueError for a kind of
    attention that this is not.
    """
    if unknown := [name for name, value in others.items() if value is not None and name not in NOT_NEEDED]:
        raise ValueError(f"attention with {', '.join(unknown)}")
    before = prefix[module.layer_idx] if prefix else None
    if asked and asked.keys:
        return attend(asked, query, before, scaling=scaling, dropout=dropout), None
    if memory:
        memory.write(module.layer_idx, key, value)
    if stop and asked:
        asked.keys = key, value
        raise KeysAreKnown
    if not groups:
        if memory is None:
            raise ValueError("attention without groups, and without a memory")
        return memory.attend(module.layer_idx, query, scaling), None
    return attend_in_groups((query, key, value), groups, before, dropout=dropout, scaling=scaling), None


def attend_in_groups(
    states: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    groups: list[Group],
    before: tuple[torch.Tensor, torch.Tensor] | None,
    *,
    dropout: float,
    scaling: float | None,
) -> torch.Tensor:
    """Attend inside each sequence of each group: queries, keys and values (1, H, T, D) give (1, T, H, D)."""
    outputs, sizes = [], [sum(group.lengths) for group in groups]
    for group, *parts in zip(groups, *(part[0].split(sizes, dim=1) for part in states), strict=True):
        if shared := group.n_shared:
            parts = [torch.cat([row[0, :, :shared], own], dim=1) for row, own in zip(states, parts, strict=True)]
        q, k, v = map(group.apart, parts)  # (n, H, L, D)
        k, v = all_keys(q, k, v, before)
        mask = None if group.mask is None else group.mask.to(q.dtype)
        output = scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=mask is None, dropout_p=dropout, scale=scaling
        )
        outputs.append(group.together(output))
    return torch.cat(outputs)[None]


AttentionInterface.register(PACKED, packed_attention)


def row_logits(
    model: PreTrainedModel,
    tokens: list[int],
    places: list[int],
    wanted: torch.Tensor,
    groups: list[Group],
    prefix: KeysAndValues | None = None,
    memory: Memory | None = None,
    asked: Asked | None = None,
) -> torch.Tensor:
    """Compute logits (N, V) at the N `wanted` places of a row of tokens; only these are projected.

    `wanted`, `groups` and `asked` are on the CPU and are copied to the device of the model with the tokens. Virtual
    tokens of the model come before all: `prefix` has them, see `keys_and_values`, or they are put there, and neither
    places nor groups count them. The model must be `packing`.
    """
    if n := n_virtual(model):
        prefix = virtual_keys(model) if prefix is None and groups else prefix
        places, groups = [n + place for place in places], groups_after(n, groups)
        asked = asked_after(n, asked) if asked else None
    input_ids, position_ids = torch.tensor([[tokens], [places]])
    input_ids, position_ids, wanted, groups, asked = (
        to_device(one, model.device) for one in (input_ids, position_ids, wanted, groups, asked)
    )
    return model(
        input_ids=input_ids,
        position_ids=position_ids,
        use_cache=False,
        logits_to_keep=0 if asked else wanted,
        asked=asked,
        groups=groups,
        prefix=prefix,
        memory=memory,
    ).logits[0]


def packed_logits(
    model: PreTrainedModel, sequences: list[list[int]], wanted: torch.Tensor, n_shared: int = 0, *, is_narrow: bool
) -> torch.Tensor:
    """Compute logits (N, V) at the N `wanted` places (on the CPU) of the row that the sequences make, in their order.

    The first `n_shared` tokens of the first sequence come before the others too, which are given without them: what all
    begin with is read once. If `is_narrow`, only what is wanted goes all the way through the last layer. The model must
    be `packing`.
    """
    lengths = [len(sequence) for sequence in sequences]
    tokens = [token for sequence in sequences for token in sequence]
    starts = [0] + [n_shared] * (len(lengths) - 1)
    places = [start + place for start, length in zip(starts, lengths, strict=True) for place in range(length)]
    groups = shared_groups(lengths, most_unequal(model), n_shared)
    asked = ask(lengths, wanted, parts_of(lengths, n_shared, SIMILAR_ASKED), n_shared=n_shared) if is_narrow else None
    return row_logits(model, tokens, places, wanted, groups, asked=asked)


@contextmanager
def attending(model: PreTrainedModel) -> Iterator[None]:
    """Put our attention into a model for a while."""
    before = model.config._attn_implementation
    hook = last_layer(model).register_forward_pre_hook(narrow, with_kwargs=True)
    OWN[model] = before
    try:
        model.set_attn_implementation(PACKED)
        yield
    finally:
        hook.remove()
        del OWN[model]
        model.set_attn_implementation(before)


@contextmanager
def own_attention(model: PreTrainedModel) -> Iterator[None]:
    """Put a model's own attention back for a while, if ours is in it: so that another way to read it can begin."""
    before = OWN.pop(model, None)
    if before is None:
        yield
        return
    try:
        model.set_attn_implementation(before)
        yield
    finally:
        OWN[model] = before
        model.set_attn_implementation(PACKED)

"""Attention over sequences that lie one after the other in a single row, without padding and without seeing each other.

Only attention mixes the tokens of a sequence; every other layer of a causal language model treats each token alone. So
examples of unequal length can be laid end to end, their positions starting anew, and padding costs nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

from ripeness.models import attention_is_plain

PACKED = "ripeness_packed"
TOLERANCE = 1e-3  # between packed and separate logits, in fp32; a leak between sequences is far larger


@dataclass(frozen=True)
class Group:
    """Neighbours of similar length in a row of T tokens, for one call of attention: n sequences of at most L tokens."""

    gather: torch.Tensor  # (n, L): which token of the row is where; padding repeats a token and is not looked at
    keep: torch.Tensor  # (t,): where in the n * L the tokens of the group are


def grouped(lengths: list[int], device: torch.device) -> list[Group]:
    """Groups of neighbours, of which the longest is less than twice as long as the first or the shortest."""
    groups, members, start = [], [], 0
    for index, length in enumerate(lengths):
        members.append(length)
        following = lengths[index + 1 : index + 2]
        if not following or max(members + following) >= 2 * min(members + following):
            groups.append(group(members, start, device))
            members, start = [], start + sum(members)
    return groups


def group(lengths: list[int], start: int, device: torch.device) -> Group:
    """The group of sequences of these lengths that begins at token `start` of the row."""
    longest, gather, keep = max(lengths), [], []
    for index, length in enumerate(lengths):
        gather.append([start + min(place, length - 1) for place in range(longest)])
        keep += range(index * longest, index * longest + length)
        start += length
    return Group(torch.tensor(gather, device=device), torch.tensor(keep, device=device))


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _mask: torch.Tensor | None,
    *,
    groups: list[Group],
    dropout: float = 0.0,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention inside each sequence: (1, H, T, D) gives (1, T, H, D).

    The signature is that of the attention functions of transformers. Heads of keys and values may be fewer than those
    of queries (grouped attention).
    """
    outputs = []
    for group in groups:
        q, k, v = (states[0][:, group.gather].transpose(0, 1) for states in (query, key, value))  # (n, H, L, D)
        output = scaled_dot_product_attention(
            q, k, v, is_causal=True, dropout_p=dropout, scale=scaling, enable_gqa=q.shape[1] != k.shape[1]
        )
        outputs.append(output.transpose(1, 2).flatten(0, 1)[group.keep])  # (t, H, D)
    return torch.cat(outputs)[None], None


AttentionInterface.register(PACKED, packed_attention)


def packed_logits(model: PreTrainedModel, sequences: list[list[int]], positions: torch.Tensor) -> torch.Tensor:
    """Logits (N, V) at N `positions` of the row that the sequences make, in the order given; 0 is its first token.

    Only these positions are projected on the vocabulary. The model must be `packing`.
    """
    lengths = [len(sequence) for sequence in sequences]
    groups = grouped(lengths, model.device)
    tokens = torch.tensor([[token for sequence in sequences for token in sequence]], device=model.device)  # (1, T)
    places = torch.cat([torch.arange(length, device=model.device) for length in lengths])[None]  # (1, T)
    output = model(input_ids=tokens, position_ids=places, use_cache=False, logits_to_keep=positions, groups=groups)
    return output.logits[0]


@contextmanager
def packing(model: PreTrainedModel) -> Iterator[bool]:
    """Let a model attend inside packed sequences for a while, and say whether it can; if not, it stays as it was."""
    before = model.config._attn_implementation
    can = attention_is_plain(model) and packs_exactly(model)
    try:
        yield can
    finally:
        if can:
            model.set_attn_implementation(before)


@torch.no_grad()
def packs_exactly(model: PreTrainedModel) -> bool:
    """Switch to packed attention if logits stay the same; tried, since not every model follows a foreign function."""
    before, was_training = model.config._attn_implementation, model.training
    model.eval()
    sequences = [[1, 2, 3, 4, 5], [6, 7], [3, 2, 1]]
    expected = torch.cat([model(torch.tensor([s], device=model.device), use_cache=False).logits[0] for s in sequences])
    try:
        model.set_attn_implementation(PACKED)
        found = packed_logits(model, sequences, torch.arange(len(expected), device=model.device))
        can = torch.allclose(found.float(), expected.float(), atol=TOLERANCE)
    except (TypeError, ValueError, RuntimeError):
        can = False
    if not can:
        model.set_attn_implementation(before)
    model.train(was_training)
    return can

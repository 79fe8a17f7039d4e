"""Let only the tokens that something is asked of go all the way through the last layer.

What predicts nothing is read in the last layer for its keys and values alone: there the others attend to it. A prompt
with a short answer so saves most of one layer, forward and backward. The layer's own code does both passes: one over
all tokens that ends where attention begins, one over the asked tokens alone.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import PreTrainedModel


class KeysAreKnown(Exception):
    """Ends a pass through the last layer: its keys and values are known, more is not wanted."""


@dataclass(frozen=True)
class Part:
    """n neighbouring sequences of T tokens in all, at most L in one, of which N are asked, at most M of one."""

    n_tokens: int
    keys: torch.Tensor  # (n, L): which of the T is where; padding repeats one and is hidden
    queries: torch.Tensor  # (n, M): which of the N is where; padding repeats one and is left out
    keep: torch.Tensor  # (N,): where in the n * M the asked tokens are
    mask: torch.Tensor  # (n, 1, M, P + L), added to the scores; P tokens are a prefix that all share
    n_shared: int = 0  # P where the prefix is the beginning of the row


@dataclass
class Asked:
    """The N places of a row of sequences that something is asked of, in order, and the parts that attend in one call.

    `keys` are keys and values of all tokens of the row, (1, H, T, D) each, which the last layer alone is given.
    """

    places: torch.Tensor  # (N,)
    parts: Sequence[Part]
    keys: tuple[torch.Tensor, torch.Tensor] | None = None


def ask(
    lengths: list[int],
    places: torch.Tensor,
    parts: list[range],
    masks: Sequence[torch.Tensor | None] | None = None,
    n_shared: int = 0,
    n_prefix: int = 0,
) -> Asked | None:
    """Describe the places of a row whose outputs are needed; None if unordered, or if a sequence has none.

    All is on the CPU, the places too, so that the host does not wait for a GPU. `parts` are the neighbours that attend
    in one call. `masks`, one a part, say what each token sees; without them, all of its sequence up to itself, and a
    prefix of `n_prefix` tokens that is not in the row. The first `n_shared` tokens of the row, in a part of its first
    sequence alone, come before every other sequence too.
    """
    own = places_in(lengths, places.tolist())
    found: list[Part] = []
    if not all(own):
        return None
    for some, mask in zip(parts, masks or [None] * len(parts), strict=True):
        alike = [lengths[index] for index in some]
        shared = n_shared if found else 0
        found.append(part(alike, [own[index] for index in some], mask, shared, n_prefix))
    return Asked(places, found)


def places_in(lengths: list[int], places: list[int]) -> list[list[int]]:
    """Convert places in a row to places in each of its sequences; all empty where they are not in order."""
    found: list[list[int]] = [[] for _ in lengths]
    if places != sorted(set(places)):
        return found
    index, start = 0, 0
    for place in places:
        while place >= start + lengths[index]:
            start += lengths[index]
            index += 1
        found[index].append(place - start)
    return found


def part(
    lengths: list[int],
    own: list[list[int]],
    mask: torch.Tensor | None = None,
    n_shared: int = 0,
    n_prefix: int = 0,
) -> Part:
    """Describe a part of a row: sequences of these lengths, of which the places `own` are needed.

    `mask` (n, 1, L, P + L) says what each token sees; without it, all of its sequence up to itself and all before it.
    """
    (keys, _), (queries, keep) = (spread(counts) for counts in (lengths, list(map(len, own))))
    at = torch.tensor([place for places in own for place in places])[queries]  # (n, M)
    if mask is None:
        hidden = torch.arange(keys.shape[1]) > at[..., None]
        rows = pad(torch.zeros(hidden.shape).masked_fill(hidden, -torch.inf), (n_prefix + n_shared, 0))
    else:
        rows = mask[torch.arange(len(lengths))[:, None], 0, at]
    return Part(sum(lengths), keys, queries, keep, rows[:, None], n_shared)


def spread(lengths: list[int], n_shared: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Locate the tokens of n sequences in a row, (n, P + L); the last token of a shorter one is repeated.

    P of them lie before the first sequence and are shared by all. And where the own tokens are when these rows are laid
    one after the other, (sum of lengths,).
    """
    counts = torch.tensor(lengths)
    own = torch.arange(-n_shared, max(lengths)).expand(len(lengths), -1)
    where = torch.minimum(own, counts[:, None] - 1) + (counts.cumsum(0) - counts)[:, None] * (own >= 0) + n_shared
    return where, ((own >= 0) & (own < counts[:, None])).flatten().nonzero()[:, 0]


def last_layer(model: PreTrainedModel) -> torch.nn.Module:
    """Find the last decoder layer."""
    return [m for m in model.modules() if type(m).__name__ in (model._no_split_modules or ())][-1]


def narrow(layer: torch.nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]] | None:
    """Reduce the input of the last layer (as its pre-hook) to the needed tokens, with the keys and values of all.

    Other layers are not shown these keys: what they compute again in a backward pass is what they computed first.
    """
    if kwargs.get("asked") is None or "stop" in kwargs:
        return None
    asked: Asked = replace(kwargs["asked"])
    kwargs = kwargs | {"asked": asked}
    with suppress(KeysAreKnown):
        layer(*args, **kwargs | {"stop": True})
    if asked.keys is None:
        raise ValueError("the last layer does not call its attention function")
    n_tokens = asked.keys[0].shape[2]

    def taken(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(taken, value))
        is_row = isinstance(value, torch.Tensor) and value.ndim > 1 and value.shape[1] == n_tokens
        return value[:, asked.places] if is_row else value

    return taken(args), {name: taken(value) for name, value in kwargs.items()}


def all_keys(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, prefix: tuple[torch.Tensor, torch.Tensor] | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Join keys and values, (n, H, L, D), after those of a shared prefix, with as many heads as queries have."""
    if prefix:
        before = (states.expand(len(k), -1, -1, -1) for states in prefix)
        k, v = (torch.cat([earlier, states], dim=2) for earlier, states in zip(before, (k, v), strict=True))
    if k.shape[1] != q.shape[1]:
        k, v = (states.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for states in (k, v))
    return k, v


def attend(
    asked: Asked,
    query: torch.Tensor,
    prefix: tuple[torch.Tensor, torch.Tensor] | None,
    *,
    scaling: float | None,
    dropout: float,
) -> torch.Tensor:
    """Attend from the needed tokens to what each sees: (1, H, N, D) gives (1, N, H, D).

    `prefix` holds keys and values, (1, H, P, D) each, before those of every sequence.
    """
    if asked.keys is None:
        raise ValueError("the keys of the last layer are not known yet")
    outputs, sizes = [], [part.n_tokens for part in asked.parts]
    queries = query[0].split([len(part.keep) for part in asked.parts], dim=1)
    keys, values = (states[0].split(sizes, dim=1) for states in asked.keys)
    for part, q, k, v in zip(asked.parts, queries, keys, values, strict=True):
        q = q[:, part.queries].transpose(0, 1)  # (n, H, M, D)
        k, v = (states[:, part.keys].transpose(0, 1) for states in (k, v))  # (n, H, L, D)
        if part.n_shared:
            shared = (states[:, :, : part.n_shared].expand(len(k), -1, -1, -1) for states in asked.keys)
            k, v = (torch.cat([earlier, states], dim=2) for earlier, states in zip(shared, (k, v), strict=True))
        k, v = all_keys(q, k, v, prefix)
        mask = part.mask.to(q.dtype)
        output = scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, scale=scaling)
        outputs.append(output.transpose(1, 2).flatten(0, 1)[part.keep])
    return torch.cat(outputs)[None]

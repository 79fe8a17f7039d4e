"""Whether a model can be packed, and how: tried, since models differ in what they follow."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache

import torch
from transformers import PreTrainedModel

from ripeness.models.context_limits import reach
from ripeness.models.forward.kv_cache import Memory
from ripeness.models.forward.last_layer import ask
from ripeness.models.forward.packed_attention import (
    SIMILAR_ASKED,
    attending,
    causal_groups,
    most_unequal,
    packed_logits,
    row_logits,
    similar,
)
from ripeness.models.forward.shared_prefix import keys_and_values
from ripeness.models.forward.trials import trial
from ripeness.models.sharding import n_processes

WHOLE = "whole"  # sequences lie one after the other in a row
NARROW = "narrow"  # only those tokens go through the last layer that something is asked of
TOLERANCE = 1e-3  # between packed and separate logits, in fp32; a leak between sequences is far larger
FAILURES = (TypeError, ValueError, RuntimeError, LookupError, AttributeError, AssertionError)  # of models that cannot
SEQUENCES = [[1, 2, 3, 4, 5], [1, 7, 6], [1, 2, 1, 3]]  # what is tried: they begin alike


@contextmanager
def packing(model: PreTrainedModel, longest: int) -> Iterator[bool]:
    """Let a model attend inside packed sequences of at most `longest` tokens for a while; yield whether it can.

    If not, it stays as it was.
    """
    if not packs_exactly(model, longest):
        yield False
        return
    with attending(model):
        yield True


def packs_exactly(model: PreTrainedModel, longest: int) -> bool:
    """Return whether packing sequences of at most `longest` tokens leaves logits unchanged."""
    return longest <= reach(model) and WHOLE in ways_to_pack(model)


def keeps_exactly(model: PreTrainedModel, longest: int) -> bool:
    """Return whether packing can continue from cached keys: not where a layer runs more than once in a pass."""
    return packs_exactly(model, longest) and goes_on(model)


def narrows_exactly(model: PreTrainedModel) -> bool:
    """Return whether packing, with only the needed tokens in the last layer, leaves logits unchanged."""
    return NARROW in ways_to_pack(model)


@trial
@lru_cache(maxsize=2)  # one model is trained or measured at a time, and another one may reward what it writes
@torch.no_grad()
def ways_to_pack(model: PreTrainedModel) -> tuple[str, ...]:
    """Find how a model may be packed so that logits stay unchanged.

    Nothing is exact where a model adds distances to its scores or has no attention at all. A model that is spread over
    processes runs each of its layers once, so its last layer cannot be narrowed.
    """
    if max(map(len, SEQUENCES)) > reach(model):
        return ()
    exact = []
    with as_it_is_read(model):
        alone = separately(model)
        wanted = torch.tensor([1, 3, 4, 6, 8, 9])
        expected = torch.cat([alone[0], *(logits[1:] for logits in alone[1:])])[wanted.to(model.device)]
        others = [sequence[1:] for sequence in SEQUENCES[1:]]
        for way in (WHOLE, NARROW)[: 2 if n_processes() == 1 else 1]:
            with suppress(*FAILURES), attending(model):
                found = packed_logits(model, [SEQUENCES[0], *others], wanted, 1, is_narrow=way == NARROW)
                if torch.allclose(found.float(), expected.float(), atol=TOLERANCE):
                    exact.append(way)
    return tuple(exact)


@trial
@lru_cache(maxsize=2)
@torch.no_grad()
def goes_on(model: PreTrainedModel) -> bool:
    """Return whether logits stay unchanged when a pass continues from the keys of earlier ones."""
    with as_it_is_read(model), suppress(*FAILURES):
        alone = separately(model)
        expected = torch.stack([logits[place] for place in (-2, -1) for logits in alone])
        with attending(model):
            return torch.allclose(go_on(model).float(), expected.float(), atol=TOLERANCE)
    return False


@contextmanager
def as_it_is_read(model: PreTrainedModel) -> Iterator[None]:
    """Switch off dropout and use full precision for a while."""
    was_training = model.training
    model.eval()
    try:
        with torch.autocast(model.device.type, enabled=False):
            yield
    finally:
        model.train(was_training)


def separately(model: PreTrainedModel) -> list[torch.Tensor]:
    """Compute logits (T, V) of each of SEQUENCES by the model's own attention."""
    rows = (torch.tensor([sequence], device=model.device) for sequence in SEQUENCES)
    return [model(input_ids=row, use_cache=False).logits[0] for row in rows]


def go_on(model: PreTrainedModel) -> torch.Tensor:
    """Compute logits (2 n, V) at the last two tokens of n sequences, in three passes that continue each other."""
    device = model.device
    beginning, middles = SEQUENCES[0][:1], [sequence[1:-1] for sequence in SEQUENCES]
    lengths = [len(middle) for middle in middles]
    memory = Memory(len(middles), max(lengths) + 1, keys_and_values(model, beginning))
    memory.read(0, lengths, device)
    wanted = torch.tensor(lengths).cumsum(0) - 1
    row = [token for middle in middles for token in middle], [1 + n for length in lengths for n in range(length)]
    asked = ask(lengths, wanted, list(similar(lengths, SIMILAR_ASKED)), n_prefix=1) if narrows_exactly(model) else None
    groups = causal_groups(lengths, most_unequal(model), 1)
    first = row_logits(model, *row, wanted, groups, memory.prefix, memory, asked)
    memory.step(lengths, device)
    last, every = [sequence[-1] for sequence in SEQUENCES], torch.arange(len(lengths))
    return torch.cat([first, row_logits(model, last, [1 + n for n in lengths], every, [], memory=memory)])

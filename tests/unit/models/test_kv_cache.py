"""A text that is written token by token attends as it would if it were read anew, wherever it lies in the memory."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from ripeness.models.forward.kv_cache import Memory

HEADS, SIZE, ROOM = 4, 8, 7
CPU = torch.device("cpu")


def states(n, heads, seed):
    return torch.randn(1, heads, n, SIZE, generator=torch.Generator().manual_seed(seed))


def attention_anew(query, keys, values):
    """Attention of one query (H, 1, D) to all keys (K, S, D)."""
    keys, values = (part.repeat_interleave(HEADS // len(part), dim=0)[None] for part in (keys, values))
    return scaled_dot_product_attention(query[None], keys, values)[0, :, 0]  # (H, D)


@pytest.mark.parametrize("shared", [HEADS, 2, 1], ids=lambda heads: f"{heads} heads of keys")
@pytest.mark.parametrize("n_prefix", [0, 5])
def test_a_step_attends_to_the_beginning_and_to_its_own_text(shared, n_prefix):
    prefix = [(states(n_prefix, shared, 1), states(n_prefix, shared, 2))] if n_prefix else None
    memory, lengths = Memory(3, ROOM, prefix), [3, 1, 2]
    keys, values = states(6, shared, 3), states(6, shared, 4)
    memory.read(0, lengths, CPU)
    memory.write(0, keys, values)
    new_keys, new_values, query = states(3, shared, 5), states(3, shared, 6), states(3, HEADS, 7)
    memory.step(lengths, CPU)
    memory.write(0, new_keys, new_values)
    found = memory.attend(0, query, None)
    assert found.shape == (1, 3, HEADS, SIZE)
    parts = zip(keys[0].split(lengths, dim=1), values[0].split(lengths, dim=1), strict=True)
    for text, own in enumerate(parts):
        before = [part[0] for part in prefix[0]] if prefix else [keys[0, :, :0]] * 2
        newest = new_keys[0, :, text : text + 1], new_values[0, :, text : text + 1]
        k, v = (torch.cat(pieces, dim=1) for pieces in zip(before, own, newest, strict=True))
        assert torch.allclose(found[0, text], attention_anew(query[0, :, text : text + 1], k, v), atol=1e-6)


def test_texts_that_are_kept_move_up_and_others_take_the_places_after_them():
    memory = Memory(3, ROOM, None)
    memory.read(0, [1, 2, 1], CPU)
    first = states(4, 2, 0)
    memory.write(0, first, first)
    memory.keep([1])
    memory.read(1, [3], CPU)
    new = states(3, 2, 1)
    memory.write(0, new, new)
    keys, _ = memory.layers[0]
    assert torch.equal(keys[0, :, :2], first[0, :, 1:3])
    assert torch.equal(keys[1, :, :3], new[0])


def test_scores_are_scaled_as_the_model_says():
    memory = Memory(1, ROOM, None)
    memory.read(0, [2], CPU)
    keys = states(2, HEADS, 0)
    memory.write(0, keys, keys)
    memory.step([2], CPU)
    memory.write(0, keys[:, :, :1], keys[:, :, :1])
    query = states(1, HEADS, 3)
    usual, double = memory.attend(0, query, None), memory.attend(0, query, 2 * SIZE**-0.5)
    assert torch.allclose(double, memory.attend(0, 2 * query, None))
    assert not torch.allclose(double, usual)

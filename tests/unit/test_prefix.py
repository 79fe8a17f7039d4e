"""What many prompts begin with is read once, and batches that go on from it leave it as it was."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ripeness.prefix import SHORTEST_PREFIX, prefix_cache, repeated, shared_prefix

PREFIX = list(range(10, 30))


@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=20), max_size=5))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_shared_beginning_leaves_a_token_to_every_context(contexts):
    prefix = shared_prefix(contexts)
    assert all(context[: len(prefix)] == prefix and len(context) > len(prefix) for context in contexts)
    assert not prefix or len(prefix) >= SHORTEST_PREFIX


def test_a_short_shared_beginning_is_not_cached():
    n = SHORTEST_PREFIX
    assert shared_prefix([[1] * (n - 1) + [2], [1] * (n - 1) + [3]]) == []
    assert shared_prefix([[1] * n + [2], [1] * n + [3]]) == [1] * n


def test_no_beginning_needs_no_cache(tiny_model):
    assert prefix_cache(tiny_model(), []) is None
    assert repeated(None, 3) is None


@torch.inference_mode()
def test_a_batch_goes_on_from_a_cache_without_changing_it(tiny_model):
    model, rests = tiny_model(), torch.tensor([[1, 2, 3], [4, 5, 6]])
    positions = torch.arange(len(PREFIX), len(PREFIX) + 3)[None].expand(2, 3)
    whole = model(torch.cat([torch.tensor([PREFIX, PREFIX]), rests], dim=1)).logits[:, -3:]
    cache = prefix_cache(model, PREFIX)
    before = [layer.keys.clone() for layer in cache.layers]
    for _ in range(2):
        mask = torch.ones(3, len(PREFIX) + 3).tril(len(PREFIX)).log().expand(2, 1, 3, -1)
        found = model(rests, attention_mask=mask, position_ids=positions, past_key_values=repeated(cache, 2)).logits
        assert torch.allclose(found, whole, atol=1e-5)
    assert all(torch.equal(layer.keys, keys) for layer, keys in zip(cache.layers, before, strict=True))

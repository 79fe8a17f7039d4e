"""What many prompts begin with is read once."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ripeness.models.forward.packing import packing
from ripeness.models.forward.shared_prefix import SHORTEST_PREFIX, keys_and_values, shared_prefix

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


def test_nothing_is_kept_of_no_beginning(tiny_model):
    assert keys_and_values(tiny_model(), []) is None


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox", "gpt2", "deepseek_v2"])
def test_what_is_kept_of_a_beginning_is_what_a_longer_text_would_keep_of_it(tiny_model, architecture):
    model = tiny_model(architecture)
    with packing(model, 64):
        kept, whole = keys_and_values(model, PREFIX), keys_and_values(model, [*PREFIX, 7, 8])
    assert list(kept) == list(whole) == list(range(model.config.num_hidden_layers))
    for layer in kept:
        for part, other in zip(kept[layer], whole[layer], strict=True):
            assert part.shape[2] == len(PREFIX)
            assert torch.allclose(part, other[:, :, : len(PREFIX)], atol=1e-5)

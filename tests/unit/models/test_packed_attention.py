"""Sequences laid end to end in one row do not see each other, and positions start anew."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ripeness.models.forward import packed_attention
from ripeness.models.forward.packed_attention import PACKED, SIMILAR, packed_logits, shared_groups, similar
from ripeness.models.forward.packing import narrows_exactly, packing

PACKING = ["llama", "gpt_neox", "olmo", "olmo2", "qwen2", "gpt2", "opt", "phi", "olmo3"]
NOT_PACKING = ["mistral", "bloom", "falcon", "mamba", "gemma2"]  # the last caps its scores
few = settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
SEQUENCES = st.lists(st.lists(st.integers(0, 383), min_size=1, max_size=20), min_size=1, max_size=5)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_neighbours_of_similar_length_share_a_call(lengths):
    parts = list(similar(lengths, 1.5))
    assert [index for part in parts for index in part] == list(range(len(lengths)))
    for part in parts:
        assert len(part) == 1 or max(lengths[i] for i in part) <= 1.5 * min(lengths[i] for i in part)


def test_the_first_sequence_is_alone_only_where_it_begins_with_what_is_shared():
    def lengths(n_shared):
        return [group.lengths for group in shared_groups([5, 5, 3, 3], 1.0, n_shared)]

    assert lengths(0) == [[5, 5], [3, 3]] and lengths(2) == [[5], [5], [3, 3]]


@pytest.fixture(scope="module")
def models(tiny_model):
    return {name: tiny_model(name) for name in [*PACKING, *NOT_PACKING]}


def logits_of(model, tokens):
    return model(torch.tensor([tokens], device=model.device), use_cache=False).logits[0]


@pytest.mark.parametrize("architecture", PACKING)
@few
@given(sequences=SEQUENCES)
@torch.no_grad()
def test_packed_sequences_give_the_logits_of_each_alone(models, architecture, sequences):
    model = models[architecture]
    expected = torch.cat([logits_of(model, sequence) for sequence in sequences])
    with packing(model, 64) as is_packed:
        assert is_packed
        positions = torch.arange(0, len(expected), 2)
        found = packed_logits(model, sequences, positions, is_narrow=narrows_exactly(model))
    assert torch.allclose(found, expected[positions], atol=2e-5)


@pytest.fixture(params=[1.0, 3.0])
def alike(request, monkeypatch):
    """How similar neighbours are that share a call, as on a CPU and on a GPU."""
    monkeypatch.setitem(SIMILAR, "cpu", request.param)
    monkeypatch.setattr(packed_attention, "SIMILAR_ON_GPU", request.param)


@pytest.mark.usefixtures("alike")
@pytest.mark.parametrize("architecture", PACKING)
@few
@given(shared=st.lists(st.integers(0, 383), min_size=1, max_size=6), sequences=SEQUENCES)
@torch.no_grad()
def test_what_all_begin_with_is_read_once(models, architecture, shared, sequences):
    model, n = models[architecture], len(shared)
    alone = [logits_of(model, shared + sequence) for sequence in sequences]
    expected = torch.cat([alone[0], *(logits[n:] for logits in alone[1:])])
    with packing(model, 64):
        positions = torch.arange(n, len(expected))
        found = packed_logits(
            model, [shared + sequences[0], *sequences[1:]], positions, n, is_narrow=narrows_exactly(model)
        )
    assert torch.allclose(found, expected[positions], atol=2e-5)


def test_gradients_do_not_leak_from_one_sequence_to_another(models):
    model = models["llama"]
    embeddings = []
    hook = model.get_input_embeddings().register_forward_hook(lambda _, __, output: embeddings.append(output))
    with packing(model, 64):
        embeddings.clear()
        last_of_second = torch.tensor([4])
        logits = packed_logits(model, [[1, 2, 3], [4, 5], [6, 7, 8]], last_of_second, is_narrow=True)
        embeddings[0].retain_grad()
        logits.sum().backward()
    hook.remove()
    touched = (embeddings[0].grad[0].abs().sum(-1) > 0).tolist()
    assert touched == [False, False, False, True, True, False, False, False]
    model.zero_grad()


@pytest.mark.parametrize("architecture", NOT_PACKING)
def test_a_model_that_cannot_pack_says_so_and_stays_as_it_was(models, architecture):
    model = models[architecture]
    before = model.config._attn_implementation
    with packing(model, 64) as is_packed:
        assert not is_packed
        assert model.config._attn_implementation == before


def test_afterwards_a_model_attends_as_before(models):
    model = models["qwen2"]
    before = model.config._attn_implementation
    with pytest.raises(KeyError), packing(model, 64):
        assert model.config._attn_implementation == PACKED
        raise KeyError
    assert model.config._attn_implementation == before != PACKED


def test_trying_leaves_a_model_in_training(models):
    model = models["olmo"].train()
    with packing(model, 64):
        assert model.training
    model.eval()

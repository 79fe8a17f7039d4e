"""The states that a model's output layer reads: those of transformers, however texts are read together."""

import pytest
import torch

from ripeness.models.forward import last_states as module
from ripeness.models.forward.last_states import last_states
from ripeness.models.forward.packing import ways_to_pack
from ripeness.models.forward.state_outputs import Said, saying, width_of_states
from ripeness.runtime.errors import UserError

CONTEXTS = [[5, 6, 7, 8, 9, 11], [5, 6, 12], [3], [5, 6, 7, 8, 13, 2, 2, 9], [5, 6, 7]]
# of which some change their logits (caps, scales), some cannot be packed, and one has no attention
ARCHITECTURES = ["llama", "gpt2", "gpt_neox", "olmo2", "gemma2", "cohere", "granite", "bloom", "mamba", "opt"]
SIZES = {
    "cohere": {"logit_scale": 0.25},
    "gemma2": {"head_dim": 8, "final_logit_softcapping": 0.5},
    "granite": {"logits_scaling": 4.0},
    "mamba": {"num_attention_heads": None},
}


def made(tiny_model, architecture):
    return tiny_model(architecture, **SIZES.get(architecture, {}))


@torch.no_grad()
def expected(model, contexts):
    """What the module before the vocabulary gives, one text at a time."""
    kept = []
    handle = model.get_output_embeddings().register_forward_pre_hook(lambda _, args: kept.append(args[0][0, -1]))
    for context in contexts:
        model(input_ids=torch.tensor([context]), use_cache=False)
    handle.remove()
    return torch.stack(kept)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_states_are_those_of_a_text_alone_whatever_is_read_with_it(tiny_model, architecture):
    model = made(tiny_model, architecture)
    for batch_tokens in (4096, 1):
        found = last_states(model, CONTEXTS, batch_tokens=batch_tokens)
        assert found.dtype == torch.float32
        assert torch.allclose(found, expected(model, CONTEXTS), atol=1e-4)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gpt_neox", "olmo2", "gemma2", "granite"])
def test_states_are_the_last_hidden_states_of_transformers(tiny_model, architecture):
    model = made(tiny_model, architecture)
    for context, found in zip(CONTEXTS, last_states(model, CONTEXTS, batch_tokens=64), strict=True):
        read = model(input_ids=torch.tensor([context]), output_hidden_states=True, use_cache=False)
        assert torch.allclose(found, read.hidden_states[-1][0, -1], atol=1e-4)


def test_most_models_are_packed_and_one_that_cannot_be_is_padded(tiny_model, monkeypatch):
    ways = []
    for name in ("packed_states", "padded_states"):
        way = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, way=way, name=name: (ways.append(name), way(*args))[1])
    for architecture in ("llama", "bloom"):
        last_states(tiny_model(architecture), CONTEXTS, batch_tokens=4096)
    assert ways == ["packed_states", "padded_states"]


def test_nothing_is_left_behind(tiny_model):
    model = tiny_model("llama")
    tokens = torch.tensor([CONTEXTS[0]])
    before = model(input_ids=tokens).logits
    last_states(model, CONTEXTS, batch_tokens=64)
    assert torch.equal(model(input_ids=tokens).logits, before)
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in model.modules())
    with pytest.raises(ZeroDivisionError), saying(model, lambda states: states):
        raise ZeroDivisionError
    assert torch.equal(model(input_ids=tokens).logits, before)


@pytest.mark.parametrize("architecture", ["gemma2", "cohere", "granite"])
def test_what_a_model_does_to_its_logits_is_not_done_to_a_layer_in_their_place(tiny_model, architecture):
    model = made(tiny_model, architecture)
    layer = torch.nn.Linear(32, 3)
    with saying(model, layer), torch.no_grad():
        found = model(input_ids=torch.tensor([CONTEXTS[0]]), use_cache=False).logits
        assert torch.allclose(found[0, -1], layer(expected(model, CONTEXTS[:1])[0]), atol=1e-5)


def test_a_layer_of_zeros_does_not_hide_that_a_model_cannot_be_packed(tiny_model):
    model = tiny_model("bloom")
    said = Said(model, lambda states: torch.zeros(*states.shape[:-1], 2))
    assert ways_to_pack(model) == ()
    said.end()


def test_a_model_without_an_output_layer_is_refused_with_a_hint(tiny_model, monkeypatch):
    model = tiny_model("llama")
    monkeypatch.setattr(type(model), "get_output_embeddings", lambda self: None)
    with pytest.raises(UserError, match="the output layer of LlamaForCausalLM reads are not found\nhint: kind: full"):
        width_of_states(model)

"""Only what is asked goes through the last layer, and its logits are those of reading everything."""

import pytest
import torch

from ripeness.models.forward.last_layer import ask, last_layer, places_in
from ripeness.models.forward.packed_attention import attending, packed_logits
from ripeness.models.forward.packing import NARROW, WHOLE, narrows_exactly, packing, ways_to_pack
from ripeness.models.methods.layer_names import blocks_of

SEQUENCES = [[5, 6, 7, 8, 9, 10, 11], [12, 13, 14], [15, 16, 17, 18]]  # in a row of 14
ROW = 14


def test_places_in_a_row_are_places_in_its_sequences():
    assert places_in([7, 3, 4], [0, 6, 7, 12, 13]) == [[0, 6], [0], [2, 3]]


@pytest.mark.parametrize("places", [[6, 0, 8, 12], [6, 6, 8, 12]])
def test_places_out_of_order_are_not_narrowed(places):
    assert ask([7, 3, 4], torch.tensor(places), [range(3)]) is None


def test_a_sequence_of_which_nothing_is_asked_is_not_narrowed():
    assert ask([7, 3, 4], torch.tensor([6, 13]), [range(3)]) is None


@pytest.mark.parametrize("architecture", ["llama", "olmo2", "gpt_neox", "qwen2"])
@pytest.mark.parametrize("wanted", [[6, 9, 13], [0, 3, 6, 7, 8, 12], list(range(ROW))])
def test_logits_and_gradients_are_those_of_reading_everything(tiny_model, architecture, wanted):
    model, places, found = tiny_model(architecture), torch.tensor(wanted), {}
    assert ways_to_pack(model) == (WHOLE, NARROW)
    for is_narrow in (False, True):
        model.zero_grad(set_to_none=True)
        with attending(model):
            logits = packed_logits(model, SEQUENCES, places, is_narrow=is_narrow)
        logits.logsumexp(-1).sum().backward()
        found[is_narrow] = [logits.detach(), *(weight.grad for weight in model.parameters())]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found[False], found[True], strict=True))


@pytest.mark.parametrize("architecture", ["llama", "olmo2", "gpt_neox", "qwen2"])
@pytest.mark.parametrize("wanted", [[6, 9, 13], [2, 3, 6, 7, 8, 12], list(range(ROW))])
def test_what_all_begin_with_gets_the_gradients_of_all(tiny_model, architecture, wanted):
    model, n, found = tiny_model(architecture), 2, {}
    whole = [SEQUENCES[0], *(SEQUENCES[0][:n] + sequence for sequence in SEQUENCES[1:])]
    twice = [place + n * sum(place >= start for start in (7, 10)) for place in wanted]
    for way, (sequences, places, shared) in {
        "apart": (whole, twice, 0), "narrow": (SEQUENCES, wanted, n), "shared": (SEQUENCES, wanted, n),
    }.items():  # fmt: skip
        model.zero_grad(set_to_none=True)
        with attending(model):
            logits = packed_logits(model, sequences, torch.tensor(places), shared, is_narrow=way == "narrow")
        logits.logsumexp(-1).sum().backward()
        found[way] = [logits.detach(), *(weight.grad for weight in model.parameters())]
    for way in ("narrow", "shared"):
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found["apart"], found[way], strict=True))


def test_the_last_layer_computes_what_is_asked_and_nothing_else(tiny_model):
    model, sizes = tiny_model(), []
    layer = last_layer(model)
    hook = layer.mlp.register_forward_pre_hook(lambda _, args: sizes.append(args[0].shape[1]))
    assert ways_to_pack(model) == (WHOLE, NARROW)
    sizes.clear()
    with packing(model, 64):
        packed_logits(model, SEQUENCES, torch.tensor([6, 9, 13]), is_narrow=narrows_exactly(model))
    hook.remove()
    assert sizes == [3]
    assert not layer._forward_pre_hooks


def test_a_model_that_does_not_follow_is_packed_and_not_narrowed(tiny_model):
    model = tiny_model("gpt2")
    assert ways_to_pack(model) == (WHOLE,)
    with packing(model, 64) as is_packed:
        assert is_packed
        logits = packed_logits(model, SEQUENCES, torch.tensor([6, 9, 13]), is_narrow=narrows_exactly(model))
        assert logits.shape == (3, 384)


def test_other_layers_are_not_shown_the_keys_of_the_last_one(tiny_model):
    model, shown = tiny_model("llama"), []
    first = next(iter(blocks_of(model).values()))
    hook = first.register_forward_pre_hook(lambda _, __, given: shown.append(given.get("asked")), with_kwargs=True)
    with packing(model, 64):
        packed_logits(model, SEQUENCES, torch.tensor([6, 9, 13]), is_narrow=True)
    hook.remove()
    assert shown[-1].keys is None

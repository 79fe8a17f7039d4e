"""An attention over adapters: what it computes, what it starts as, what is trained, and what it refuses."""

import pytest
import torch
from small_kinds import ROWS, TOKENS, logits, settings_of

from ripeness.models.batching import encode_examples
from ripeness.models.methods.adapter import attach as attach_adapters
from ripeness.models.methods.fusion import TO_IDENTITY, Fused, attach
from ripeness.runtime.errors import UserError
from ripeness.train.loop import train


@pytest.fixture(scope="module")
def examples(tokenizer):
    return encode_examples(ROWS, tokenizer, max_length=64)


@torch.no_grad()
def adapted(model, number, **change):
    """A model with adapters that do something, and their state."""
    attached = attach_adapters(model, settings_of("adapter", **change))
    torch.manual_seed(number)
    for network in attached.networks.values():
        for weight in network.parameters():
            weight.normal_(std=0.3)
    return model, attached.state()


@torch.no_grad()
def test_a_fusion_is_an_attention_from_what_a_part_gives_to_what_adapters_change():
    torch.manual_seed(3)
    fused, states = Fused(6, [2, 3, 2]), torch.randn(1, 4, 6)
    for weight in fused.parameters():
        weight.normal_()
    changes = [adapter.change(states) for adapter in fused.adapters]
    query = fused.query(states)
    scores = torch.stack([(query * fused.key(change)).sum(-1) for change in changes])
    mixed = sum(share[..., None] * fused.value(one) for share, one in zip(scores.softmax(0), changes, strict=True))
    assert torch.allclose(fused.changed(states), states + mixed, atol=1e-5)


@pytest.mark.parametrize("change", [{}, {"places": "feed-forward"}, {"drop": 1}])
def test_a_fusion_of_equal_adapters_starts_as_a_model_with_one_of_them(tiny_model, change):
    one, state = adapted(tiny_model(), 1, **change)
    fused = tiny_model()
    attach(fused, settings_of("fusion")).start_from([state, state, state])
    assert torch.allclose(logits(fused), logits(one), atol=1e-4)


def test_a_fusion_of_different_adapters_starts_between_them(tiny_model):
    (one, state), (other, another) = adapted(tiny_model(), 1), adapted(tiny_model(), 2, size=7)
    fused = tiny_model()
    attached = attach(fused, settings_of("fusion"))
    attached.start_from([state, another])
    assert not torch.allclose(logits(fused), logits(one), atol=1e-2)
    assert not torch.allclose(logits(fused), logits(other), atol=1e-2)
    sizes = [[len(adapter.down.weight) for adapter in network.adapters] for network in attached.networks.values()]
    assert sizes == [[4, 7]] * 4


def test_adapters_stay_as_they_are_while_their_attention_is_trained(tiny_model, examples):
    states = [adapted(tiny_model(), number)[1] for number in range(2)]
    outcome = train(tiny_model(), examples, settings_of("fusion"), pad=0, others=states)
    for number, state in enumerate(states):
        kept = {name.replace(f".adapters.{number}.", "."): one for name, one in outcome.state.items()}
        assert all(torch.equal(kept[name], state[name]) for name in state)
    start = tiny_model()
    torch.manual_seed(1)
    attached = attach(start, settings_of("fusion"))
    attached.start_from(states)
    trained = {name for name, one in attached.state().items() if not torch.equal(one, outcome.state[name])}
    assert {name.rpartition("mlp.")[2] for name in trained if "mlp." in name} == {
        "query.weight", "query.bias", "key.weight", "value.weight",
    }  # fmt: skip


def test_the_distance_of_the_value_matrices_from_the_identity_is_part_of_the_loss(tiny_model):
    attached = attach(tiny_model(), settings_of("fusion"))
    attached.start_from([adapted(tiny_model(), number)[1] for number in range(2)])
    assert attached.penalty().item() == 0
    with torch.no_grad():
        for network in attached.networks.values():
            network.value.weight[0, 1] = 2.0
    penalty = attached.penalty()
    assert penalty.item() == pytest.approx(TO_IDENTITY * 4 * 2.0**2)
    penalty.backward()
    assert next(iter(attached.networks.values())).value.weight.grad[0, 1].item() == pytest.approx(TO_IDENTITY * 4)


def test_adapters_of_another_model_or_of_different_places_are_refused(tiny_model):
    (_, state), (_, fewer) = adapted(tiny_model(), 1), adapted(tiny_model(), 1, places="feed-forward")
    with pytest.raises(UserError, match="not all behind the same parts\\nhint: "):
        attach(tiny_model(), settings_of("fusion")).start_from([state, fewer])
    with pytest.raises(ValueError, match="has shape"):
        attach(tiny_model(hidden_size=48), settings_of("fusion")).start_from([state, state])
    with pytest.raises(KeyError, match="gpt_neox.* is not in both|model.layers.* is not in both"):
        attach(tiny_model("gpt_neox"), settings_of("fusion")).start_from([state, state])


def test_a_fusion_of_nothing_is_refused(tiny_model, examples):
    with pytest.raises(UserError, match=r"kind fusion has no adapters to start from\nhint: "):
        train(tiny_model(), examples, settings_of("fusion"), pad=0)


def test_a_kind_that_is_made_of_no_other_trainings_refuses_them(tiny_model, examples):
    with pytest.raises(ValueError, match="made of no other trainings"):
        train(tiny_model(), examples, settings_of("lora"), pad=0, others=[{"a": TOKENS}])

"""Bottleneck adapters: what they compute, in which blocks they are, and which are off in a step."""

import pytest
import torch
from small_kinds import ROWS, TOKENS, settings_of
from torch.nn.functional import gelu

from ripeness.models.batching import encode_examples
from ripeness.models.methods.adapter import Bottleneck, attach
from ripeness.runtime.errors import UserError
from ripeness.train.loop import train


@pytest.fixture(scope="module")
def examples(tokenizer):
    return encode_examples(ROWS, tokenizer, max_length=64)


def places(model, **change):
    return [name.removeprefix("model.layers.") for name in attach(model, settings_of("adapter", **change)).networks]


def test_an_adapter_adds_a_bottleneck_of_what_its_part_gives_and_leaves_the_rest():
    adapter, states, rest = Bottleneck(6, 2), torch.randn(1, 3, 6), object()
    torch.nn.init.normal_(adapter.up.weight)
    torch.nn.init.normal_(adapter.up.bias)
    inner = states @ adapter.down.weight.T + adapter.down.bias
    expected = states + gelu(inner) @ adapter.up.weight.T + adapter.up.bias
    found = adapter(torch.nn.Identity(), (), (states, rest))
    assert torch.allclose(found[0], expected, atol=1e-6) and found[1] is rest and len(found) == 2
    assert torch.allclose(adapter(torch.nn.Identity(), (), states), expected, atol=1e-6)
    adapter.is_on = False
    assert torch.equal(adapter(torch.nn.Identity(), (), states), states)


def test_adapters_are_behind_both_parts_or_the_feed_forward_part_of_the_blocks_that_keep_theirs(tiny_model):
    both = ["0.self_attn", "0.mlp", "1.self_attn", "1.mlp"]
    assert places(tiny_model()) == places(tiny_model(), places="both") == both
    assert places(tiny_model(), places="feed-forward") == ["0.mlp", "1.mlp"]
    assert places(tiny_model(), drop=1) == ["1.self_attn", "1.mlp"]
    assert places(tiny_model(), drop=1, places="feed-forward") == ["1.mlp"]
    assert places(tiny_model(), drop=1, robust=True) == both  # all of them are there, in some steps


def test_blocks_without_adapters_need_no_backward_pass(tiny_model):
    model, reads = tiny_model(num_hidden_layers=3), []
    attach(model, settings_of("adapter", drop=2))
    for layer in model.model.layers:
        layer.register_forward_hook(lambda layer, args, output: reads.append(output.requires_grad))
    model(TOKENS)
    assert reads == [False, False, True]


@pytest.mark.parametrize("more", [{}, {"robust": True}])
def test_dropping_the_adapters_of_all_blocks_is_refused(tiny_model, more):
    with pytest.raises(UserError, match=r"drop: 2 leaves none of the 2 blocks .*\nhint: at most drop: 1"):
        attach(tiny_model(), settings_of("adapter", drop=2, **more))


def begun(model, seed, n_steps=40):
    attached = attach(model, settings_of("adapter-robust", drop=2, seed=seed))
    attached.begin(n_steps)
    return attached


def test_the_first_blocks_that_are_off_in_a_step_are_drawn_evenly_from_the_seed(tiny_model):
    model = tiny_model(num_hidden_layers=3)
    attached = begun(model, 1, 3000)
    shares = [attached.n_off.count(n) / 3000 for n in range(3)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.04)
    assert attached.n_off[:40] == begun(tiny_model(num_hidden_layers=3), 1, 40).n_off
    assert attached.n_off[:40] != begun(tiny_model(num_hidden_layers=3), 2, 40).n_off
    for step in range(10):
        attached.before_step(step)
        on = [adapter.is_on for adapter in attached.networks.values()]
        n_off = attached.n_off[step]
        assert on == [False] * 2 * n_off + [True] * 2 * (3 - n_off)
    attached.merge()
    assert all(adapter.is_on for adapter in attached.networks.values())


def test_adapters_that_are_off_in_a_step_learn_nothing_in_it(tiny_model, examples):
    settings = settings_of("adapter-robust", steps=1, epochs=1)
    states = {}
    for seed in range(1, 9):
        changed = train(tiny_model(), examples, settings_of("adapter-robust", seed=seed, steps=1), pad=0).state
        states[begun_off(tiny_model(), seed)] = changed["model.layers.0.mlp.up.weight"].any().item()
    assert states == {0: True, 1: False} and settings.drop == 1


def begun_off(model, seed):
    attached = attach(model, settings_of("adapter-robust", seed=seed))
    attached.begin(1)
    return attached.n_off[0]

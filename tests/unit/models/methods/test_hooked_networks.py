"""Kinds that stay behind the parts of a model: exact at the start, alone in what is read, saved, and resumed."""

import shutil

import model_zoo
import pytest
import torch
from small_kinds import BEHIND, ROWS, TOKENS, killed, logits, moved, same_weights, settings_of, shape_of

from ripeness.measure.generation import generate
from ripeness.models.batching import encode_examples
from ripeness.models.forward.packing import goes_on, ways_to_pack
from ripeness.models.forward.padding import ignores_padding, way_to_write, written_anew
from ripeness.models.load import load_model
from ripeness.models.methods.hooked_networks import Behind, BehindParts, parts_of
from ripeness.models.methods.register import attach
from ripeness.models.next_token import Stopping, answer_text, writer_of
from ripeness.models.token_healing import Start
from ripeness.models.tuned_state import STATE, Tuned, fingerprint_of
from ripeness.models.tuned_weights import save_model
from ripeness.runtime.errors import UserError
from ripeness.study.methods.register import KINDS as KNOWN
from ripeness.train.loop import train

PARTS = {
    "llama": ("self_attn", "mlp"),
    "olmo2": ("self_attn", "mlp"),
    "gemma2": ("self_attn", "mlp"),
    "gpt_neox": ("attention", "mlp"),
    "gpt2": ("attn", "mlp"),
    "mixtral": ("self_attn", "mlp"),
    "phi": ("self_attn", "mlp"),
    "deepseek_v2": ("self_attn", "mlp"),
    "opt": ("self_attn", "fc2"),  # its feed-forward part is two layers of the block
    "openai-gpt": ("attn", "mlp"),  # whose attention gives a list
    "bloom": ("self_attention", "mlp"),
}
N_ADAPTERS = 2  # of a fusion


@pytest.fixture(scope="module")
def examples(tokenizer):
    return encode_examples(ROWS, tokenizer, max_length=64)


@pytest.fixture(params=BEHIND)
def name(request):
    return request.param


@torch.no_grad()
def adapters_of(model, number):
    """The state of adapters that do something, as a training on some dataset may end with."""
    attached = attach(model, settings_of("adapter"))
    torch.manual_seed(number)
    for network in attached.networks.values():
        for weight in network.parameters():
            weight.normal_(std=0.3)
    return attached.state()


@pytest.fixture
def others(tiny_model, name):
    """What a kind is made of, on a tiny llama."""
    return [adapters_of(tiny_model(), number) for number in range(N_ADAPTERS)] if name == "fusion" else []


def attached_to(model, name, others=()):
    attached = attach(model, settings_of(name))
    if others:
        attached.start_from(others)
    return attached


@torch.no_grad()
def far_from_zero(model, name, others=()):
    """Put in a kind whose weights do much."""
    attached = attached_to(model, name, others)
    torch.manual_seed(7)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.normal_(std=0.3)
    attached.merge()
    for found in (ways_to_pack, goes_on, ignores_padding, way_to_write):
        found.cache_clear()
    return model


def hooked(model):
    return {name for name, module in model.named_modules() if module._forward_hooks}


def without_hooks(shape):
    modules, _, *others = shape
    return modules, *others


@pytest.mark.parametrize("architecture", PARTS)
def test_parts_of_a_block_are_found_and_adapters_leave_a_model_untouched_to_the_bit(tiny_model, architecture):
    model = tiny_model(architecture)
    found = [[place.rpartition(".")[2] for place in block] for block in parts_of(model)]
    assert found == [list(PARTS[architecture])] * 2
    assert [set(block.values()) for block in parts_of(model)] == [{32}] * 2
    before, start = logits(model), tiny_model(architecture)
    attached = attach(model, settings_of("adapter"))
    assert torch.equal(logits(model), before)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert sum(weight.numel() for weight in trained) == 2 * 2 * (2 * 32 * 4 + 32 + 4)
    for network in attached.networks.values():
        torch.nn.init.normal_(network.up.weight)
    model(TOKENS).logits.sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in trained)
    attached.merge()
    assert not torch.allclose(logits(model), before, atol=1e-2)
    assert same_weights(model, start)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("mamba", r"the block backbone.layers.0 \(MambaBlock\) has not one part .*; it has norm, mixer\nhint: kind"),
        ("dbrx", r"\(DbrxBlock\) has not one part .*; it has norm_attn_norm, ffn\n"),  # which gives two sorts of states
        ("falcon_h1", r"\(FalconH1DecoderLayer\) has not one part .*; it has feed_forward, mamba, self_attn, "),
    ],
)
def test_a_model_without_places_for_adapters_is_refused_with_what_its_blocks_have(architecture, message):
    model = model_zoo.tiny_model(architecture)
    with pytest.raises(UserError, match=message):
        attach(model, settings_of("adapter"))
    assert not hooked(model) and all(weight.requires_grad for weight in model.parameters())


def test_a_layer_that_is_as_wide_as_the_model_by_chance_is_no_part_that_is_guessed(tiny_model):
    with pytest.raises(UserError, match="it has self_attn, .*fc1, fc2"):
        parts_of(tiny_model("opt", ffn_dim=32))


def test_a_model_is_untouched_before_the_first_step_and_then_has_hooks_and_nothing_else(tiny_model, name, others):
    model, start = tiny_model(), tiny_model()
    torch.manual_seed(1)
    attached = attached_to(model, name, others)
    assert any(weight.requires_grad for weight in model.parameters())
    assert name == "fusion" or torch.equal(logits(model), logits(start))
    attached.merge()
    assert without_hooks(shape_of(model)) == without_hooks(shape_of(start))
    assert hooked(model) == set(attached.networks)
    assert same_weights(model, start)
    assert not any(weight.requires_grad for network in attached.networks.values() for weight in network.parameters())


def test_what_was_learned_stays_behind_parts_of_a_model_whose_weights_are_those_before(
    tiny_model, examples, name, others
):
    model, start = tiny_model(), tiny_model()
    outcome = train(model, examples, settings_of(name, epochs=6), pad=0, others=others)
    assert outcome.status == "done" and outcome.losses[-1] < outcome.losses[0] - 0.1
    assert not torch.allclose(logits(model), logits(start), atol=1e-2)
    assert without_hooks(shape_of(model)) == without_hooks(shape_of(start))
    assert not moved(model, start)
    again = attach(start, settings_of(name))
    again.load(outcome.state)
    assert torch.equal(logits(start), logits(model))


def test_a_state_that_is_saved_is_loaded_as_the_model_in_memory(
    tiny_model, examples, checkpoint, tmp_path, name, others
):
    base = tmp_path / "base"
    shutil.copytree(checkpoint, base)
    model, settings = load_model(base), settings_of(name)
    fingerprint = fingerprint_of(model)
    outcome = train(model, examples, settings, pad=0, others=others)
    save_model(model, base, tmp_path / "tuned", tuned=Tuned(settings, outcome.state, fingerprint))
    torch.manual_seed(99)
    before = torch.get_rng_state()
    again = load_model(tmp_path / "tuned")
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(logits(again), logits(model))
    assert same_weights(again, load_model(base))
    n_parameters = sum(weight.numel() for weight in model.parameters())
    n_saved = sum(tensor.numel() for tensor in outcome.state.values())
    assert n_saved <= KNOWN[settings.kind].state_size(vars(settings), n_parameters)
    assert (tmp_path / "tuned" / STATE).stat().st_size < (base / "model.safetensors").stat().st_size


@pytest.mark.parametrize("after", [1, 4])
def test_a_training_that_is_killed_goes_on_to_the_same_state(tiny_model, examples, tmp_path, name, others, after):
    expected, settings = tiny_model(), settings_of(name)
    outcome = train(expected, examples, settings, pad=0, others=others)
    progress = killed(tiny_model(), examples, settings, tmp_path / "state", after, others=others)
    torch.manual_seed(99)
    model = tiny_model()
    again = train(model, examples, settings, pad=0, progress=progress, others=others)
    assert again[:3] == outcome[:3]
    assert again.state.keys() == outcome.state.keys()
    assert all(torch.equal(again.state[key], outcome.state[key]) for key in again.state)
    assert torch.equal(logits(model), logits(expected))


@pytest.mark.parametrize("architecture", ["llama", "olmo2", "gpt_neox", "gpt2", "mixtral", "opt"])
def test_no_sequence_sees_another_one_through_adapters_and_they_are_read_as_before(tiny_model, architecture):
    ways = ways_to_pack(tiny_model(architecture))
    model = far_from_zero(tiny_model(architecture), "adapter")
    assert ways_to_pack(model) == ways and ways[:1] == ("whole",)
    assert goes_on(model) and ignores_padding(model)
    assert not torch.allclose(logits(model), logits(tiny_model(architecture)), atol=0.1)


def test_no_sequence_sees_another_one_through_any_kind(tiny_model, name, others):
    model = far_from_zero(tiny_model(), name, others)
    assert ways_to_pack(model) == ("whole", "narrow") and goes_on(model)


class Leaking(Behind):
    """A network that mixes the tokens of a row, as none must."""

    def changed(self, states):
        return states + states.mean(dim=1, keepdim=True)


def test_a_network_that_mixes_tokens_would_be_seen(tiny_model):
    model = tiny_model()
    BehindParts(model, {"model.layers.0.mlp": Leaking()}).merge()
    ways_to_pack.cache_clear()
    assert ways_to_pack(model) == ()


def test_texts_are_written_as_single_passes_choose_them(tiny_model, tokenizer, name, others):
    model = far_from_zero(tiny_model(), name, others)
    contexts = [tokenizer.encode(text) for text in ("the film was", "the film was long, far", "a dog")]
    stopping, starts = Stopping(6), [Start(context) for context in contexts]
    written = generate(model, tokenizer, contexts, stopping, batch_tokens=64)
    alone = [written_anew(model, start, writer_of(model, tokenizer, stopping)) for start in starts]
    assert written == [answer_text(tokenizer, stopping, *text) for text in zip(starts, alone, strict=True)]
    assert len(set(written)) > 1


def test_losses_in_bf16_are_near_those_in_single_precision(tiny_model, examples, name, others):
    losses = {
        precision: train(tiny_model(), examples, settings_of(name, precision=precision), pad=0, others=others).losses
        for precision in ("fp32", "bf16")
    }
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.05) and losses["bf16"] != losses["fp32"]


def test_a_training_that_diverges_is_a_result(tiny_model, examples, name, others):
    outcome = train(tiny_model(), examples, settings_of(name, learning_rate=1e20), pad=0, others=others)
    assert outcome.status == "diverged"


def test_a_state_of_other_adapters_is_refused(tiny_model, name, others):
    state = {key: tensor[:-1] for key, tensor in attached_to(tiny_model(), name, others).state().items()}
    with pytest.raises(ValueError, match="has shape"):
        attach(tiny_model(), settings_of(name)).load(state)
    elsewhere = {key.replace("layers.1", "layers.5"): tensor for key, tensor in state.items()}
    with pytest.raises(KeyError, match="is not in both the model and the state"):
        attach(tiny_model(), settings_of(name)).load(elsewhere)

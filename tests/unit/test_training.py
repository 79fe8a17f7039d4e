"""Tuning is the plain loop that one would write by hand, and its divergence is a result."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from ripeness.errors import UserError
from ripeness.models import encode, end_of_text
from ripeness.training import (
    IGNORED,
    TrainingSettings,
    batches,
    encode_examples,
    padded,
    rate_at,
    read_settings,
    train,
)

SETTINGS = TrainingSettings(
    kind="full",
    learning_rate=3e-3,
    epochs=2,
    batch_size=4,
    schedule="linear",
    warmup_ratio=0.3,
    weight_decay=0.1,
    clip=1.0,
    seed=1,
)
ROWS = [
    (f"row{n}", "the film was " + "far " * (n % 4) + "long\nit is", [" good", " very bad and short"][n % 2])
    for n in range(10)
]


@pytest.fixture(scope="module")
def examples(tokenizer):
    return encode_examples(ROWS, tokenizer, max_length=64)


def tune(tiny_model, examples, architecture="llama", **changes):
    """Tune a fresh model; the same model every time."""
    model = tiny_model(architecture)
    losses, status = train(model, examples, replace(SETTINGS, **changes), pad=0)
    return losses, status, model


def same_weights(model, other):
    return all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def by_hand(model, examples, settings, order):
    """Train one example at a time, without padding: loss and gradient of a batch are sums over its answer tokens."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    model.train()
    losses = []
    for step, batch in enumerate(order):
        n_answer_tokens = sum(sum(target != IGNORED for target in example.targets) for example in batch)
        optimizer.zero_grad()
        total = 0.0
        for example in batch:
            logits = model(torch.tensor([example.tokens])).logits[0]
            for position, target in enumerate(example.targets[1:]):
                if target != IGNORED:
                    loss = cross_entropy(logits[position], torch.tensor(target)) / n_answer_tokens
                    loss.backward(retain_graph=True)
                    total += loss.item()
        losses.append(total)
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.param_groups[0]["lr"] = settings.learning_rate * [0.5, 1.0, 1.0, 0.75, 0.5, 0.25][step]
        optimizer.step()
    return losses


def test_only_the_answer_and_the_end_of_text_are_learned(tokenizer, examples):
    for (_, prompt, answer), example in zip(ROWS, examples, strict=True):
        learned = [target for target in example.targets if target != IGNORED]
        (prompt_tokens, answer_tokens) = encode(tokenizer, [prompt, answer])
        assert learned == [*answer_tokens, end_of_text(tokenizer)]
        assert example.tokens == [*prompt_tokens, *learned]
        assert example.targets[-len(learned) :] == learned


def test_every_token_of_an_answer_without_a_prompt_is_learned(tokenizer):
    (example,) = encode_examples([("a", "", "good")], tokenizer, max_length=64)
    end, (words,) = end_of_text(tokenizer), encode(tokenizer, ["good"])
    assert example.tokens == [end, *words, end]
    assert example.targets == [IGNORED, *words, end]


def test_an_example_that_does_not_fit_is_refused_by_name(tokenizer):
    longest = len(encode(tokenizer, ["see what good"])[0]) + 1
    assert encode_examples([("item7", "see what", " good")], tokenizer, max_length=longest)
    with pytest.raises(UserError, match=rf"'item7' has {longest} tokens .* reads {longest - 1}\nhint: "):
        encode_examples([("item7", "see what", " good")], tokenizer, max_length=longest - 1)


def test_training_on_nothing_is_refused(tokenizer):
    with pytest.raises(UserError, match="no examples to train on"):
        encode_examples([], tokenizer, max_length=64)


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox", "olmo2", "qwen2"])
def test_losses_and_weights_are_those_of_a_loop_written_by_hand(tiny_model, examples, architecture):
    losses, status, model = tune(tiny_model, examples, architecture)
    reference = tiny_model(architecture)
    expected = by_hand(reference, examples, SETTINGS, batches(examples, SETTINGS))
    assert status == "done"
    assert len(losses) == 6  # two epochs of 10 examples in batches of 4
    assert losses == pytest.approx(expected, abs=1e-4)
    assert losses[-1] < losses[0] - 0.5
    assert not same_weights(model, tiny_model(architecture))


def test_padding_does_not_change_the_loss(tiny_model, examples):
    pads = [tune(tiny_model, examples, epochs=1)[0]]
    model = tiny_model("llama")
    pads.append(train(model, examples, replace(SETTINGS, epochs=1), pad=17)[0])
    assert pads[0] == pytest.approx(pads[1], abs=1e-6)


def test_batches_are_padded_on_the_right_where_nothing_is_learned(examples):
    tokens, targets = padded(examples[:4], pad=17)
    assert tokens.shape == targets.shape == (4, max(len(e.tokens) for e in examples[:4]))
    for row, example in enumerate(examples[:4]):
        n = len(example.tokens)
        assert tokens[row].tolist() == example.tokens + [17] * (tokens.shape[1] - n)
        assert targets[row].tolist() == example.targets + [IGNORED] * (tokens.shape[1] - n)


def test_the_same_seed_gives_the_same_weights_to_the_bit(tiny_model, examples):
    (losses, _, model), (again, _, other) = tune(tiny_model, examples), tune(tiny_model, examples)
    assert losses == again
    assert same_weights(model, other)


def test_another_seed_gives_another_order_of_the_same_examples(tiny_model, examples):
    orders = [batches(examples, replace(SETTINGS, seed=seed)) for seed in (1, 2)]
    assert orders[0] != orders[1]
    for order in orders:
        epochs = [[example for batch in order[start : start + 3] for example in batch] for start in (0, 3)]
        assert epochs[0] != epochs[1]
        for epoch in epochs:
            assert sorted(example.tokens for example in epoch) == sorted(example.tokens for example in examples)
    assert tune(tiny_model, examples)[0] != tune(tiny_model, examples, seed=2)[0]


def test_a_rate_too_high_is_recorded_as_divergence(tiny_model, examples):
    losses, status, _ = tune(tiny_model, examples, learning_rate=10.0, warmup_ratio=0.0, epochs=20)
    assert status == "diverged"
    assert 1 < len(losses) < 60  # the training ended early
    assert losses[-1] > losses[0] + 2 * math.log(384) >= losses[-2]


def test_a_rate_that_kills_the_model_is_recorded_as_divergence(tiny_model, examples):
    # activations overflow, normalised they are zero: evenly guessed for ever after
    losses, status, _ = tune(tiny_model, examples, learning_rate=1e6, warmup_ratio=0.0, weight_decay=0.0)
    assert losses[1:] == pytest.approx([math.log(384)] * 5)
    assert status == "diverged"


def test_weights_that_are_no_numbers_after_the_last_step_are_divergence(tiny_model, examples):
    losses, status, _ = tune(tiny_model, examples, learning_rate=math.inf, epochs=1, batch_size=10, warmup_ratio=0.0)
    assert (len(losses), status) == (1, "diverged")
    assert math.isfinite(losses[0])


def test_a_checkpoint_that_starts_badly_has_not_diverged(tiny_model, examples):
    model = tiny_model("llama")
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(40)
    losses, status = train(model, examples, replace(SETTINGS, learning_rate=1e-5), pad=0)
    assert losses[0] > 2 * math.log(384)
    assert status == "done"


@pytest.mark.parametrize(
    ("schedule", "warmup_ratio", "rates"),
    [
        ("linear", 0.0, [1.0, 0.8, 0.6, 0.4, 0.2]),
        ("linear", 0.4, [0.5, 1.0, 1.0, 2 / 3, 1 / 3]),
        ("linear", 0.21, [0.5, 1.0, 1.0, 2 / 3, 1 / 3]),  # warm-up steps are rounded up
        ("linear", 1.0, [0.2, 0.4, 0.6, 0.8, 1.0]),
        ("constant", 0.2, [1.0, 1.0, 1.0, 1.0, 1.0]),
        ("constant", 0.6, [1 / 3, 2 / 3, 1.0, 1.0, 1.0]),
    ],
)
def test_rates_follow_the_schedule(schedule, warmup_ratio, rates):
    settings = replace(SETTINGS, schedule=schedule, warmup_ratio=warmup_ratio)
    assert [rate_at(step, 5, settings) for step in range(5)] == pytest.approx(rates)


def test_settings_are_read_from_json_and_checked():
    values = {**vars(SETTINGS)}
    assert read_settings(values) == SETTINGS
    for change, message in [
        ({"rank": 8}, r"unknown \['rank'\], missing none"),
        ({"kind": "lora"}, "unknown kind 'lora'"),
        ({"schedule": "cosine"}, "unknown schedule 'cosine'\nhint: known are linear, constant"),
    ]:
        with pytest.raises(UserError, match=message):
            read_settings(values | change)
    with pytest.raises(UserError, match=r"missing \['seed'\]\nhint: the keys are kind, "):
        read_settings({key: value for key, value in values.items() if key != "seed"})

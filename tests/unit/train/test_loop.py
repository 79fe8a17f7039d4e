"""Tuning is the plain loop that one would write by hand."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy
from tuned_by_loop import ROWS, SETTINGS, same_weights, tune

from ripeness.models.batching import IGNORED, encode_examples
from ripeness.models.tokens import encode, end_of_text
from ripeness.runtime.errors import UserError
from ripeness.train.loop import batches, rate_at, train


def by_hand(model, encoded, settings, order):
    """Train one example at a time, without padding: loss and gradient of a batch are sums over its answer tokens."""
    matrices, vectors = ([w for w in model.parameters() if (w.ndim > 1) == is_matrix] for is_matrix in (True, False))
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    )
    model.train()
    losses = []
    for step, batch in enumerate(order):
        n_answer_tokens = sum(sum(target != IGNORED for target in example.targets) for example in batch)
        optimizer.zero_grad()
        total = 0.0
        for example in batch:
            logits = model(torch.tensor([example.tokens], device=model.device)).logits[0]
            for position, target in enumerate(example.targets[1:]):
                if target != IGNORED:
                    loss = cross_entropy(logits[position], torch.tensor(target, device=model.device)) / n_answer_tokens
                    loss.backward(retain_graph=True)
                    total += loss.item()
        losses.append(total)
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * [0.0, 0.5, 1.0, 0.75, 0.5, 0.25][step]
        optimizer.step()
    return losses


def test_only_the_answer_and_the_end_of_text_are_learned(tokenizer, encoded):
    for (_, prompt, answer), example in zip(ROWS, encoded, strict=True):
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
def test_losses_and_weights_are_those_of_a_loop_written_by_hand(tiny_model, encoded, architecture):
    losses, status, model = tune(tiny_model, encoded, architecture)
    reference = tiny_model(architecture)
    expected = by_hand(reference, encoded, SETTINGS, batches(encoded, SETTINGS))
    assert status == "done"
    assert len(losses) == 6  # two epochs of 10 encoded in batches of 4
    assert losses == pytest.approx(expected, abs=1e-4)
    assert losses[-1] < losses[0] - 0.5
    assert not same_weights(model, tiny_model(architecture))


def test_the_same_seed_gives_the_same_weights_to_the_bit(tiny_model, encoded):
    (losses, _, model), (again, _, other) = tune(tiny_model, encoded), tune(tiny_model, encoded)
    assert losses == again
    assert same_weights(model, other)


def test_another_seed_gives_another_order_of_the_same_examples(tiny_model, encoded):
    orders = [batches(encoded, replace(SETTINGS, seed=seed)) for seed in (1, 2)]
    assert orders[0] != orders[1]
    for order in orders:
        epochs = [[example for batch in order[start : start + 3] for example in batch] for start in (0, 3)]
        assert epochs[0] != epochs[1]
        for epoch in epochs:
            assert sorted(example.tokens for example in epoch) == sorted(example.tokens for example in encoded)
    assert tune(tiny_model, encoded)[0] != tune(tiny_model, encoded, seed=2)[0]


@pytest.mark.parametrize(("steps", "n_done"), [(1, 1), (4, 4), (6, 6), (100, 6)])
def test_a_training_ends_after_so_many_steps_and_so_does_its_schedule(tiny_model, encoded, steps, n_done):
    settings = replace(SETTINGS, steps=steps)
    assert batches(encoded, settings) == batches(encoded, SETTINGS)[:n_done]
    rates = []
    with pytest.MonkeyPatch.context() as patch:
        step = torch.optim.AdamW.step
        patch.setattr(torch.optim.AdamW, "step", lambda self: (rates.append(self.param_groups[0]["lr"]), step(self)))
        losses, status, *_ = train(tiny_model("llama"), encoded, settings, pad=0)
    assert (len(losses), status) == (n_done, "done")
    assert rates == [settings.learning_rate * rate_at(step, n_done, settings) for step in range(n_done)]


@pytest.mark.parametrize(
    ("schedule", "warmup_ratio", "rates"),
    [
        ("linear", 0.0, [1.0, 0.8, 0.6, 0.4, 0.2]),
        ("linear", 0.4, [0.0, 0.5, 1.0, 2 / 3, 1 / 3]),
        ("linear", 0.21, [0.0, 0.5, 1.0, 2 / 3, 1 / 3]),  # warm-up steps are rounded up
        ("linear", 1.0, [0.0, 0.2, 0.4, 0.6, 0.8]),
        ("cosine", 0.0, [1.0, 0.9045085, 0.6545085, 0.3454915, 0.0954915]),  # (1 + cos(pi t / 5)) / 2
        ("cosine", 0.4, [0.0, 0.5, 1.0, 0.75, 0.25]),
        ("constant", 0.2, [0.0, 1.0, 1.0, 1.0, 1.0]),
        ("constant", 0.6, [0.0, 1 / 3, 2 / 3, 1.0, 1.0]),
    ],
)
def test_rates_follow_the_schedule(schedule, warmup_ratio, rates):
    settings = replace(SETTINGS, schedule=schedule, warmup_ratio=warmup_ratio)
    assert [rate_at(step, 5, settings) for step in range(5)] == pytest.approx(rates)

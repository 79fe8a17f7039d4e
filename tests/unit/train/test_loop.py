"""Tuning is the plain loop that one would write by hand, and its divergence is a result."""

import math
import os
import signal
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from killed import killed_after
from torch.nn.functional import cross_entropy

from ripeness.models.batching import IGNORED, Example, encode_examples, padded, rows_of, shared_tokens
from ripeness.models.forward.packing import packs_exactly
from ripeness.models.tokens import encode, end_of_text
from ripeness.runtime.errors import UserError
from ripeness.study.methods.full import FullSettings
from ripeness.train.loop import batches, has_numbers, rate_at, train
from ripeness.train.objectives.objective import ANSWERS
from ripeness.train.reading import may_share
from ripeness.train.resume import Progress, training_identity

SETTINGS = FullSettings(
    kind="full",
    learning_rate=3e-3,
    epochs=2,
    batch_size=4,
    schedule="linear",
    warmup_ratio=0.3,
    weight_decay=0.1,
    clip=1.0,
    precision="fp32",
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
    losses, status, *_ = train(model, examples, replace(SETTINGS, **changes), pad=0)
    return losses, status, model


def same_weights(model, other):
    return all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def by_hand(model, examples, settings, order):
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
            logits = model(torch.tensor([example.tokens])).logits[0]
            for position, target in enumerate(example.targets[1:]):
                if target != IGNORED:
                    loss = cross_entropy(logits[position], torch.tensor(target)) / n_answer_tokens
                    loss.backward(retain_graph=True)
                    total += loss.item()
        losses.append(total)
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * [0.0, 0.5, 1.0, 0.75, 0.5, 0.25][step]
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


@pytest.mark.parametrize("n_steps", range(1, 7))
@pytest.mark.parametrize("architecture", ["llama", "gpt2"])  # the second one drops activations at random
def test_a_training_killed_at_any_step_goes_on_to_the_same_weights(
    tiny_model, examples, tmp_path, architecture, n_steps
):
    expected = tune(tiny_model, examples, architecture)
    progress, model = Progress(tmp_path / "state", "mine", seconds=0), tiny_model(architecture)
    with killed_after(n_steps) if n_steps < 6 else nullcontext():  # there are six
        train(model, examples, SETTINGS, pad=0, progress=progress)
    torch.manual_seed(99)
    model = tiny_model(architecture)
    losses, status, *_ = train(model, examples, SETTINGS, pad=0, progress=progress)
    assert (losses, status) == expected[:2]
    assert same_weights(model, expected[2])


def test_a_training_that_is_asked_to_end_saves_its_state_and_goes_on_to_the_same_weights(
    tiny_model, examples, tmp_path
):
    expected = tune(tiny_model, examples)
    progress = Progress(tmp_path / "state", "mine", seconds=10**6)
    before = signal.getsignal(signal.SIGTERM)
    optimizer_step, steps = torch.optim.AdamW.step, []

    def step(self, *args, **kwargs):
        steps.append(1)
        if len(steps) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return optimizer_step(self, *args, **kwargs)

    try:
        progress.end_when_asked()
        with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.setattr(torch.optim.AdamW, "step", step)
            train(tiny_model("llama"), examples, SETTINGS, pad=0, progress=progress)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (ended.value.code, len(steps)) == (143, 3)
    model = tiny_model("llama")
    losses, *_ = train(model, examples, SETTINGS, pad=0, progress=Progress(tmp_path / "state", "mine", seconds=10**6))
    assert losses == expected[0]
    assert same_weights(model, expected[2])


def test_rows_are_halved_until_they_fit_into_memory(tiny_model, examples, caplog):
    expected = tune(tiny_model, examples)
    model, forward, most = tiny_model("llama"), type(tiny_model("llama")).forward, 40

    def forward_in_memory(self, input_ids, **how):
        if input_ids.shape[1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, input_ids=input_ids, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "forward", forward_in_memory)
        outcome = train(model, examples, SETTINGS, pad=0)
        assert (outcome.status, outcome.row_tokens <= most) == ("done", True)
        assert outcome.losses == pytest.approx(expected[0], abs=1e-5)
        assert "out of memory: from now on at most" in caplog.text
        most = 3
        with pytest.raises(UserError, match=r"no memory for one example of \d+ tokens\nhint: "):
            train(model, examples, SETTINGS, pad=0)


def test_half_precision_trains_with_weights_in_single_precision(tiny_model, examples):
    single, half = tune(tiny_model, examples), tune(tiny_model, examples, precision="bf16")
    assert {weight.dtype for weight in half[2].parameters()} == {torch.float32}
    assert half[0] != single[0]
    assert half[0] == pytest.approx(single[0], abs=0.05)


def test_the_state_of_another_training_is_not_taken_up(tiny_model, examples, tmp_path):
    train(tiny_model("llama"), examples, SETTINGS, pad=0, progress=Progress(tmp_path / "state", "theirs", seconds=0))
    model = tiny_model("llama")
    losses, *_ = train(model, examples, SETTINGS, pad=0, progress=Progress(tmp_path / "state", "mine", seconds=0))
    expected = tune(tiny_model, examples)
    assert losses == expected[0]
    assert same_weights(model, expected[2])


def test_trainings_are_told_apart_by_weights_settings_and_examples(tiny_model, examples):
    model = tiny_model("llama")
    identities = {
        training_identity(model, SETTINGS, examples),
        training_identity(tiny_model("llama", seed=1), SETTINGS, examples),
        training_identity(model, replace(SETTINGS, seed=2), examples),
        training_identity(model, SETTINGS, examples[1:]),
    }
    assert len(identities) == 4
    assert training_identity(tiny_model("llama"), SETTINGS, list(examples)) in identities


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox", "olmo2", "qwen2"])
@pytest.mark.parametrize("row_tokens", [1, 20, 35, 10_000])
def test_rows_of_any_size_give_the_same_model_up_to_rounding(tiny_model, examples, architecture, row_tokens):
    expected = tune(tiny_model, examples, architecture)
    model = tiny_model(architecture)
    losses, *_ = train(model, examples, SETTINGS, pad=0, row_tokens=row_tokens)
    assert losses == pytest.approx(expected[0], abs=1e-5)
    # not the weights themselves: biases of keys have no true gradient, and Adam makes a step of its rounding errors
    tokens = torch.tensor([examples[1].tokens])
    assert torch.allclose(model(tokens).logits, expected[2](tokens).logits, atol=1e-3)


def test_a_model_that_cannot_pack_is_tuned_with_padding(tiny_model, examples, monkeypatch):
    packed = tune(tiny_model, examples)
    monkeypatch.setattr("ripeness.models.forward.packing.reach", lambda model: 0)
    losses, *_ = train(tiny_model(), examples, SETTINGS, pad=0)
    assert losses == pytest.approx(packed[0], abs=1e-5)


def test_windows_that_hold_every_example_hide_nothing_and_shorter_ones_do(tiny_model, examples):
    longest, expected = max(len(example.tokens) for example in examples), tune(tiny_model, examples)[0]
    losses = {}
    for window in (longest, longest // 2):
        model = tiny_model("mistral", sliding_window=window)  # the weights and layers of a Llama
        assert packs_exactly(model, longest) == (window == longest)
        losses[window] = train(model, examples, SETTINGS, pad=0).losses
    assert losses[longest] == pytest.approx(expected, abs=1e-5) != losses[longest // 2]


@pytest.mark.parametrize("row_tokens", [1, 20, 35, 10_000])
def test_rows_hold_every_example_once_and_keep_to_their_size(examples, row_tokens):
    rows = rows_of(examples, row_tokens)
    assert sorted(example.tokens for row in rows for example in row) == sorted(example.tokens for example in examples)
    assert all(len(row) == 1 or sum(len(example.tokens) for example in row) <= row_tokens for row in rows)


def example(tokens, n_prompt):
    return Example(tokens, [IGNORED] * n_prompt + tokens[n_prompt:])


@pytest.mark.parametrize(
    ("row", "n_shared"),
    [
        ([([1, 2, 3, 4, 5], 4), ([1, 2, 3, 9, 5, 6], 5)], 3),
        ([([1, 2, 3, 4, 5], 3), ([1, 2, 3, 9, 5, 6], 5)], 2),  # the last token of a prompt predicts
        ([([1, 2, 3, 4, 5], 1), ([1, 2, 3, 9, 5, 6], 5)], 0),  # as in running text
        ([([1, 2, 3], 2), ([1, 2, 3], 2)], 1),  # the same twice
        ([([7, 2, 3, 4], 3), ([1, 2, 3, 9, 5, 6], 5)], 0),
        ([([1, 2, 3, 4, 5], 4)], 0),
        ([([1, *range(100, 200)], 90), ([1, *range(200, 300)], 90)], 0),  # not worth it
    ],
)
def test_of_what_all_prompts_begin_with_nothing_is_predicted(row, n_shared):
    assert shared_tokens([example(*each) for each in row], width=1024) == n_shared
    assert shared_tokens([example(*each) for each in row], width=64) == 0


def test_a_beginning_that_is_read_once_trains_the_same_model(tiny_model, examples, monkeypatch):
    other_losses, _, other = tune(tiny_model, examples)
    monkeypatch.setattr("ripeness.models.batching.WORTH", 0)
    assert shared_tokens(examples, width=64) > 2
    losses, _, model = tune(tiny_model, examples)
    assert losses == pytest.approx(other_losses, abs=1e-5) and not same_weights(model, other)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_what_is_dropped_by_chance_is_not_shared(tiny_model):
    assert may_share(tiny_model("llama")) and not may_share(tiny_model("gpt2"))
    model = tiny_model("llama")
    model.config.attention_dropout = 0.1
    assert not may_share(model)


def test_another_seed_gives_another_order_of_the_same_examples(tiny_model, examples):
    orders = [batches(examples, replace(SETTINGS, seed=seed)) for seed in (1, 2)]
    assert orders[0] != orders[1]
    for order in orders:
        epochs = [[example for batch in order[start : start + 3] for example in batch] for start in (0, 3)]
        assert epochs[0] != epochs[1]
        for epoch in epochs:
            assert sorted(example.tokens for example in epoch) == sorted(example.tokens for example in examples)
    assert tune(tiny_model, examples)[0] != tune(tiny_model, examples, seed=2)[0]


@pytest.mark.parametrize(("steps", "n_done"), [(1, 1), (4, 4), (6, 6), (100, 6)])
def test_a_training_ends_after_so_many_steps_and_so_does_its_schedule(tiny_model, examples, steps, n_done):
    settings = replace(SETTINGS, steps=steps)
    assert batches(examples, settings) == batches(examples, SETTINGS)[:n_done]
    rates = []
    with pytest.MonkeyPatch.context() as patch:
        step = torch.optim.AdamW.step
        patch.setattr(torch.optim.AdamW, "step", lambda self: (rates.append(self.param_groups[0]["lr"]), step(self)))
        losses, status, *_ = train(tiny_model("llama"), examples, settings, pad=0)
    assert (len(losses), status) == (n_done, "done")
    assert rates == [settings.learning_rate * rate_at(step, n_done, settings) for step in range(n_done)]


def test_a_rate_too_high_is_recorded_as_divergence(tiny_model, examples):
    losses, status, _ = tune(tiny_model, examples, learning_rate=10.0, warmup_ratio=0.0, epochs=20)
    assert status == "diverged"
    assert 1 < len(losses) < 60  # the training ended early
    assert losses[-1] > losses[0] + 2 * math.log(384) >= losses[-2]


def test_a_rate_that_kills_the_model_is_recorded_as_divergence(tiny_model, examples):
    # activations overflow: normalised they are zero or no numbers, whichever the processor's kernels make of them
    losses, status, _ = tune(tiny_model, examples, learning_rate=1e6, warmup_ratio=0.0, weight_decay=0.0)
    assert status == "diverged"
    assert math.isnan(losses[-1]) or losses[1:] == pytest.approx([math.log(384)] * 5)


def test_a_model_whose_gradient_is_lost_has_diverged(tiny_model):
    model, lost, some = tiny_model("llama"), torch.tensor(0.0), torch.tensor(0.1)
    assert not ANSWERS.is_lost(some, loss=3.0)
    assert ANSWERS.is_lost(lost, loss=3.0)
    assert not ANSWERS.is_lost(lost, loss=0.0)  # nothing left to learn
    assert has_numbers(model)
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = math.nan
    assert not has_numbers(model)


def test_weights_that_are_no_numbers_after_the_last_step_are_divergence(tiny_model, examples):
    losses, status, _ = tune(tiny_model, examples, learning_rate=math.inf, epochs=1, batch_size=10, warmup_ratio=0.0)
    assert (len(losses), status) == (1, "diverged")
    assert math.isfinite(losses[0])


def test_a_checkpoint_that_starts_badly_has_not_diverged(tiny_model, examples):
    model = tiny_model("llama")
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(40)
    losses, status, *_ = train(model, examples, replace(SETTINGS, learning_rate=1e-5), pad=0)
    assert losses[0] > 2 * math.log(384)
    assert status == "done"


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

"""Trainings that are killed resume to the same weights, and a training that diverges is a result."""

import math
import os
import signal
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from killed import killed_after
from tuned_by_loop import SETTINGS, same_weights, tune

from ripeness.train.loop import has_numbers, train
from ripeness.train.objectives.objective import ANSWERS
from ripeness.train.resume import Progress, training_identity


@pytest.mark.parametrize("n_steps", range(1, 7))
@pytest.mark.parametrize("architecture", ["llama", "gpt2"])  # the second one drops activations at random
def test_a_training_killed_at_any_step_goes_on_to_the_same_weights(
    tiny_model, encoded, tmp_path, architecture, n_steps
):
    expected = tune(tiny_model, encoded, architecture)
    progress, model = Progress(tmp_path / "state", "mine", seconds=0), tiny_model(architecture)
    with killed_after(n_steps) if n_steps < 6 else nullcontext():  # there are six
        train(model, encoded, SETTINGS, pad=0, progress=progress)
    torch.manual_seed(99)
    model = tiny_model(architecture)
    losses, status, *_ = train(model, encoded, SETTINGS, pad=0, progress=progress)
    assert (losses, status) == expected[:2]
    assert same_weights(model, expected[2])


def test_a_training_that_is_asked_to_end_saves_its_state_and_goes_on_to_the_same_weights(tiny_model, encoded, tmp_path):
    expected = tune(tiny_model, encoded)
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
            train(tiny_model("llama"), encoded, SETTINGS, pad=0, progress=progress)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (ended.value.code, len(steps)) == (143, 3)
    model = tiny_model("llama")
    losses, *_ = train(model, encoded, SETTINGS, pad=0, progress=Progress(tmp_path / "state", "mine", seconds=10**6))
    assert losses == expected[0]
    assert same_weights(model, expected[2])


def test_the_state_of_another_training_is_not_taken_up(tiny_model, encoded, tmp_path):
    train(tiny_model("llama"), encoded, SETTINGS, pad=0, progress=Progress(tmp_path / "state", "theirs", seconds=0))
    model = tiny_model("llama")
    losses, *_ = train(model, encoded, SETTINGS, pad=0, progress=Progress(tmp_path / "state", "mine", seconds=0))
    expected = tune(tiny_model, encoded)
    assert losses == expected[0]
    assert same_weights(model, expected[2])


def test_trainings_are_distinguished_by_weights_settings_and_examples(tiny_model, encoded):
    model = tiny_model("llama")
    identities = {
        training_identity(model, SETTINGS, encoded),
        training_identity(tiny_model("llama", seed=1), SETTINGS, encoded),
        training_identity(model, replace(SETTINGS, seed=2), encoded),
        training_identity(model, SETTINGS, encoded[1:]),
    }
    assert len(identities) == 4
    assert training_identity(tiny_model("llama"), SETTINGS, list(encoded)) in identities


def test_a_rate_too_high_is_recorded_as_divergence(tiny_model, encoded):
    losses, status, _ = tune(tiny_model, encoded, learning_rate=10.0, warmup_ratio=0.0, epochs=20)
    assert status == "diverged"
    assert 1 < len(losses) < 60  # the training ended early
    assert losses[-1] > losses[0] + 2 * math.log(384) >= losses[-2]


def test_a_rate_that_kills_the_model_is_recorded_as_divergence(tiny_model, encoded):
    # activations overflow: normalised they are zero or no numbers, whichever the processor's kernels make of them
    losses, status, _ = tune(tiny_model, encoded, learning_rate=1e6, warmup_ratio=0.0, weight_decay=0.0)
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


def test_weights_that_are_no_numbers_after_the_last_step_are_divergence(tiny_model, encoded):
    losses, status, _ = tune(tiny_model, encoded, learning_rate=math.inf, epochs=1, batch_size=10, warmup_ratio=0.0)
    assert (len(losses), status) == (1, "diverged")
    assert math.isfinite(losses[0])


def test_a_checkpoint_that_starts_badly_has_not_diverged(tiny_model, encoded):
    model = tiny_model("llama")
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(40)
    losses, status, *_ = train(model, encoded, replace(SETTINGS, learning_rate=1e-5), pad=0)
    assert losses[0] > 2 * math.log(384)
    assert status == "done"

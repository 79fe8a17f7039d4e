"""The seconds of a training that was cut off are those of all its attempts."""

import pytest

from ripeness.models.batching import encode_examples
from ripeness.study.methods.full import FullSettings
from ripeness.train.loop import train
from ripeness.train.timed_progress import TimedProgress

SETTINGS = FullSettings(learning_rate=1e-3, epochs=1, batch_size=2, seed=1)


@pytest.fixture
def attempt(tmp_path, tiny_model, tokenizer):
    rows = [(f"row{n}", "the film was", " good") for n in range(6)]
    examples = encode_examples(rows, tokenizer, max_length=64)

    def run(identity="mine", **more):
        progress = TimedProgress(tmp_path / "training.state", identity, seconds=0, **more)
        train(tiny_model("llama"), examples, SETTINGS, pad=0, progress=progress)
        return progress

    return run


def test_seconds_of_earlier_attempts_count(attempt, tmp_path):
    first = attempt(spent=100.0)
    assert 100 < first.so_far < 200
    again = attempt()
    assert 100 < again.spent <= again.so_far < 200
    again.remove()
    assert list(tmp_path.iterdir()) == []


def test_seconds_of_another_training_do_not(attempt):
    attempt(spent=100.0)
    assert attempt("another").spent == 0.0


def test_a_process_that_is_asked_to_end_notes_its_seconds(attempt, tmp_path):
    with pytest.raises(SystemExit):
        attempt(spent=50.0, must_end=True)
    assert (tmp_path / "training.seconds").is_file() and attempt().spent > 50

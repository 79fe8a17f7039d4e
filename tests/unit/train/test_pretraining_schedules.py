"""Schedules of a pre-training: rates are functions of the step, pieces join bit for bit, a killed run goes on."""

import json
from pathlib import Path

import pytest
from killed import killed_after, limit_steps
from pretrained_states import SETTINGS, pretrained, pretrained_checkpoint
from safetensors import safe_open

import pretrain_state
from ripeness.runtime.errors import UserError
from ripeness.study.learning_rates import learning_rate
from ripeness.study.pretraining_settings import ARCHITECTURES, Decay, learning_rate_of, read_settings
from ripeness.train import pretraining

COSINE = SETTINGS | {"schedule": "cosine", "end_step": 9, "final_ratio": 0.1}
DECAYED = {"phase": "decayed", "from_step": 5, "steps": 4}  # of a run with a warm-up, a stable part and a decay


def state(corpus: Path, output: Path, until: int, resume: Path | None = None, settings: dict = COSINE) -> Path:
    return pretrained(settings, corpus, output, until, resume)


def checkpoint(
    corpus: Path, output: Path, described: dict, earlier: Path | None = None, settings: dict = COSINE, *options: str
) -> Path:
    described = {"series": "nursery", "checkpoint": "one", **described}
    return pretrained_checkpoint(settings, corpus, output, described, earlier, *options)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def facts_of(folder: Path) -> dict:
    return json.loads((folder / "checkpoint.json").read_text())


def test_a_cosine_warms_up_and_falls_to_its_share_of_the_peak_at_its_end():
    settings = read_settings(COSINE | {"end_step": 13})
    rates = [learning_rate_of(step, settings) for step in (0, 1, 3, 8, 13)]
    assert rates == pytest.approx([0, 0.01 / 3, 0.01, 0.01 * 0.55, 0.001])
    published = {"peak": 0.01, "warmup_steps": 3, "decay": "cosine", "end_step": 13, "final_ratio": 0.1}
    ours = [learning_rate_of(step, settings) for step in range(14)]
    assert ours == pytest.approx([learning_rate(published, step) for step in range(14)])


def test_an_annealed_cosine_falls_from_its_rate_at_the_start_of_the_annealing():
    settings = read_settings(COSINE | {"end_step": 13})
    rates = [learning_rate_of(step, settings, Decay(8, 4)) for step in range(7, 14)]
    start = learning_rate_of(8, settings)
    assert rates[1:] == pytest.approx([start, start, start * 0.75, start * 0.5, start * 0.25, 0])
    assert rates[0] == learning_rate_of(7, settings)


def test_pieces_of_a_cosine_joined_at_any_step_give_the_bytes_of_one_training(corpus, tmp_path):
    whole = state(corpus, tmp_path / "whole", 9)
    first = state(corpus, tmp_path / "first", 2)
    second = state(corpus, tmp_path / "second", 6, first)
    assert state(corpus, tmp_path / "pieces", 9, second).read_bytes() == whole.read_bytes()
    assert whole.read_bytes() != state(corpus, tmp_path / "constant", 9, settings=SETTINGS).read_bytes()
    last = [checkpoint(corpus, tmp_path / name, {"phase": "decayed", "step": 9}, s) for name, s in
            (("a", first), ("b", second), ("c", None))]  # fmt: skip
    assert files_of(last[0]) == files_of(last[1]) == files_of(last[2])
    assert (facts_of(last[0])["lr"], facts_of(last[0])["phase"]) == (pytest.approx(0.001), "decayed")


def test_a_decay_joined_at_any_stable_step_gives_the_same_bytes_wherever_in_it_a_checkpoint_is_taken(corpus, tmp_path):
    early, late = (state(corpus, tmp_path / f"{step}", step, settings=SETTINGS) for step in (2, 5))
    for step, rate in ((7, 0.0075), (9, 0.0025)):
        taken = DECAYED | {"step": step}
        one, other = (checkpoint(corpus, tmp_path / f"{step}{s.name}", taken, s, SETTINGS) for s in (early, late))
        assert files_of(one) == files_of(other)
        facts = facts_of(one)
        assert (facts["step"], facts["tokens"], facts["phase"]) == (step, step * 64, "decayed")
        assert facts["lr"] == pytest.approx(rate)
    annealed = DECAYED | {"phase": "annealed"}
    twin = checkpoint(corpus, tmp_path / "twin", annealed, early, SETTINGS)
    assert (twin / "model.safetensors").read_bytes() == (one / "model.safetensors").read_bytes()


@pytest.mark.parametrize("n_steps", [1, 5])
def test_a_run_of_its_own_that_is_killed_goes_on_to_the_same_weights(corpus, tmp_path, monkeypatch, n_steps):
    taken = {"phase": "decayed", "step": 9}
    whole = checkpoint(corpus, tmp_path / "whole", taken)
    with killed_after(n_steps):
        checkpoint(corpus, tmp_path / "cut", taken, None, COSINE, "--save-seconds", "0")
    assert not (tmp_path / "cut").exists() and (tmp_path / "cut.state").exists()
    with monkeypatch.context() as patch:
        limit_steps(9 - n_steps, patch)  # so many are left, and no more are taken
        checkpoint(corpus, tmp_path / "cut", taken, None, COSINE)
    assert files_of(tmp_path / "cut") == files_of(whole)
    assert not (tmp_path / "cut.state").exists()


def test_a_state_that_is_killed_on_its_way_goes_on_but_not_by_other_settings(corpus, tmp_path, monkeypatch):
    early = state(corpus, tmp_path / "early", 2)
    with killed_after(3):
        pretrain_state.main(
            ["--settings", json.dumps(COSINE), "--corpus", str(corpus), "--until", "9", "--resume", str(early),
             "--save-seconds", "0", "--output", str(tmp_path / "late")]
        )  # fmt: skip
    left = (tmp_path / "late.state").read_bytes()
    other = COSINE | {"end_step": 12}
    assert (
        state(corpus, tmp_path / "late", 9, None, other).read_bytes()
        == state(corpus, tmp_path / "anew", 9, None, other).read_bytes()
    )
    (tmp_path / "late.state").write_bytes(left)
    with monkeypatch.context() as patch:
        limit_steps(4, patch)  # so many are left, and no more are taken
        state(corpus, tmp_path / "late", 9, early)
    assert (tmp_path / "late").read_bytes() == state(corpus, tmp_path / "whole", 9).read_bytes()


def test_a_state_of_constant_rate_is_known_by_what_it_always_was(corpus, tmp_path):
    written = state(corpus, tmp_path / "0", 0, settings=SETTINGS)
    with safe_open(written, framework="pt") as file:
        about = json.loads(file.metadata()["about"])
    assert about == {"step": 0, "settings": SETTINGS | {"n_threads": 1}}
    with pytest.raises(UserError, match="another end_step, final_ratio, schedule"):
        state(corpus, tmp_path / "1", 1, written)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": "linear"}, "'linear'.*constant, cosine\\.\nhint: "),
        ({"end_step": 3}, "at step 3 after 3 warmup_steps"),
        ({"final_ratio": 1.5}, "cosine to 1.5"),
    ],
)
def test_schedules_that_make_no_sense_are_reported_to_the_user(change, message):
    with pytest.raises(UserError, match=message):
        read_settings(COSINE | change)


def test_a_step_past_the_end_of_a_schedule_is_refused(corpus, tmp_path):
    with pytest.raises(UserError, match="Step 10 is past the end of the cosine at step 9"):
        state(corpus, tmp_path / "late", 10)
    for step in (5, 10):
        with pytest.raises(UserError, match=f"Step {step} is not within the decay from step 5 to 9"):
            checkpoint(corpus, tmp_path / "late", DECAYED | {"step": step}, None, SETTINGS)


def test_architectures_are_those_that_can_be_built():
    assert set(ARCHITECTURES) == set(pretraining.ARCHITECTURES)

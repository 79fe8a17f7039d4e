"""Checkpoints are found by folder, pattern and folder of folders, with what their files and names say."""

import json

import pytest

from ripeness.cli.new_checkpoints import named, series_of
from ripeness.runtime.errors import UserError


def folder(path, **files):
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    for name, content in files.items():
        (path / f"{name}.json").write_text(json.dumps(content))
    return path


@pytest.fixture
def runs(tmp_path):
    """Three checkpoints of one run: by name, by the Trainer's state, by checkpoint.json."""
    folder(tmp_path / "runs/checkpoint-500")
    folder(tmp_path / "runs/late", trainer_state={"global_step": 2000, "num_input_tokens_seen": 8_000_000})
    folder(tmp_path / "runs/step1000", checkpoint={"step": 1000, "tokens": 4_000_000, "lr": 0.001, "phase": "stable"})
    (tmp_path / "runs/logs").mkdir()
    return tmp_path / "runs"


def steps(series):
    return [(line["step"], line["tokens"]) for line in series["checkpoints"]]


@pytest.mark.parametrize("word", ["{}", "{}/*"])
def test_a_folder_of_checkpoints_and_a_pattern_are_those_in_order_of_steps(runs, word):
    found = series_of([word.format(runs)], [], [], 4000)
    assert steps(found) == [(500, 2_000_000), (1000, 4_000_000), (2000, 8_000_000)]
    assert found["checkpoints"][1]["lr"] == 0.001


def test_numbers_that_are_given_win_and_count_in_the_order_of_the_folders(runs):
    found = series_of([str(runs / "step1000"), str(runs / "checkpoint-500")], [7, 3], [70, 30], None)
    assert steps(found) == [(3, 30), (7, 70)] and found["checkpoints"][1]["path"].endswith("step1000")


def test_what_is_not_known_is_asked_for(runs, tmp_path):
    with pytest.raises(UserError, match="checkpoint-500: its tokens of pre-training.*\nhint: .*--tokens-per-step"):
        series_of([str(runs)], [], [], None)
    folder(tmp_path / "a"), folder(tmp_path / "b")
    with pytest.raises(UserError, match="its step of pre-training is not known.*\nhint: .*--steps"):
        series_of([str(tmp_path / "a"), str(tmp_path / "b")], [], [], 10)
    with pytest.raises(UserError, match="--tokens: 1 numbers for 2 checkpoints"):
        series_of([str(tmp_path / "a"), str(tmp_path / "b")], [1, 2], [5], None)
    with pytest.raises(UserError, match="no checkpoint is there"):
        series_of([str(tmp_path / "nowhere")], [], [], None)
    with pytest.raises(UserError, match="1 checkpoint, and two or more"):
        series_of([str(tmp_path / "a")], [], [], None)


def test_a_published_run_is_taken_by_its_name_at_steps_that_are_even_in_tokens():
    steps = [0, 20000, 41000, 61000, 82000, 102000, 123000, 143000]
    found = series_of(["pythia-70m"], [], [], None)
    assert found == {"from": "pythia-70m", "checkpoints": [{"step": step} for step in steps]}
    assert series_of(["polypythia-70m"], [], [], None)["seed"] == 1


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("step1000-tokens4B", {"step": 1000, "tokens": 4_000_000_000}),
        ("checkpoint-500", {"step": 500}),
        ("iter_0012000", {"step": 12000}),
        ("stage1-step100-tokens1.5B", {"step": 100, "tokens": 1_500_000_000}),
        ("2000", {"step": 2000}),
        ("final", {}),
        ("step10k", {"step": 10_000}),
        ("step=500", {"step": 500}),
        ("checkpoint-2-step500", {"step": 500}),
        ("epoch2-step5000", {"step": 5000}),
        ("epoch-3", {}),  # how many steps an epoch has nobody says
        ("step-1e5", {}),
        ("model-7b", {}),
    ],
)
def test_names_say_steps_and_tokens(name, facts):
    assert named(name) == facts

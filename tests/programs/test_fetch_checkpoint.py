"""fetch_checkpoint: a folder of one's own becomes a checkpoint of a series, or is refused."""

import json
import shutil

import pytest

import fetch_checkpoint
from ripeness.errors import UserError
from ripeness.files import read_json
from ripeness.models import load_model, load_tokenizer


@pytest.fixture
def foreign(tmp_path, checkpoint):
    """Copy a checkpoint as it may come from elsewhere: without facts, with files that nothing here reads."""
    folder = shutil.copytree(checkpoint, tmp_path / "from elsewhere")
    (folder / "checkpoint.json").unlink()
    (folder / "modeling_evil.py").write_text("raise SystemExit")
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    return folder


def fetch(tmp_path, folder, **source):
    known = {"series": "mine", "checkpoint": "step9", "path": str(folder), "seed": 0}
    fetch_checkpoint.main(["--source", json.dumps(known | source), "--output", str(tmp_path / "out")])
    return tmp_path / "out"


def test_a_folder_becomes_a_checkpoint_that_loads(tmp_path, foreign):
    output = fetch(tmp_path, foreign, step=9, tokens=123, lr=0.5, phase="annealed")
    facts = read_json(output / "checkpoint.json")
    assert {key: facts[key] for key in fetch_checkpoint.FACTS} == {
        "series": "mine",
        "checkpoint": "step9",
        "step": 9,
        "tokens": 123,
        "lr": 0.5,
        "phase": "annealed",
        "seed": 0,
    }
    assert facts["n_parameters"] == load_model(output).num_parameters()
    assert load_tokenizer(output).eos_token == "<|endoftext|>"


def test_code_and_pickled_weights_stay_behind_and_weights_are_linked(tmp_path, foreign):
    output = fetch(tmp_path, foreign, step=9, tokens=123)
    names = {path.name for path in output.iterdir()}
    assert not names & {"modeling_evil.py", "pytorch_model.bin"}
    assert (output / "model.safetensors").resolve() == (foreign / "model.safetensors").resolve()
    assert not (output / "config.json").is_symlink()


def test_what_the_study_says_wins_over_the_folder_s_own_facts(tmp_path, checkpoint):
    facts = read_json(fetch(tmp_path, checkpoint, tokens=7) / "checkpoint.json")
    assert (facts["series"], facts["checkpoint"], facts["tokens"]) == ("mine", "step9", 7)
    assert (facts["step"], facts["lr"]) == (8, 1e-3)


def test_a_rate_that_nobody_knows_is_null(tmp_path, foreign):
    facts = read_json(fetch(tmp_path, foreign, step=9, tokens=123) / "checkpoint.json")
    assert (facts["lr"], facts["phase"]) == (None, "stable")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"tokens": 5}, "checkpoint 'step9' of 'mine': step not known"),
        ({}, "step, tokens not known"),
        ({"path": "nowhere", "step": 1, "tokens": 2}, "there is no folder nowhere"),
    ],
)
def test_a_source_that_says_too_little_is_refused(tmp_path, foreign, source, message):
    with pytest.raises(UserError, match=message) as error:
        fetch(tmp_path, foreign, **source)
    assert "\nhint: " in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_source_without_a_model_is_refused(tmp_path):
    with pytest.raises(UserError, match="the source names no model"):
        fetch_checkpoint.main(["--source", '{"repo": "a/b"}', "--output", str(tmp_path / "out")])


def test_a_checkpoint_that_does_not_pass_the_gate_leaves_nothing_behind(tmp_path, foreign):
    (foreign / "model.safetensors").write_bytes(b"cut short")
    with pytest.raises(UserError, match="model.safetensors cannot be read"):
        fetch(tmp_path, foreign, step=9, tokens=123)
    assert {path.name for path in tmp_path.iterdir()} == {"from elsewhere"}


def test_a_branch_that_nobody_has_resolved_is_refused_before_anything_is_asked(tmp_path):
    source = {"series": "mine", "checkpoint": "a", "repo": "a/b", "revision": "main", "commit": None, "seed": 0}
    with pytest.raises(UserError, match=r"'main' of a/b is not resolved .*\nhint: make resolve STUDY="):
        fetch_checkpoint.main(["--source", json.dumps(source), "--output", str(tmp_path / "out")])

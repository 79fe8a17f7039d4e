"""fetch_checkpoint: a folder of one's own becomes a checkpoint of a series, or is refused."""

import json
import shutil

import pytest

import fetch_checkpoint
from ripeness.models.load import load_model
from ripeness.models.tokens import load_tokenizer
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json


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
        ({"tokens": 5}, "checkpoint 'step9' of 'mine': step unknown"),
        ({}, "step, tokens unknown"),
        ({"path": "nowhere", "step": 1, "tokens": 2}, "there is no folder nowhere"),
    ],
)
def test_a_source_that_says_too_little_is_refused(tmp_path, foreign, source, message):
    with pytest.raises(UserError, match=message) as error:
        fetch(tmp_path, foreign, **source)
    assert "\nhint: " in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_source_without_a_model_is_refused(tmp_path):
    with pytest.raises(UserError, match="the source has no model"):
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


DAMAGED = {
    "{": "is not JSON",
    "": "is empty",
    "[1]": r"\[1\] found, but an object",
    '"a"': "found, but an object",
    "null": "found, but an object",
    "[" * 100_000: "is not JSON|recursion",
    '{"tokens": "1e9"}': 'tokens is "1e9", not a whole number',
    '{"tokens": 1.5}': "tokens is 1.5, not a whole number",
    '{"tokens": -1}': "tokens is -1, not a whole number",
    '{"tokens": true}': "tokens is true, not a whole number",
    '{"tokens": NaN}': "tokens is NaN, not a whole number",
    '{"step": [9]}': r"step is \[9\], not a whole number",
    '{"lr": "3e-4"}': 'lr is "3e-4", not a number',
    '{"lr": Infinity}': "lr is Infinity, not a number",
    '{"phase": "warm"}': 'phase is "warm", not one of stable',
    '{"phase": {}}': "phase is {}, not one of stable",
    '{"series": 3}': "series is 3, not a text",
    '{"seed": "one"}': 'seed is "one", not a whole number',
}


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_checkpoint_json_is_one_error_with_its_place(tmp_path, foreign, text):
    path = foreign / "checkpoint.json"
    path.write_text(text)
    with pytest.raises(UserError, match=DAMAGED[text]) as error:
        fetch(tmp_path, foreign, step=9, lr=0.5)
    assert str(error.value).startswith(str(path)) and str(error.value).count("\nhint: ") == 1
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_json_of_bytes_is_one_error(tmp_path, foreign):
    (foreign / "checkpoint.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(UserError, match=r"checkpoint.json cannot be read: .*\nhint: fix it"):
        fetch(tmp_path, foreign, step=9, tokens=9)


def test_a_whole_number_may_be_written_with_an_exponent(tmp_path, foreign):
    (foreign / "checkpoint.json").write_text('{"tokens": 1e3, "step": 9}')
    assert read_json(fetch(tmp_path, foreign) / "checkpoint.json")["tokens"] == 1000


@pytest.mark.parametrize("change", [{"tokens": "9"}, {"path": 3}, {"phase": 1}, {"seed": "x"}])
def test_a_source_of_wrong_types_is_one_error(tmp_path, foreign, change):
    with pytest.raises(UserError, match=r"the source: \w+ is .*\nhint: "):
        fetch(tmp_path, foreign, **{"step": 9, "tokens": 9} | change)


def test_a_secret_does_not_become_a_chat_template(tmp_path, foreign):
    (tmp_path / "token").write_text("secret")
    (foreign / "chat_template.jinja").symlink_to(tmp_path / "token")
    with pytest.raises(UserError, match=r"chat_template.jinja is a link out of its folder, to .*\nhint: "):
        fetch(tmp_path, foreign, step=9, tokens=9)
    assert not (tmp_path / "out").exists()


def test_a_folder_is_not_fetched_onto_itself(tmp_path, foreign):
    before = {path.name: path.read_bytes() for path in foreign.iterdir()}
    source = {"series": "mine", "checkpoint": "a", "path": str(foreign), "seed": 0, "step": 9, "tokens": 9}
    for output in (foreign, foreign / "inner"):
        with pytest.raises(UserError, match=r"overlaps with the input .*\nhint: |is not overwritten"):
            fetch_checkpoint.main(["--source", json.dumps(source), "--output", str(output)])
    assert {path.name: path.read_bytes() for path in foreign.iterdir()} == before


def test_a_damaged_tokenizer_is_one_error_with_one_hint(tmp_path, foreign):
    for text in ("{", "[]", '{"version": "1.0"}'):
        (foreign / "tokenizer.json").write_text(text)
        with pytest.raises(UserError, match="tokenizer.json cannot be read") as error:
            fetch(tmp_path, foreign, step=9, tokens=9)
        assert str(error.value).count("hint: ") == 1

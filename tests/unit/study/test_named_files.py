"""The files and folders that a study names are there before anything runs."""

from pathlib import Path

import pytest
import yaml

from ripeness.runtime.errors import UserError
from ripeness.study.load import load_study
from ripeness.study.named_files import check_files

ROOT = Path(__file__).parents[3]


@pytest.fixture
def check(tmp_path, monkeypatch):
    """A function that checks a study of one checkpoint, in a folder with such files of it as are named."""
    monkeypatch.chdir(tmp_path)

    def check(path: str, *files: str) -> None:
        for file in files:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).touch()
        study = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())
        study["series"] = {"own": {"checkpoints": [{"path": path, "step": 1, "tokens": 10}]}}
        study["suites"].pop("pretraining")
        check_files(load_study(study | {"texts": {}}, ROOT / "tasks"))

    return check


@pytest.mark.parametrize("tokenizer", ["tokenizer.json", "vocab.json", "tokenizer.model"])
def test_a_model_folder_is_accepted(check, tokenizer):
    check("model", "model/config.json", f"model/{tokenizer}")


@pytest.mark.parametrize(
    ("path", "files", "words"),
    [
        ("nowhere", [], ["there is no nowhere", "relative to"]),
        ("~/models/a", [], ["there is no ~/models/a", f"write {Path.home()}/models/a"]),
        ("model/weights", ["model/weights"], ["model/weights is a file, not a folder", "save_pretrained"]),
        ("model", ["model/config.json"], ["model has no tokenizer", "tokenizer.json", "save_pretrained"]),
        ("model", ["model/tokenizer.json"], ["model has no config.json", "save_pretrained"]),
    ],
)
def test_what_is_no_model_folder_is_refused_with_the_way_out(check, path, files, words):
    with pytest.raises(UserError, match="^series.own.checkpoints: step1: ") as error:
        check(path, *files)
    assert all(word in str(error.value) for word in words), error.value
    assert str(error.value).count("hint: ") == 1

"""How a study is given: whole, with numbers, and as the one whose results are in the folder."""

import copy
import shutil
from pathlib import Path

import pytest
import yaml

from ripeness.runtime.errors import UserError
from ripeness.study.load import load_study
from ripeness.workflow.given_config import check_same_study, check_whole, note_study, with_numbers

ROOT = Path(__file__).parents[3]
CONFIG = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())


def study_of(**changes):
    return load_study(copy.deepcopy(CONFIG) | changes, ROOT / "tasks")


def test_a_part_of_a_study_is_refused(tmp_path):
    check_whole([ROOT / "config.yaml"])
    check_whole([tmp_path / "mine.yaml"])
    with pytest.raises(UserError, match=r"part\.yaml has no `study:`.*\nhint: copy config\.yaml"):
        check_whole([tmp_path / "part.yaml", ROOT / "config.yaml"])


def test_numbers_in_lists_and_objects_of_the_command_line_are_numbers():
    given = {"seeds": ["1", "2"], "methods": {"full": {"learning_rate": ["1e-3", "0.5"]}}, "title": "7", "study": "x"}
    read = {"seeds": [1, 2], "methods": {"full": {"learning_rate": [0.001, 0.5]}}, "title": "7", "study": "x"}
    assert with_numbers(given) == read
    given = {"theory": {"width": "4", "rate": "1.0e-3", "on": "true", "none": "null", "deep": [{"a": "-2", "b": ".5"}]}}
    read = {"theory": {"width": 4, "rate": 0.001, "on": True, "none": None, "deep": [{"a": -2, "b": 0.5}]}}
    assert with_numbers(given) == read


@pytest.mark.parametrize(
    "text", ["010", "inf", "nan", "1_000", ".", "-.", "e5", "", "1e", "\u0661", "True", "0x1f", "yes"]
)
def test_what_yaml_does_not_read_as_a_number_stays_text(text):
    assert with_numbers({"a": [text]}) == {"a": [text]}


def test_what_has_changed_since_the_last_run_is_said(tmp_path):
    file = tmp_path / "cut.yaml"
    file.touch()
    assert check_same_study(study_of(), tmp_path, file) == []
    note_study(study_of(), tmp_path, file)
    assert check_same_study(study_of(), tmp_path, file) == []
    changed = study_of(seeds=[1, 2], title="Another title")
    assert check_same_study(changed, tmp_path, file)[1:] == [
        "  seeds: [1] -> [1, 2]",
        "  title: A cut of the nursery -> Another title",
    ]


def test_another_study_of_the_same_name_is_refused_and_a_changed_copy_is_not(tmp_path):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.touch()
    second.touch()
    note_study(study_of(), tmp_path, first)
    assert check_same_study(study_of(seeds=[3]), tmp_path, second)
    settings = CONFIG["series"]["nursery"]
    other = {"mine": settings | {"pretrain": settings["pretrain"] | {"hidden_size": 64}}}
    with pytest.raises(UserError, match=r"contains another study of this name, that of .*first\.yaml\nhint: give"):
        check_same_study(study_of(series=other), tmp_path, second)
    first.unlink()  # the file was renamed, or the folder was moved
    assert check_same_study(study_of(series=other), tmp_path, second)


def test_in_a_copy_of_a_folder_the_copy_of_the_file_is_the_one_that_ran_last(tmp_path, monkeypatch):
    folder = tmp_path / "clone"
    (folder / "results/cut").mkdir(parents=True)
    (folder / "cut.yaml").touch()
    monkeypatch.chdir(folder)
    note_study(study_of(), Path("results/cut"), Path("cut.yaml"))
    shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    settings = CONFIG["series"]["nursery"]
    changed = {"nursery": settings | {"pretrain": settings["pretrain"] | {"learning_rate": 4e-3}}}
    assert check_same_study(study_of(series=changed), Path("results/cut"), Path("cut.yaml"))[1:] == [
        "  series.nursery.pretrain.learning_rate: 0.003 -> 0.004"
    ]

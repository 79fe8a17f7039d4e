"""A study is made whole or not at all: its files can be loaded, and nothing that is there is replaced unasked."""

import json
import sys
from types import SimpleNamespace

import pytest

from ripeness.cli import places
from ripeness.cli.new_study import Wishes, make
from ripeness.runtime.errors import UserError
from ripeness.runtime.project import ROOT
from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with two checkpoints and 200 rows; what init is asked for."""
    monkeypatch.chdir(tmp_path)
    for step in (10, 20):
        (tmp_path / f"runs/step{step}").mkdir(parents=True)
        for name in ("config.json", "tokenizer.json"):
            (tmp_path / f"runs/step{step}/{name}").write_text("{}")
    rows = [{"text": f"t {n}", "label": ("no", "yes")[n % 2]} for n in range(200)]
    (tmp_path / "My Rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"checkpoints": ["runs"], "rows": tmp_path / "My Rows.jsonl", "tokens_per_step": 100}


def test_a_study_of_own_rows_can_be_loaded(mine, capsys):
    study = load_study(read_yaml(make(Wishes(**mine))), ROOT / "tasks")
    assert list(study.checkpoints["mine"]) == ["step10", "step20"]
    task = study.tasks["my-rows"]
    assert task.labels == {"no": " no", "yes": " yes"} and task.fields == {"text": "text"}
    assert study.settings.items.train + study.settings.items.test < 200
    assert "wrote tasks/my-rows.yaml" in capsys.readouterr().out


def test_a_study_of_shipped_datasets_writes_no_task(mine, tmp_path):
    make(Wishes(**mine | {"rows": None, "datasets": ["rte", "boolq"]}))
    study = load_study(read_yaml(tmp_path / "studies/mine.yaml"), ROOT / "tasks")
    assert list(study.tasks) == ["rte", "boolq"] and not (tmp_path / "tasks").exists()


@pytest.mark.parametrize("run", sorted(path.stem for path in (ROOT / "series").glob("*.yaml")))
def test_a_study_of_each_published_run_can_be_loaded(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    study = load_study(read_yaml(make(Wishes([run], datasets=["rte"]))), ROOT / "tasks")
    entries = list(study.checkpoints["mine"].values())
    assert 4 <= len(entries) <= 8 and len({entry["tokens"] for entry in entries}) == len(entries)


@pytest.mark.parametrize(("run", "rate"), [("pythia-70m", 1e-4), ("pythia-160m", 3e-5), ("olmo-1b", 1e-5)])
def test_the_rate_of_a_published_run_goes_by_its_size(tmp_path, monkeypatch, run, rate):
    monkeypatch.chdir(tmp_path)
    study = read_yaml(make(Wishes([run], datasets=["rte"])))
    assert study["methods"]["full"]["learning_rate"] == rate


def test_what_is_there_stays_without_force_and_after_a_mistake(mine, tmp_path):
    path = make(Wishes(**mine))
    text = path.read_text()
    make(Wishes(**mine))  # the same again is no conflict
    with pytest.raises(UserError, match="mine.yaml is there already\nhint: --name another-name, or --force"):
        make(Wishes(**mine, learning_rate=1e-4))
    with pytest.raises(UserError, match="unknown variable 'nothing'"):
        make(Wishes(**mine, template="{{ nothing }}", force=True))
    assert path.read_text() == text
    make(Wishes(**mine, learning_rate=1e-4, force=True))
    assert "learning_rate: 1.0e-4" in path.read_text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"rows": None}, "one of them is needed\nhint: --rows my.jsonl, or --dataset rte"),
        ({"datasets": ["rte"]}, "one of them is needed"),
        ({"name": "mine/other"}, "not a valid name of a study"),
        ({"rows": None, "datasets": ["rtee"]}, "unknown dataset 'rtee'.*\nhint: did you mean 'rte'"),
        ({"gate_text": "nowhere.txt"}, "there is no nowhere.txt\nhint"),
    ],
)
def test_mistakes_are_named_and_leave_nothing(mine, tmp_path, more, said):
    with pytest.raises(UserError, match=said):
        make(Wishes(**mine | more))
    assert not list(tmp_path.glob("*/*.yaml"))


def test_ctrl_c_in_a_program_has_its_own_status(monkeypatch, capsys):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "run_study", SimpleNamespace(main=stop))
    with pytest.raises(SystemExit) as left:
        places.call("run_study")
    assert left.value.code == 130 and "the next run resumes" in capsys.readouterr().err

"""At a terminal init asks for what it was not given: the guess is the default, and wrong answers are asked again."""

import json
import subprocess
import sys

import pytest

from ripeness.cli.new_study import Wishes
from ripeness.cli.questions import completed
from ripeness.runtime.project import SCRIPTS

NUMERIC = ("torch", "transformers", "polars", "numpy", "scipy", "altair", "duckdb", "datasets")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two checkpoints whose tokens nobody knows, and 60 rows."""
    monkeypatch.chdir(tmp_path)
    for step in (10, 20):
        (tmp_path / f"runs/step{step}").mkdir(parents=True)
        (tmp_path / f"runs/step{step}/config.json").write_text("{}")
    rows = [{"id": n, "question": f"t {n}", "note": "a b", "reply": ("no", "yes")[n % 2]} for n in range(60)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def answered(*answers):
    """Answer in order; None takes the default. What was asked is kept."""
    left, seen = list(answers), []

    def ask(question, default):
        seen.append((question.split(" (")[0], default))
        answer = left.pop(0)
        return default if answer is None else answer

    return ask, seen, left


def test_everything_is_asked_and_wrong_answers_are_asked_again(folder, capsys):
    ask, seen, left = answered(
        *("nowhere", "runs", "many", "4e6", "row.jsonl", "rows.jsonl"),
        *("replay", "reply", "question", "Mine!", "own", None),
    )
    wishes = completed(Wishes([]), ask)
    assert not left and [question for question, _ in seen] == [
        *["Checkpoints"] * 2, *["Tokens of one step of pre-training"] * 2, *["Rows"] * 2,
        *["Column with the right answer"] * 2, "Columns that are asked", *["Name of the study"] * 2,
        "A file with text like that of the pre-training",
    ]  # fmt: skip
    assert seen[8][1] == "question, note" and wishes.inputs == ["question"]
    assert (wishes.checkpoints, wishes.tokens_per_step, wishes.answer, wishes.name) == (
        ["runs"],
        4_000_000,
        "reply",
        "own",
    )
    said = capsys.readouterr().out
    assert "nowhere: no checkpoint is there" in said and "did you mean 'reply'" not in said.split("'replay'")[0]
    assert (
        "there is no column 'replay'; there are id, question, note, reply" in said
        and "'Mine!' is not a valid name" in said
    )


def test_what_is_given_is_not_asked(folder):
    ask, seen, left = answered("rte", None, None)
    wishes = completed(Wishes(["runs"], tokens_per_step=100), ask)
    assert wishes.datasets == ["rte"] and wishes.rows is None and len(seen) == 3 and not left


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["open", "nowhere"]])
def test_the_command_starts_without_a_numeric_library(words, tmp_path):
    code = "import sys; sys.argv = ['ripeness', *sys.argv[1:]]\nfrom ripeness.cli.app import main\n"
    code += "try:\n    main()\nexcept SystemExit:\n    pass\n"
    code += "print('loaded', *sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env={"PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
    )
    loaded = done.stdout.partition("loaded ")[2].split()
    assert "typer" in loaded and not set(NUMERIC) & set(loaded)

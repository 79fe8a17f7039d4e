"""The command: every part has help with an example, and the status says whose fault it was."""

import json

import pytest
import typer
from typer.testing import CliRunner

from ripeness.cli import app as command
from ripeness.cli import start
from ripeness.cli.places import results_folder, study_file, words_for_snakemake
from ripeness.cli.showing import show
from ripeness.runtime.errors import UserError
from ripeness.runtime.project import ROOT

COMMANDS = sorted(typer.main.get_command(command.app).commands)


def run(*words, status=0):
    done = CliRunner().invoke(command.app, list(words), prog_name="ripeness")
    assert done.exit_code == status, done.output
    return done.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    assert f"ripeness {name}" in run(name, "--help").partition("Example")[2]


def test_the_version_has_the_commit(monkeypatch):
    monkeypatch.setattr(command, "code_version", lambda: "abc123")
    assert run("--version") == "ripeness 0.1.0 (abc123)\n"


def test_what_the_user_must_fix_has_status_2(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["ripeness", "open", "minne"])
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies/mine.yaml").write_text("study: mine\n")
    with pytest.raises(SystemExit) as left:
        command.main()
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: there is no study 'minne'; known are nursery, ") and "did you mean 'mine'" in said
    assert "No such command" in run("opened", status=2)


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [([("supported", 0.1)], 0), ([("supported", 0.1), ("undecided", None)], 0), ([("undecided", 0.1)], 3)],
)
def test_strict_has_status_3_where_a_claim_with_numbers_is_undecided(tmp_path, verdicts, status):
    rows = [{"id": "ripe", "answers": []}, *({"verdict": verdict, "effect": effect} for verdict, effect in verdicts)]
    (tmp_path / "findings.json").write_text(json.dumps(rows))
    if status:
        with pytest.raises(typer.Exit) as left:
            command.leave_if_undecided(tmp_path)
        assert left.value.exit_code == status
    else:
        command.leave_if_undecided(tmp_path)


def test_results_without_their_findings_are_said_to_be_unfinished(monkeypatch, tmp_path):
    (tmp_path / "results/mine").mkdir(parents=True)
    (tmp_path / "results/mine/study.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "results/mine"):
        with pytest.raises(UserError, match="results/mine has no findings.json: .*\nhint: ripeness run mine goes on"):
            results_folder(name)


def test_ctrl_c_while_the_command_loads_is_no_error(monkeypatch, capsys):
    def interrupted(_name):
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "import_module", interrupted)
    with pytest.raises(SystemExit) as left:
        start.main()
    assert left.value.code == 130 and capsys.readouterr().err == "stopped\n"


def test_answers_are_shown_as_sentences_or_as_a_table(tmp_path):
    ripe = {"id": "ripe", "statement": "Tune step 8.", "answers": [{"method": "full", "statement": "For a: step 8."}]}
    row = {"series": "s", "indicator": "tokens", "accuracy": 0.93377, "says": "predicts", "cost": 0.0}
    told = {"id": "indicators", "statement": "It predicts.", "answers": [row, row | {"indicator": "margin"}]}
    (tmp_path / "findings.json").write_text(json.dumps([ripe, told]))
    assert show(tmp_path, "ripe", None)[:3] == ["Tune step 8.", "", "full: For a: step 8."]
    head, first, second = show(tmp_path, "indicators", None)[2].splitlines()
    assert head.split() == ["series", "indicator", "accuracy", "says"]
    assert (first.split(), second.split()[1]) == (["s", "tokens", "0.934", "predicts"], "margin")


def test_strict_has_status_3_where_nothing_has_numbers(tmp_path):
    (tmp_path / "findings.json").write_text('[{"verdict": "undecided", "effect": null}]')
    with pytest.raises(typer.Exit):
        command.leave_if_undecided(tmp_path)


def test_a_study_is_found_by_file_and_name_and_alone(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="there is no study in .*\nhint: `ripeness init`"):
        study_file(None)
    assert study_file("nursery") == ROOT / "config.yaml" and study_file("theory") == ROOT / "studies/theory.yaml"
    (tmp_path / "studies").mkdir()
    for name in ("mine", "theory"):
        (tmp_path / f"studies/{name}.yaml").write_text(f"study: {name}\n")
    assert str(study_file("theory")) == "studies/theory.yaml"  # one's own wins
    assert str(study_file("studies/mine.yaml")) == "studies/mine.yaml"
    with pytest.raises(UserError, match="several studies are in studies/: mine, theory"):
        study_file(None)
    (tmp_path / "studies/theory.yaml").unlink()
    assert str(study_file(None)) == "studies/mine.yaml"


def test_results_are_found_by_study_and_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies/other.yaml").write_text("study: mine\n")
    with pytest.raises(UserError, match="no finished results of mine; finished are none\nhint: ripeness run other"):
        results_folder("other")
    (tmp_path / "results/mine").mkdir(parents=True)
    (tmp_path / "results/mine/findings.json").write_text("[]")
    for name in ("other", "mine", None, "results/mine"):
        assert str(results_folder(name)) == "results/mine"


@pytest.mark.parametrize(
    ("words", "study", "more"),
    [([], None, []), (["mine"], "mine", []), (["-n"], None, ["-n"]), (["mine", "-n", "x"], "mine", ["-n", "x"])],
)
def test_words_after_the_study_are_for_snakemake(words, study, more):
    assert words_for_snakemake(words) == (study, more)

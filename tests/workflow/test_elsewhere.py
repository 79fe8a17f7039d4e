"""A study in another folder than the project, with a title of signs that shells, rules and pages take up."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from project import ENVIRONMENT, copy_project
from waiting import HANG_SECONDS

from ripeness.runtime.files import read_json

pytestmark = pytest.mark.slow
TITLE = (
    "</script><script>document.title = 'owned'</script> {a, b} of {step} \"two\" 'one' `id` $(id) $HOME %s \\\\ "
    "*a* |b| c_ \U0001f389 \u0645\u0631\u062d\u0628\u0627 <b>"
)
THEORY = {"seeds": [1, 2], "width": 4, "n_checkpoints": 4, "draws": 2, "steps": 5, "examples": 8}
THEORY |= {"rates": [0.01, 0.03], "fixed_rates": [0.01]}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A caller's folder with a study in it, and beside it a copy of the project."""
    base = tmp_path_factory.mktemp("else where")
    copy_project(base / "a clone")
    (base / "caller").mkdir()
    (base / "caller/toy.yaml").write_text(yaml.safe_dump({"study": "toy", "title": TITLE, "theory": THEORY}))
    return base


def called(base, *options):
    command = [sys.executable, "-m", "snakemake", "-s", "../a clone/Snakefile", *options]
    how = {"env": ENVIRONMENT, "capture_output": True, "text": True, "timeout": HANG_SECONDS, "check": False}
    return subprocess.run(command, cwd=base / "caller", **how)


def planned(base, *options):
    return called(base, *options, "-n")


def snakemake(base, *options):
    done = called(base, "--directory", "../the results", "--configfile", "toy.yaml", *options)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@pytest.mark.release
def test_a_study_runs_in_another_folder_and_its_title_is_text_everywhere(elsewhere):
    snakemake(elsewhere, "--cores", "2")
    results = elsewhere / "the results/results/toy"
    assert read_json(results / "provenance.json")["study"]["title"] == TITLE
    page = (results / "report.html").read_text()
    assert "<h1>&lt;/script&gt;&lt;script&gt;document.title = " in page and "<script>document.title" not in page
    assert "{a, b} of {step}" in page and "\U0001f389" in page
    assert not (elsewhere / "a clone/results").exists() and not (elsewhere / "caller/results").exists()
    assert "Nothing to be done" in snakemake(elsewhere, "--cores", "2", "-n")
    snakemake(elsewhere, "--report", "all.html")
    (whole,) = elsewhere.rglob("all.html")
    assert "owned" not in whole.read_text()


@pytest.mark.release
def test_another_title_runs_the_report_alone(elsewhere):
    study = {"study": "toy", "title": "Another", "theory": THEORY}
    (elsewhere / "caller/toy.yaml").write_text(yaml.safe_dump(study))
    said = snakemake(elsewhere, "--cores", "2", "-n")
    planned = dict(re.findall(r"^(\w+) +(\d+)$", said[said.index("Job stats:") :].split("\n\n")[0], re.MULTILINE))
    assert planned.keys() == {"record_provenance", "write_report", "all", "total"}


# root writes everywhere, unless it gives this up
WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


@pytest.mark.release
@pytest.mark.skipif(bool(WITHOUT_RIGHTS) and not shutil.which("setpriv"), reason="root needs setpriv to give up rights")
def test_a_clone_that_cannot_be_written_serves_a_folder_of_ones_own(elsewhere, tmp_path):
    clone, mine = elsewhere / "a clone", tmp_path / "mine"
    mine.mkdir()
    (mine / "toy.yaml").write_text(yaml.safe_dump({"study": "toy", "title": TITLE, "theory": THEORY}))
    shutil.copytree(elsewhere / "the results/results", mine / "results", copy_function=shutil.copyfile)
    subprocess.run(["chmod", "-R", "a-w", str(clone)], check=True)
    try:
        command = [*WITHOUT_RIGHTS, sys.executable, "-m", "snakemake", "--cores", "2", "-s", str(clone / "Snakefile")]
        command += ["--configfile", str(mine / "toy.yaml")]
        options = {"env": ENVIRONMENT, "capture_output": True, "text": True, "timeout": HANG_SECONDS}
        refused = subprocess.run([*command, "-n"], cwd=clone, check=False, **options)
        assert refused.returncode == 2 and refused.stderr.count("hint: ") == 1, refused.stderr
        assert "cannot be written, and Snakemake needs it even to plan" in refused.stderr
        done = subprocess.run([*command, "--directory", str(mine)], cwd=tmp_path, check=False, **options)
        assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr, done.stdout + done.stderr
        (mine / "results/toy/findings.json").unlink()
        done = subprocess.run([*command, "--directory", str(mine)], cwd=tmp_path, check=False, **options)
        assert done.returncode == 0 and (mine / "results/toy/findings.json").exists(), done.stdout + done.stderr
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(clone)], check=True)


MODULE = """
configfile: "toy.yaml"


module ripeness:
    snakefile: {snakefile!r}
    config: config


use rule * from ripeness


rule own:
    default_target: True
    input: "results/toy/findings.json"
    output: "own.json"
    shell: "cp {{input}} {{output}}"
"""


@pytest.mark.release
def test_a_module_of_another_workflow_takes_what_is_there_and_makes_what_has_changed(elsewhere, tmp_path):
    """Without the times of files and Snakemake's metadata, as after a copy."""
    shutil.copytree(elsewhere / "the results/results", tmp_path / "results", copy_function=shutil.copyfile)
    (tmp_path / "Snakefile").write_text(MODULE.format(snakefile=str(elsewhere / "a clone/Snakefile")))
    command = [sys.executable, "-m", "snakemake", "--cores", "2"]
    options = {"cwd": tmp_path, "env": ENVIRONMENT, "capture_output": True, "text": True, "timeout": HANG_SECONDS}
    ran = []
    for theory in (THEORY, THEORY | {"seeds": [1, 3]}, THEORY | {"seeds": [1, 3]}):
        (tmp_path / "toy.yaml").write_text(yaml.safe_dump({"study": "toy", "title": "Another", "theory": theory}))
        done = subprocess.run(command, check=False, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        ran.append(re.findall(r"^(?:local)?rule (\w+):$", done.stdout + done.stderr, re.MULTILINE))
    assert ran[0] == ["own"] and ran[1].count("simulate_linear_network") == 1 and "own" in ran[1] and not ran[2]


@pytest.mark.release
def test_the_study_of_the_project_is_planned_from_another_folder(elsewhere):
    done = planned(elsewhere)
    assert done.returncode == 0 and "results/nursery/report.html" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "study: toy\ntitle: t\ntheory: {seeds: [010]}\n",
            r"toy2\.yaml:3: 010 is read as an octal number, 8\nhint: write 10",
        ),
        ("study: toy\ntitle: no\ntheory: {}\n", r"toy2\.yaml:2: no is read as false\nhint: "),
        ("study: toy\ntitle: t\ntheory: {}\na: &a [1]\nb: [*a, *a]\n", r"unknown key|enum|'a' is not"),
    ],
)
def test_what_snakemake_itself_would_misread_is_refused(elsewhere, text, said):
    (elsewhere / "caller/toy2.yaml").write_text(text)
    done = planned(elsewhere, "--configfile", "toy2.yaml")
    assert done.returncode == 2 and re.search(said, done.stderr), done.stderr
    assert done.stderr.count("hint: ") == 1 and "Traceback" not in done.stderr

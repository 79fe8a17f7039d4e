"""From an empty folder to a report with the installed command: own checkpoints, own rows, nothing written by hand."""

import json
import os
import re
import resource
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import yaml
from cut_study import CUT
from project import ENVIRONMENT, ROOT
from waiting import HANG_SECONDS

from ripeness.data.nursery.world import rows
from ripeness.runtime.files import read_json

pytestmark = [pytest.mark.slow, pytest.mark.release]
STEPS = (64, 140)
MOST_SECONDS = 180.0  # of CPU, so that two cores take less, whatever else they do


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The command in an environment that has the wheel, together with the packages of the one that runs the tests."""
    pytest.importorskip("hatchling", reason="hatchling is not installed (requirements-dev.lock)")
    base = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(base)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=HANG_SECONDS)
    (wheel,) = base.glob("*.whl")
    venv.create(base / "venv", symlinks=True)
    packages = base / f"venv/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    (packages / "tests.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(base / "venv/bin/python"),
        "install",
        "-q",
        "--no-deps",
        "--ignore-installed",
    ]
    subprocess.run([*install, "--no-index", str(wheel)], check=True, capture_output=True, timeout=HANG_SECONDS)
    return base / "venv/bin/ripeness"


def run(command: Path, folder: Path, *words: str, status: int = 0) -> str:
    """What the command says; nothing in the environment leads to the clone."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(command), *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(installed, tmp_path_factory) -> Path:
    """Two checkpoints of a short pre-training, text like theirs, and 200 rows; no study, no task."""
    base = tmp_path_factory.mktemp("own")
    config = yaml.safe_load(CUT.read_text())
    config["series"]["nursery"]["checkpoints"] = [{"step": step} for step in STEPS]
    (base / "made").mkdir()
    (base / "made/cut.yaml").write_text(yaml.safe_dump(config))
    made = [f"results/cut/checkpoints/nursery/step{step}" for step in STEPS]
    run(installed, base / "made", "run", "cut.yaml", "--", *made)
    (base / "mine/checkpoints").mkdir(parents=True)
    for path in made:
        (base / "made" / path).rename(base / "mine/checkpoints" / Path(path).name)
    own = rows("sentiment", n=200, split="train", seed=5)
    (base / "mine/reviews.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))
    (base / "mine/text.txt").write_text(
        "\n".join(row["text"] for row in rows("sentiment", n=300, split="train", seed=9))
    )
    return base / "mine"


def test_own_checkpoints_and_rows_become_a_report(installed, folder):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = run(installed, folder, "init", "checkpoints", "--rows", "reviews.jsonl", "--text", "text.txt")
    assert "text -> sentiment, a choice among negative, positive" in said
    assert "learned when tuned on:" in said and re.search(r"without a GPU: \d+ jobs", said)
    assert {str(path.relative_to(folder)) for path in folder.glob("*/*.yaml")} == {
        "studies/mine.yaml",
        "tasks/reviews.yaml",
    }
    assert "is there already" not in run(installed, folder, "check")
    said = run(installed, folder, "run", "--cores", "2")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert re.match(r"\d+ jobs \(.* tuning.*Ctrl-C is safe", said)
    order = [said.index(word) for word in ("For reviews:", "results/mine/report.html\n", "CPU seconds")]
    assert order == sorted(order)
    page = (folder / "results/mine/report.html").read_text()
    assert "reviews" in page and not (ROOT / "results/mine").exists()
    record = read_json(folder / "results/mine/provenance.json")
    assert record["datasets"]["reviews"]["licence"] == "not stated" and record["software"]["ripeness"]
    counts = read_json(folder / "results/mine/items/reviews/counts.json")
    assert (counts["train"], counts["test"]) == (88, 80)
    assert used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime < MOST_SECONDS


def test_what_is_finished_is_shown_and_not_run_again(installed, folder):
    assert "Nothing to be done" in run(installed, folder, "run", "--", "-n")
    said = run(installed, folder, "run", "--strict", status=3)
    assert "cannot be decided by this study" in said
    assert "step 64" in run(installed, folder, "choose") and "riper" not in run(installed, folder, "choose", "mine")
    assert "cannot be decided" in run(installed, folder, "show")
    said = run(installed, folder, "show", "format-spread")
    assert "verdict: undecided" in said and "made by: ripeness run mine -- results/mine/findings.json" in said
    said = run(installed, folder, "show", "mine/step140/reviews/default/full/seed1")
    assert "n_examples: 88" in said and re.search(r"own +reviews +default +0 +test +accuracy +[\d.]+", said)
    target = re.search(r"made by: ripeness run mine -- (\S+)", said)[1]
    assert (folder / target).is_file()
    item = json.loads((folder / "results/mine/items/reviews/test.jsonl").read_text().splitlines()[0])
    said = run(installed, folder, "show", item["id"], "--dataset", "reviews")
    assert item["fields"]["text"] in said and f"right: {item['target']}" in said
    assert len(re.findall(r"^ *mine +step", said, re.MULTILINE)) == 6  # two untouched, four tuned
    assert "no claim, cell or item 'x'" in run(installed, folder, "show", "x", status=2)


def test_results_are_compared_exported_and_opened(installed, folder):
    said = run(installed, folder, "compare", "mine", "results/mine")
    assert "nothing changed" in said and (folder / "exports/compare-mine-mine.html").is_file()
    assert run(installed, folder, "export", "--to", "hf-dataset") == "wrote exports/mine-hf-dataset\n"
    said = run(installed, folder, "query", "SELECT count(*) AS n FROM scores", "--format", "csv")
    assert said == "n\n4\n"
    code = "import ripeness; s = ripeness.open('mine'); print(s.scores.height, type(s.figure('gain')).__name__)"
    done = run(installed.with_name("python"), folder, "-c", code)
    assert re.fullmatch(r"4 \w+Chart\n", done)
    assert read_json(folder / "results/mine/reported.json")["before"] is None


def test_a_plan_says_why_and_at_what_cost(installed, folder):
    said = run(installed, folder, "plan", "--gpu", "A100", "--gpus", "2")
    assert said.count("nothing would run: every result is there") == 1 and "no cost" in said and "detectable" in said
    assert "unknown GPU" in run(installed, folder, "plan", "--gpu", "Z9", status=2)


def test_files_that_are_there_are_not_replaced_unasked(installed, folder):
    words = ["init", "checkpoints", "--rows", "reviews.jsonl", "--learning-rate", "5e-4"]
    said = run(installed, folder, *words, status=2)
    assert "studies/mine.yaml is there already\nhint: --name" in said
    assert "gate_text" in (folder / "studies/mine.yaml").read_text()


def test_the_clone_has_the_command_too(folder):
    command = [sys.executable, str(ROOT / "scripts/ripeness"), "choose"]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert done.returncode == 0 and "step 64" in done.stdout, done.stderr

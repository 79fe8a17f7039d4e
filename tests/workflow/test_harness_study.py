"""A study with tasks of lm-evaluation-harness in a suite, from nothing to its report."""

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from harness_tasks import write_tasks
from project import ENVIRONMENT, copy_project
from waiting import HANG_SECONDS

pytestmark = pytest.mark.slow

needs_harness = pytest.mark.skipif(
    not importlib.util.find_spec("lm_eval"), reason="lm-eval is not installed; it is in requirements-dev.lock"
)
EXPENSIVE = ("pretraining", "cells", "checkpoints")


def study(folder: Path, **suite) -> dict:
    """The cut study, cut further, with a suite of two tasks."""
    config = yaml.safe_load((Path(__file__).parent / "cut.yaml").read_text())
    config["series"]["nursery"]["checkpoints"] = [{"step": 0}, {"step": 20}]
    config["datasets"] = {"nursery-sentiment": {}}
    config["formats"] = ["default"]
    config["items"] |= {"train": 16, "test": 10}
    config["suites"] = {
        "in-domain": {"datasets": "own", "formats": "trained"},
        "reference": {"lm_eval": ["My_Colours", "my_words"]} | suite,
    }
    return config | {"seeds": [1], "texts": {}, "lm_eval": {"include_path": str(folder)}}


def run(folder: Path, config: dict, *options: str) -> subprocess.CompletedProcess:
    (folder / "study.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "scripts/run_study.py", "--study", "study.yaml", "--cores", "2"]
    if options:
        command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", "2", *options]
    environment = ENVIRONMENT | {"HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("harness") / "a study")


@pytest.mark.release
@needs_harness
def test_a_task_that_nobody_knows_ends_the_run_before_anything_expensive(project):
    config = study(write_tasks(project / "tasks of mine"))
    config["suites"]["reference"]["lm_eval"] = ["my_wrds"]
    done = run(project, config)
    assert done.returncode == 2 and "did you mean 'my_words'?" in done.stderr, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not [name for name in EXPENSIVE if (project / "results/cut" / name).exists()]


@pytest.mark.release
@needs_harness
def test_every_tuned_number_has_its_untouched_one_and_stands_in_the_report(project):
    config = study(project / "tasks of mine")
    done = run(project, config)
    assert done.returncode == 0, done.stdout + done.stderr
    results = project / "results/cut"
    table = pl.read_parquet(results / "tables/measurements.parquet").filter(probe_kind="harness")
    of_model = ["checkpoint", "probe", "metric", "shots"]
    by_method = [table.filter(method=method).select(of_model).sort(of_model) for method in ("base", "full")]
    assert by_method[0].equals(by_method[1])
    metrics = {"My_Colours": ("acc", "acc_norm", "f1"), "my_words": ("exact_match", "exact_match")}
    assert by_method[0].height == 2 * sum(map(len, metrics.values()))
    assert set(table["source"]) == {f"lm_eval {importlib.metadata.version('lm-eval')}"}
    page = (results / "report.html").read_text()
    section = page[page.index('<section id="references">') :].partition("</section>")[0]
    assert all(
        word in section for word in ("My_Colours", "acc_norm,none", "exact_match,letter", "untouched", "tuned on")
    )
    assert "tasks of lm_eval" in page
    figures = "".join(path.read_text() for path in (results / "figures").glob("*.csv"))
    assert "nursery-sentiment" in figures and "My_Colours" not in figures and "my_words" not in figures


@pytest.mark.release  # after the run above
@needs_harness
def test_a_new_task_reruns_no_training_elsewhere_and_a_touched_file_nothing(project):
    config = study(project / "tasks of mine")
    (project / "tasks of mine/colours.yaml").touch()
    assert "Nothing to be done" in (done := run(project, config, "-n")).stdout + done.stderr
    config["suites"]["prose"] = {"lm_eval": ["my_prose"]}
    done = run(project, config, "-n", "-q", "rules")
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE))
    assert jobs["fetch_harness_task"] == "1", done.stdout + done.stderr
    assert "prepare_items" not in jobs and "pretrain_checkpoint" not in jobs


def test_without_lm_eval_a_study_that_names_its_tasks_is_refused(project, tmp_path):
    # the package may be installed: it is hidden
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'lm_eval' else find(name, *a)\n"
    )
    (project / "study.yaml").write_text(yaml.safe_dump(study(project)))
    command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", "1", "-n"]
    environment = ENVIRONMENT | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert done.returncode == 2 and "pip install lm-eval==0.4.13" in done.stderr, done.stdout + done.stderr
    assert "My_Colours, my_words" in done.stderr and "Traceback" not in done.stderr

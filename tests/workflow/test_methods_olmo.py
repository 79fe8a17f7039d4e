"""The study of ways of tuning on OLMo-1B: planned and forecast as it is, without network."""

import re
import subprocess
import sys

import pytest
from project import ENVIRONMENT, ROOT, copy_project
from waiting import HANG_SECONDS

from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml

pytestmark = [pytest.mark.slow, pytest.mark.release]

STUDY = ROOT / "studies/methods-olmo-1b.yaml"


def test_the_study_is_forecast_by_its_dry_run(tmp_path):
    project = copy_project(tmp_path / "a study")
    command = [sys.executable, "scripts/forecast.py", "--study", str(STUDY), "--gpus", "8"]
    run = subprocess.run(command, cwd=project, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert run.returncode == 0, run.stdout + run.stderr
    jobs = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+) ", run.stdout, re.MULTILINE)}
    recipes = load_study(read_yaml(STUDY), ROOT / "tasks").recipes
    n_tuned = 5 * 2 * sum(len(by_dataset) for by_dataset in recipes.values())  # checkpoints, seeds
    assert jobs["train_model"] == n_tuned and jobs["fetch_checkpoint"] == 5 and jobs["fetch_passages"] == 1
    assert not jobs.keys() & {"pretrain_state", "pretrain_checkpoint"}
    assert float(re.search(r"about ([0-9.]+) hours with 8 at once", run.stdout)[1]) > 1

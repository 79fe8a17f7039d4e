"""The studies of ways of tuning and of alignment on OLMo-1B: planned and forecast as they are, without network."""

import re
import subprocess
import sys

import pytest
from project import ENVIRONMENT, ROOT, copy_project
from waiting import HANG_SECONDS

from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml

pytestmark = [pytest.mark.slow, pytest.mark.release]


@pytest.mark.parametrize(("name", "n_checkpoints"), [("methods-olmo-1b", 5), ("alignment-olmo-1b", 6)])
def test_the_study_is_forecast_by_its_dry_run(tmp_path, name, n_checkpoints):
    study = ROOT / f"studies/{name}.yaml"
    project = copy_project(tmp_path / "a study")
    command = [sys.executable, "scripts/forecast.py", "--study", str(study), "--gpus", "8"]
    run = subprocess.run(command, cwd=project, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert run.returncode == 0, run.stdout + run.stderr
    jobs = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+) ", run.stdout, re.MULTILINE)}
    recipes = load_study(read_yaml(study), ROOT / "tasks").recipes
    n_tuned = n_checkpoints * 2 * sum(len(by_dataset) for by_dataset in recipes.values())  # checkpoints, seeds
    assert jobs["train_model"] == n_tuned and jobs["fetch_checkpoint"] == n_checkpoints and jobs["fetch_passages"] == 1
    assert not jobs.keys() & {"pretrain_state", "pretrain_checkpoint"}
    assert float(re.search(r"about ([0-9.]+) hours with 8 at once", run.stdout)[1]) > 1

"""The study of pictures on OLMo-1B: planned and forecast as it is, without network."""

import re
import subprocess
import sys

import pytest
from project import ENVIRONMENT, ROOT, copy_project
from waiting import HANG_SECONDS

from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml
from ripeness.study.tasks import files_by_role

pytestmark = [pytest.mark.slow, pytest.mark.release]

STUDY = ROOT / "studies/pictures-olmo-1b.yaml"


def test_the_study_is_forecast_by_its_dry_run_with_the_disk_of_pictures(tmp_path):
    project = copy_project(tmp_path / "a study")
    study = load_study(read_yaml(STUDY), ROOT / "tasks")
    for task in study.tasks.values():
        for _, path in files_by_role(task):  # which are not published with their pictures
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text("[]")
    command = [sys.executable, "scripts/forecast.py", "--study", str(STUDY), "--gpus", "8"]
    run = subprocess.run(command, cwd=project, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert run.returncode == 0, run.stdout + run.stderr
    jobs = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+) ", run.stdout, re.MULTILINE)}
    # checkpoints and seeds; both first stages have one rate, both second ones three
    assert jobs["train_model"] == 7 * 2 * (2 * 1 + 2 * 3)
    assert jobs["fetch_checkpoint"] == 7 and jobs["fetch_encoder"] == 1
    assert jobs["encode_images"] == sum(bool(task.image) for task in study.tasks.values()) == 4
    assert not jobs.keys() & {"pretrain_state", "pretrain_checkpoint", "pretrain_encoder"}
    assert 50 < float(re.search(r"pictures ([0-9.]+) GB", run.stdout)[1]) < 300

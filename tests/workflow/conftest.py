"""Modules that the workflow tests share lie beside them; the study of cut.yaml is run once for all of them."""

import os
import subprocess
import sys

import pytest
from cut_study import WITHOUT_NETWORK, Study
from filelock import FileLock
from project import ENVIRONMENT
from waiting import HANG_SECONDS


@pytest.fixture(scope="session")
def first_run(tmp_path_factory) -> Study:
    """The study after one run by the front-end of `make study`; where root may, without a network. Never changed."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # which all workers see
    folder = base / "with space" / "a study"
    with FileLock(base / "first_run.lock"):
        if not (folder / "said.txt").exists():
            Study(folder)
            command = [*WITHOUT_NETWORK, sys.executable, "scripts/run_study.py", "--study", "cut.yaml", "--cores", "2"]
            run = subprocess.run(
                command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS
            )
            assert run.returncode == 0, run.stdout + run.stderr
            (folder / "said.txt").write_text(run.stdout)
    return Study(folder)


@pytest.fixture(scope="module")
def finished(first_run, tmp_path_factory) -> Study:
    """A copy of the finished study, in which tests may plan other configs and make reports."""
    return Study.copy(first_run, tmp_path_factory.mktemp("finished") / "a study")


@pytest.fixture
def edited(first_run, tmp_path) -> Study:
    """A copy of the finished study whose sources may be edited."""
    return Study.copy(first_run, tmp_path / "a study")

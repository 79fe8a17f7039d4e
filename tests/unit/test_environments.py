"""All ways to set up the environment install the same pins."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def pins() -> list[str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_the_environment_for_conda_has_the_pins_of_the_lock_file():
    python, _, packages = yaml.safe_load((ROOT / "envs" / "ripeness.yaml").read_text())["dependencies"]
    assert packages["pip"] == pins()
    assert python == "python=3.11"


def test_the_container_is_made_from_the_lock_file():
    recipe = (ROOT / "envs" / "ripeness.def").read_text()
    assert "requirements.lock /opt/requirements.lock" in recipe and "-r /opt/requirements.lock" in recipe


def test_every_pin_is_exact():
    assert all("==" in line.split(";")[0] for line in pins())


@pytest.mark.parametrize("python", ["/nowhere/python3", sys._base_executable])  # gone, and one without our packages
def test_an_environment_whose_python_has_gone_or_changed_is_said_with_the_way_out(tmp_path, python):
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(python)
    (tmp_path / ".venv" / "ready").touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MAKE"))}
    made = subprocess.run(["make", "study"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert made.returncode == 2 and (tmp_path / ".venv" / "ready").is_file()
    assert made.stderr.startswith("error: the Python with which .venv was made has gone or is another one now\nhint: ")

"""All ways to set up the environment install the same pins."""

from pathlib import Path

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

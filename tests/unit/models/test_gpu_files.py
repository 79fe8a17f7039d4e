"""The tests for a GPU are there, say why they are skipped without one, and their bodies run on an imitated device."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from waiting import HANG_SECONDS

ROOT = Path(__file__).parents[3]
# One of each kind; all of them take minutes.
SOME = (
    "cool-apart and llama, cannot_pack, leak, halved_until, losses_in_half, (half_precision_are and llama), identical"
)


def run(device, *options):
    given = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    environment = given | {"RIPENESS_TEST_DEVICE": device, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *options, "tests/gpu"]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS
    ).stdout


def test_every_file_has_tests_and_without_a_gpu_they_are_skipped_with_the_reason():
    said = run("cuda", "--collect-only")
    files = {path.name for path in (ROOT / "tests/gpu").glob("test_*.py")}
    assert {Path(line.split("::")[0]).name for line in said.splitlines() if "::" in line} == files
    if torch.cuda.is_available():
        return
    said = run("cuda", "-k", "half_precision")
    assert "there is no GPU that torch can use" in said
    assert re.search(r"^\d+ skipped, \d+ deselected", said, re.MULTILINE), said


def test_the_ordinary_tests_leave_them_out():
    paths = re.search(r"^testpaths = (.*)$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert "tests/unit" in paths[1] and "tests/gpu" not in paths[1]


@pytest.mark.release
def test_their_bodies_run_on_an_imitated_device():
    some = " or ".join(f"({one})" for one in SOME.split(", "))
    said = run("far", "-k", some)
    assert re.search(r"^7 passed", said, re.MULTILINE) and " failed" not in said, said
    assert "largest difference of a loss in bf16 (nats): 0.0" in said

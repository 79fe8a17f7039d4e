"""Where clocks differ, what was made is still newer than what it was made from, and is made once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import ENVIRONMENT
from waiting import HANG_SECONDS

pytestmark = pytest.mark.slow

SNAKEFILE = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2] / "scripts")!r})
from ripeness.workflow.snakemake_patches.other_clocks import PATCH
PATCH.while_reading(workflow, Path("logs"))

rule grow:
    input: "seed"
    output: "grown", directory("garden")
    shell: "cp seed grown; mkdir garden"
"""


def snakemake(folder, *options):
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *options]
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("ahead", "is_said"), [(300, True), pytest.param(0, False, marks=pytest.mark.release), (-300, False)]
)
def test_a_file_of_a_node_with_another_clock_is_used_and_what_is_made_of_it_is_not_made_again(tmp_path, ahead, is_said):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "seed").write_text("seed")
    there = time.time() + ahead
    os.utime(tmp_path / "seed", (there, there))
    said = snakemake(tmp_path)
    assert said.count("clocks of nodes differ") == 2 * is_said
    assert (tmp_path / "grown").stat().st_mtime >= (tmp_path / "seed").stat().st_mtime
    assert "Nothing to be done" in snakemake(tmp_path, "-n")

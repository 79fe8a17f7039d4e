"""A study of the theory plans its own jobs and figures, and none of a study of models."""

import re
import subprocess
import sys

import pytest
from networks import OF_NETWORKS as FIGURES
from project import ENVIRONMENT, ROOT, copy_project
from waiting import HANG_SECONDS

pytestmark = pytest.mark.slow


def test_a_study_of_the_theory_plans_networks_findings_and_figures(tmp_path):
    folder = copy_project(tmp_path / "a study")
    command = [sys.executable, "-m", "snakemake", "--configfile", str(ROOT / "studies/theory.yaml"), "-n"]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    counts = dict(re.findall(r"^(\w+) +(\d+)$", said[said.index("Job stats:") :].split("\n\n")[0], re.MULTILINE))
    assert {rule: int(count) for rule, count in counts.items()} == {
        "all": 1,
        "collect_simulations": 3,
        "plot_figure": len(FIGURES),
        "record_provenance": 1,
        "simulate_linear_network": 5,
        "judge_claims": 1,
        "total": 12 + len(FIGURES),
        "write_report": 1,
    }
    assert all(f"results/theory/figures/{name}.svg" in said for name in FIGURES)

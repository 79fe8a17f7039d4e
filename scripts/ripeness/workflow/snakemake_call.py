"""Call Snakemake from the programs of this project."""

import json
import os
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.project import ROOT


def snakemake_command(study: Path, *options: str) -> list[str]:
    """Return the command that runs the Snakefile on a study.

    The study that is embedded is named by the Snakefile itself.
    """
    configured = [] if study.resolve() == ROOT / "config.yaml" else ["--configfile", str(study)]
    return [sys.executable, "-m", "snakemake", *configured, "--snakefile", str(ROOT / "Snakefile"), *options]


def snakemake_environment() -> dict[str, str]:
    """Return the environment in which Snakemake and its jobs find the programs installed next to this Python."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def is_group(arguments: list[str]) -> bool:
    """Whether these arguments of Snakemake, inside a job of a cluster, name several jobs to run."""
    after = arguments[arguments.index("--target-jobs") + 1 :] if "--target-jobs" in arguments else []
    return len(list(takewhile(lambda word: not word.startswith("--"), after))) > 1


def ask_plan(study: Path, question: str, **environment: str) -> Any:
    """Plan a study without running it, and read what the plan answers to `question`: RIPENESS_EXPLAIN or RIPENESS_PLAN.

    UserError with Snakemake's own words where it cannot plan.
    """
    with TemporaryDirectory(prefix="ripeness-plan-") as folder:
        answer = Path(folder) / "answer.json"
        done = subprocess.run(
            snakemake_command(study, "-n", "-q", "--rerun-incomplete"),  # as `make study` after a run was killed
            env=snakemake_environment() | environment | {question: str(answer)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not answer.is_file():
            said = (done.stdout + done.stderr).partition("Building DAG of jobs...\n")
            raise UserError(f"Snakemake cannot plan the study:\n{(said[2] or said[0]).strip()}")
        return json.loads(answer.read_text(encoding="utf-8"))

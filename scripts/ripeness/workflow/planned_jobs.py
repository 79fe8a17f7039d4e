"""Count the jobs that a run would start now, and say how long they take on this machine."""

import os
import re
import subprocess
from pathlib import Path

from ripeness.runtime.errors import UserError
from ripeness.study.grid import Study
from ripeness.workflow.snakemake_call import snakemake_command, snakemake_environment
from ripeness.workflow.study_progress import Progress
from ripeness.workflow.time_left import costs_of


def planned_jobs(study: Path) -> dict[str, int]:
    """Count the jobs that Snakemake would run now, by rule."""
    command = snakemake_command(study, "-n", "-q", "rules")
    done = subprocess.run(command, capture_output=True, text=True, env=snakemake_environment(), check=False)
    if done.returncode:
        raise UserError(f"Snakemake cannot plan the study:\n{(done.stdout + done.stderr).strip()}")
    stats = (done.stdout + done.stderr).partition("Job stats:")[2].partition("\n\n")[0]
    jobs = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", stats, re.MULTILINE)}
    return {rule: n for rule, n in jobs.items() if rule not in ("all", "total")}


def on_this_machine(study: Study, jobs: dict[str, int], logs: Path) -> str:
    """Say how many jobs of which stage there are, and how long they take on the processors of this machine."""
    progress = Progress(costs_of(study, logs), os.cpu_count() or 1)
    for rule, n in jobs.items():
        progress.read(f"{rule} {n}")
    return progress.plan_in_words()

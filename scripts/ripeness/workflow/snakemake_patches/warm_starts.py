"""Start jobs as children of processes that have imported the libraries already (see `warm/`)."""

import sys
from pathlib import Path
from typing import Any

from ripeness.runtime.project import SCRIPTS
from ripeness.workflow.snakemake_call import is_group
from ripeness.workflow.snakemake_patches.patch import Patch
from ripeness.workflow.snakemake_patches.warm import start


def for_local_jobs(workflow: Any, logs: Path) -> None:
    """Start the servers of a local run."""
    if workflow.is_main_process and workflow.local_exec:
        start.start_all(SCRIPTS, usage=logs)


def for_group(workflow: Any, logs: Path) -> None:
    """Start the servers of a group's members on a cluster, where no job has an `onstart`."""
    if not workflow.is_main_process and workflow.remote_exec and is_group(sys.argv):
        start.start_all(SCRIPTS)


PATCH = Patch(
    id="warm_starts",
    changes="PATH of the shells of jobs, where `python` is then scripts/warm/python",
    reason="importing torch and transformers takes four seconds, a job of the embedded study one",
    without="each job imports its libraries itself, which takes some seconds",
    relies_on=(
        "snakemake.shell:shell.__new__",
        "snakemake.executors.local:Executor.run_single_job",
        "snakemake.workflow:Workflow.is_main_process",
        "snakemake.workflow:Workflow.local_exec",
        "snakemake.workflow:Workflow.remote_exec",
    ),
    while_reading=for_group,
    at_start=for_local_jobs,
)

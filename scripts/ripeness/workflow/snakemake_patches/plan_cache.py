"""Work out once what Snakemake works out again for every job of a plan."""

import gc
import inspect
from functools import lru_cache
from pathlib import Path
from typing import Any

from ripeness.workflow.snakemake_patches.patch import Patch


def speed_up_planning(workflow: Any, logs: Path) -> None:
    """Look for no garbage; ask resources for their parameters once; work out a job's command and logs once."""
    from snakemake.common import overwrite_function_params
    from snakemake.jobs import Job
    from snakemake.resources import Resource

    gc.disable()  # a plan is a million objects that live to the end
    overwrite_function_params(Resource.evaluate, inspect.signature(Resource.evaluate).parameters)
    log_info, shell_command = Job.log_info, lru_cache(maxsize=1)(Job.shellcmd.fget)

    def log_anew(job: Job, *arguments: Any, **options: Any) -> None:
        shell_command.cache_clear()  # a job that is tried again may ask for more memory
        log_info(job, *arguments, **options)

    Job.log_info, Job.shellcmd = log_anew, property(shell_command)
    Job.is_valid = lambda job: job.log and job.benchmark  # which keep what they find


def restore_after_planning(workflow: Any, logs: Path) -> None:
    """Look for garbage again, now that the plan is there, but not among what is in it."""
    gc.freeze()
    gc.enable()


PATCH = Patch(
    id="plan_cache",
    changes="Job.shellcmd, Job.log_info, Job.is_valid, the parameters of Resource.evaluate; no garbage collection",
    reason="each is worked out several times for each job, a quarter of the time that planning takes",
    without="planning takes longer",
    relies_on=(
        "snakemake.common:get_function_params",
        "snakemake.common:overwrite_function_params",
        "snakemake.jobs:Job.benchmark",
        "snakemake.jobs:Job.is_valid",
        "snakemake.jobs:Job.log",
        "snakemake.jobs:Job.log_info",
        "snakemake.jobs:Job.shellcmd",
        "snakemake.resources:Resource.evaluate",
    ),
    while_reading=speed_up_planning,
    at_start=restore_after_planning,
)

"""What Snakemake works out anew for every job of a plan, worked out once. For Snakemake 9.27; pinned for this."""

import gc
import inspect
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from snakemake.common import overwrite_function_params
from snakemake.jobs import Job
from snakemake.resources import Resource

from ripeness.plan import Study


def hurry() -> None:
    """Look for no garbage; ask resources for their parameters once; work out a job's command and logs once."""
    gc.disable()  # a plan is a million objects that live to the end
    overwrite_function_params(Resource.evaluate, inspect.signature(Resource.evaluate).parameters)
    log_info, shell_command = Job.log_info, lru_cache(maxsize=1)(Job.shellcmd.fget)

    def log_anew(job: Job, *arguments: Any, **options: Any) -> None:
        shell_command.cache_clear()  # a job that is tried again may ask for more memory
        log_info(job, *arguments, **options)

    Job.log_info, Job.shellcmd = log_anew, property(shell_command)
    Job.is_valid = lambda job: job.log and job.benchmark  # which keep what they find


def rest() -> None:
    """The plan is there: look for garbage again, but not among what is in it."""
    gc.freeze()
    gc.enable()


def from_plan(study: Study, lookup: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the plan, lookup(study, wildcards) or lookup(study, wildcards, attempt), as rules call it."""
    ask = partial(lookup, study)
    overwrite_function_params(ask, inspect.signature(ask).parameters)
    return ask

"""Cache what Snakemake computes anew for every job of a plan, and pass paths that are not patterns.

For Snakemake 9.27; pinned for this.
"""

import gc
import inspect
import os
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from snakemake import rules
from snakemake.common import overwrite_function_params
from snakemake.io import IOFile, _IOFile
from snakemake.jobs import Job
from snakemake.resources import Resource

from ripeness.runtime.project import ROOT
from ripeness.study.grid import Study


class PlainPath(str):
    """The path of an input as it is written, though it may hold braces or angle brackets."""


class File(_IOFile):
    """An input whose path is no pattern: Snakemake would look for wildcards in it, and for its own names of folders."""

    def apply_wildcards(self, wildcards: Any) -> "File":
        """Return the file itself."""
        return self


def io_file(path: Any, rule: Any = None) -> _IOFile:
    """Return a file of Snakemake, which of a plain path is that path."""
    if isinstance(path, File):
        return path
    if not isinstance(path, PlainPath):
        return IOFile(path, rule=rule)
    file = File(path, rule=None)
    file.rule = rule
    return file


def plain(value: Any) -> Any:
    """Return the value of a lookup; paths in a list stay as they are."""
    return [PlainPath(path) if set(path) & set("{<") else path for path in value] if isinstance(value, list) else value


def hurry() -> None:
    """Collect no garbage, read the parameters of resources once, and compute a job's command and logs once."""
    gc.disable()  # a plan is a million objects that live to the end
    overwrite_function_params(Resource.evaluate, inspect.signature(Resource.evaluate).parameters)
    log_info, shell_command = Job.log_info, lru_cache(maxsize=1)(Job.shellcmd.fget)

    def log_anew(job: Job, *arguments: Any, **options: Any) -> None:
        shell_command.cache_clear()  # a job that is tried again may ask for more memory
        log_info(job, *arguments, **options)

    rules.IOFile = io_file
    Job.log_info, Job.shellcmd = log_anew, property(shell_command)
    Job.is_valid = lambda job: job.log and job.benchmark  # which keep what they find


def rest() -> None:
    """Collect garbage again once the plan is complete, but not within the plan."""
    gc.freeze()
    gc.enable()


def from_plan(study: Study, lookup: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a lookup into a function that a rule can call: lookup(study), (study, wildcards) or with `attempt`.

    Lists are paths, which stay as they are.
    """
    if list(inspect.signature(lookup).parameters) == ["study"]:
        return lambda wildcards: plain(lookup(study))

    def ask(*values: Any, **more: Any) -> Any:
        return plain(lookup(study, *values, **more))

    overwrite_function_params(ask, inspect.signature(partial(lookup, study)).parameters)
    return ask


def in_project(path: str) -> str:
    """Return a file of the project as seen from the folder in which jobs run: the project's own, or another."""
    return os.path.relpath(ROOT / path)


def image(path: str) -> str:
    """Return the image of a container in the project; Snakemake takes no blanks in its path."""
    seen = in_project(path)
    return path if any(map(str.isspace, seen)) else seen

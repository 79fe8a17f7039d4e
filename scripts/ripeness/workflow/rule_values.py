"""Give rules functions of the plan, and paths of the project as jobs see them."""

import inspect
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from ripeness.runtime.project import ROOT
from ripeness.study.grid import Study
from ripeness.workflow.snakemake_patches.plain_paths import as_written


def from_plan(study: Study, lookup: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a lookup into a function that a rule can call: lookup(study), (study, wildcards) or with `attempt`.

    Lists are paths, which stay as they are.
    """

    if list(inspect.signature(lookup).parameters) == ["study"]:
        return lambda wildcards: as_written(lookup(study))

    def ask(*values: Any, **more: Any) -> Any:
        return as_written(lookup(study, *values, **more))

    ask.__signature__ = inspect.signature(partial(lookup, study))  # type: ignore[attr-defined]
    return ask


def in_project(path: str) -> str:
    """Return a file of the project as seen from the folder in which jobs run: the project's own, or another."""
    return os.path.relpath(ROOT / path)


def image(path: str) -> str:
    """Return the image of a container in the project; Snakemake takes no blanks in its path."""
    seen = in_project(path)
    return path if any(map(str.isspace, seen)) else seen

"""All changes to Snakemake, in the order in which they are made."""

import sys
from pathlib import Path
from typing import Any

from ripeness.workflow.snakemake_patches import (
    checks_first,
    fetch_limit,
    few_weighed,
    other_clocks,
    plain_paths,
    plan_cache,
    prompt_end,
    rerun_by_keys,
    slurm_submission,
    superseded_jobs,
    warm_starts,
)
from ripeness.workflow.snakemake_patches.patch import PLAIN, Patch, is_plain

PATCHES: tuple[Patch, ...] = (
    plan_cache.PATCH,
    plain_paths.PATCH,
    rerun_by_keys.PATCH,
    other_clocks.PATCH,
    fetch_limit.PATCH,
    few_weighed.PATCH,
    slurm_submission.PATCH,
    superseded_jobs.PATCH,
    prompt_end.PATCH,
    checks_first.PATCH,  # wraps the selection of `few_weighed`
    warm_starts.PATCH,
)


def while_reading(workflow: Any, logs: Path) -> None:
    """Make the changes that planning needs. Warn once, in the main process, of those that cannot be made."""
    if workflow.is_main_process and (text := warning()):
        print(text, file=sys.stderr)
    for patch in PATCHES:
        if patch.is_made():
            patch.while_reading(workflow, logs)


def at_start(workflow: Any, logs: Path) -> None:
    """Make the changes that the running of jobs needs."""
    for patch in PATCHES:
        if patch.is_made():
            patch.at_start(workflow, logs)


def warning() -> str:
    """Name the changes that the installed versions rule out, and why; nothing where there are none."""
    left_out = [] if is_plain() else [patch for patch in PATCHES if patch.mismatches()]
    if not left_out:
        return ""
    why = "; ".join(dict.fromkeys(mismatch for patch in left_out for mismatch in patch.mismatches()))
    lines = [f"warning: {why}. Left out, results are the same:"]
    lines += [f"  {patch.id}: {patch.without}" for patch in left_out]
    return "\n".join([*lines, f"hint: install the versions of requirements.lock, or set {PLAIN}=1 to run without them"])

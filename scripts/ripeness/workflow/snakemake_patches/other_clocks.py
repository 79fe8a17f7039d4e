"""What is made from a file is newer than it, also where a node's clock is off."""

from pathlib import Path
from typing import Any

from ripeness.workflow.snakemake_patches.patch import Patch


def accept_other_clocks(workflow: Any, logs: Path) -> None:
    """Date an output as its newest input where it is older.

    On some file systems the times of files are those of the node that wrote them. With a clock that is some minutes
    behind, an output is then older than what it was made from, and Snakemake throws it away as often as it is made.
    """
    from snakemake.dag import DAG

    DAG.check_output_mtime = date_after_inputs


async def date_after_inputs(_: Any, job: Any, outputs: list) -> None:
    """Stand for Snakemake's own check, which ends the job."""
    from snakemake.logging import logger

    inputs = [(await file.mtime_uncached(skip_storage=True)).local() for file in job.input if await file.exists_local()]
    for output in outputs:
        if not inputs or not await output.exists_local():
            continue
        behind = max(inputs) - (await output.mtime_uncached(skip_storage=True)).local()
        if behind > 0:
            output.touch(times=(max(inputs), max(inputs)))
            logger.warning(f"{output} is dated {behind:.0f} s later, as its input: clocks of nodes differ")


PATCH = Patch(
    id="other_clocks",
    changes="DAG.check_output_mtime, which dates an output as its newest input where it is older",
    reason="where the clock of a node is off, Snakemake throws an output away as often as it is made",
    without="jobs of a node whose clock is behind may fail",
    relies_on=(
        "snakemake.dag:DAG.check_output_mtime",
        "snakemake.io:_IOFile.touch",
        "snakemake.io:_IOFile.mtime_uncached",
    ),
    while_reading=accept_other_clocks,
)

"""A Snakemake that is asked to end never waits for itself."""

from pathlib import Path
from threading import Thread
from typing import Any

from ripeness.workflow.snakemake_patches.patch import Patch


def end_promptly(workflow: Any, logs: Path) -> None:
    """Take in SIGTERM outside the main thread.

    Python handles a signal in the main thread, in the midst of what that does. Snakemake's handler takes the
    scheduler's lock, which the main thread holds while it waits for files that show up late: it then waits for itself,
    forever. A job that is cancelled meanwhile leaves a process behind, where the cluster tracks none of its own.
    """
    from snakemake.scheduling.job_scheduler import JobScheduler

    take_in = JobScheduler.exit_gracefully
    JobScheduler.exit_gracefully = lambda *arguments: Thread(target=take_in, args=arguments, daemon=True).start()


PATCH = Patch(
    id="prompt_end",
    changes="JobScheduler.exit_gracefully, the handler of SIGTERM, which works in a thread of its own",
    reason="it takes a lock that the main thread may hold, and a Snakemake that waits for late files then never ends",
    without="a Snakemake that gets SIGTERM while it waits for files may have to be killed",
    relies_on=(
        "snakemake.scheduling.job_scheduler:JobScheduler.__init__",
        "snakemake.scheduling.job_scheduler:JobScheduler.exit_gracefully",
        "snakemake.scheduling.job_scheduler:JobScheduler.schedule",
    ),
    while_reading=end_promptly,
)

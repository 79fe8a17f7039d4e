"""Let a local run start jobs at a cost that hardly grows with the study."""

from heapq import nlargest
from pathlib import Path
from typing import Any

from ripeness.workflow.snakemake_patches.patch import Patch

FEWEST = 50  # jobs that are weighed against each other


def weigh_few(scheduler: Any, dag: Any) -> None:
    """Weigh only the ready jobs of the highest priority, and by that alone.

    Whenever a job has ended, Snakemake prepares all ready jobs again, looks up how large their files are, weighs them
    against each other, lists all that remain, and sets a timer to look again. Here it looks at some only, those of the
    highest priority, and weighs them by it alone, which its greedy scheduler does without sizes, list and timer.
    """
    scheduler.job_rate_limiter = None
    scheduler._greedy_scheduler.settings.omit_prioritize_by_temp_and_input = True
    n = FEWEST + 2 * scheduler.global_resources["_cores"]
    type(scheduler).open_jobs = property(lambda _: nlargest(n, dag.ready_jobs, key=dag._priority.__getitem__))

    def select(jobs: set) -> Any:
        few = list(jobs)
        for job in few:
            scheduler.validate_job(job)
        with scheduler._lock:
            chosen = scheduler.job_selector_greedy(few, few, scheduler.resources, {})
            scheduler.update_available_resources(chosen)
        return chosen

    scheduler.job_selector = select


def make(workflow: Any, logs: Path) -> None:
    """Weigh few jobs where jobs run on this machine."""
    if workflow.local_exec:
        weigh_few(workflow.scheduler, workflow.dag)


PATCH = Patch(
    id="few_weighed",
    changes="the scheduler of a local run: open_jobs, job_selector, job_rate_limiter, settings of the greedy one",
    reason="the cost of starting a job grows with all jobs that are ready, in a large study to seconds a job",
    without="starting a job takes longer the larger the study is",
    relies_on=(
        "snakemake.scheduling.job_scheduler:JobScheduler.__init__",
        "snakemake.scheduling.job_scheduler:JobScheduler.open_jobs",
        "snakemake.scheduling.job_scheduler:JobScheduler.schedule",
        "snakemake.scheduling.job_scheduler:JobScheduler.job_selector",
        "snakemake.scheduling.job_scheduler:JobScheduler.validate_job",
        "snakemake.scheduling.job_scheduler:JobScheduler.update_available_resources",
        "snakemake.scheduling.greedy:Scheduler",
        "snakemake.scheduling.greedy:SchedulerSettings",
        "snakemake.dag:DAG.ready_jobs",
    ),
    at_start=make,
)

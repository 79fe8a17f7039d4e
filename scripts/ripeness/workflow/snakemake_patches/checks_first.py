"""Let no expensive job start before the inputs are checked, where the graph cannot say it."""

from pathlib import Path
from typing import Any

from ripeness.workflow.snakemake_patches.patch import Patch

# Rules that find out whether what the user gave is there and good.
CHECKING = {
    "make_dataset", "fetch_dataset", "fetch_text", "list_weights", "fetch_checkpoint", "check_series",
    "fetch_harness_task",
    "prepare_items", "render_examples", "split_text", "fetch_passages", "build_corpus", "audit_inputs",
    "pretrain_encoder", "fetch_encoder", "encode_images",
}  # fmt: skip
LISTING, FETCHING = {"list_weights"}, {"fetch_checkpoint"}
EXPENSIVE = {
    "pretrain_state", "pretrain_checkpoint", "anneal_checkpoint", "train_model", "predict", "measure_sensitivity"
}  # fmt: skip


def check_first(scheduler: Any, dag: Any) -> None:
    """Let no expensive job start while an input is being fetched or checked, or is ready to be; none after one failed.

    Nor let a checkpoint be fetched before the hub's list of all weights has been looked at.
    An edge in the graph cannot say so: a new dataset would rerun every finished cell, or, if the edge were `ancient`,
    hide whatever else has changed from Snakemake (it does not look at the jobs after one that has to run).
    """
    select = scheduler.job_selector
    unchecked = [job for job in dag.needrun_jobs() if rules_of(job) & CHECKING]

    def select_checked(jobs: set) -> Any:
        unchecked[:] = [job for job in unchecked if not dag.finished(job)]
        if any(job in scheduler.failed for job in unchecked):
            scheduler.keepgoing = False  # what runs may end, and then the user must act
            scheduler._open_jobs.release()  # the scheduler looks again at once
            return set()
        ready = {job for job in unchecked if job in dag.ready_jobs}
        if ready or any(job in scheduler.running for job in unchecked):
            held = FETCHING if any(rules_of(job) & LISTING for job in unchecked) else set()
            jobs = {job for job in ready | jobs if not rules_of(job) & (EXPENSIVE | held)}
        return select(jobs)

    scheduler.job_selector = select_checked


def rules_of(job: Any) -> set[str]:
    """Names of the rules of a job, or of the members of a group of jobs."""
    return {member.rule.name for member in getattr(job, "jobs", [job])}


def make(workflow: Any, logs: Path) -> None:
    """Check first in this run."""
    check_first(workflow.scheduler, workflow.dag)


PATCH = Patch(
    id="checks_first",
    changes="the scheduler's job_selector, which is given no expensive job while a check is due or has failed",
    reason="an edge in the graph would rerun every finished cell for a new dataset, or hide what else has changed",
    without="expensive jobs may start before a mistake in the data is found",
    relies_on=(
        "snakemake.scheduling.job_scheduler:JobScheduler.__init__",
        "snakemake.scheduling.job_scheduler:JobScheduler.schedule",
        "snakemake.scheduling.job_scheduler:JobScheduler.job_selector",
        "snakemake.dag:DAG.needrun_jobs",
        "snakemake.dag:DAG.finished",
        "snakemake.dag:DAG.ready_jobs",
        "snakemake.jobs:GroupJob.jobs",
    ),
    at_start=make,
)

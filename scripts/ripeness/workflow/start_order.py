"""In which order Snakemake starts what is ready, where the graph cannot say it. For Snakemake 9.27; pinned for this."""

import os
import re
import sys
import time
from heapq import nlargest
from itertools import takewhile
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError

# Rules that find out whether what the user gave is there and good.
CHECKING = {
    "make_dataset", "fetch_dataset", "fetch_text", "list_weights", "fetch_checkpoint", "check_series",
    "fetch_harness_task",
    "prepare_items", "render_examples", "split_text", "fetch_passages", "build_corpus", "audit_inputs",
}  # fmt: skip
AUDITING = ("list_weights", "audit_inputs", "audit_results")
LISTING, FETCHING = {"list_weights"}, {"fetch_checkpoint"}
STARTED = time.time()
FETCHES_AT_ONCE = 2
FEWEST = 50  # jobs that are weighed against each other
EXPENSIVE = {
    "pretrain_state", "pretrain_checkpoint", "anneal_checkpoint", "train_model", "predict", "measure_sensitivity"
}  # fmt: skip


def weigh_few(scheduler: Any, dag: Any) -> None:
    """Let a local run start jobs at a cost that hardly grows with the study.

    Whenever a job has ended Snakemake prepares all ready jobs anew, asks how large their files are, weighs them against
    each other, lists all that remain, and sets a timer to look again. Here it looks at some only, those of the highest
    priority, and weighs them by it alone, which its greedy scheduler does without sizes, list and timer.
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


def end_refused(logs: Path) -> None:
    """End with status 2 and the errors of the audit, if it has refused the study in this run."""
    for path in [logs / f"{rule}.log" for rule in AUDITING]:
        text = path.read_text(encoding="utf-8") if path.is_file() and path.stat().st_mtime >= STARTED else ""
        if match := re.search(r"^error: .*", text, re.MULTILINE | re.DOTALL):
            print(match[0].strip(), file=sys.stderr)
            sys.exit(2)


def go_offline() -> None:
    """Let only fetch_* ask a network: compute nodes have none, and hubs turn away hundreds of jobs that start at once.

    Jobs inherit HF_HUB_OFFLINE; the rules that fetch have back what the user had said, which is in FETCH_OFFLINE.
    """
    os.environ.setdefault("FETCH_OFFLINE", os.environ.get("HF_HUB_OFFLINE", "0"))
    os.environ["HF_HUB_OFFLINE"] = "1"


def limit_fetching(workflow: Any) -> None:
    """Let few jobs ask the hub at once, which answers many with 429; --resources hub=N says another number."""
    if "hub" not in workflow.global_resources:
        workflow.register_resource("hub", FETCHES_AT_ONCE)


def place_models(config: dict[str, Any], *, is_group: bool) -> None:
    """Say to jobs where tuned weights lie, and whether they go as soon as they are measured.

    Snakemake deletes those of a group's members only when all have ended, and none on the scratch of a node.
    """
    is_early = (config["scratch"] or is_group) and config["keep_models"] != "all"
    os.environ |= {"TUNED_SCRATCH": config["scratch"], "DELETE_MEASURED": "--delete-model" if is_early else ""}


def check_gpus(wanted: dict[str, int], allowed: int | None) -> None:
    """Refuse methods that want more GPUs than a job may use: Snakemake would give them fewer without a word."""
    for method, n in wanted.items():
        if allowed is not None and n > allowed:
            raise UserError(
                f"methods.{method}.gpu: {n} GPUs are wanted, but jobs may use {allowed}\n"
                f"hint: say resources: [gpu={n}] in slurm/config.yaml, or --resources gpu={n}"
            )


def is_group(arguments: list[str]) -> bool:
    """Whether these arguments of Snakemake, inside a job of a cluster, name several jobs to run."""
    after = arguments[arguments.index("--target-jobs") + 1 :] if "--target-jobs" in arguments else []
    return len(list(takewhile(lambda word: not word.startswith("--"), after))) > 1


def rules_of(job: Any) -> set[str]:
    """Names of the rules of a job, or of the members of a group of jobs."""
    return {member.rule.name for member in getattr(job, "jobs", [job])}

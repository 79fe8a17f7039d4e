"""What is checked comes before what is expensive, and nothing expensive after a check that failed."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from ripeness.workflow.snakemake_patches.checks_first import CHECKING, EXPENSIVE, check_first
from ripeness.workflow.snakemake_patches.few_weighed import FEWEST, weigh_few

RULES = Path(__file__).parents[4] / "rules"


class Job:
    """A job of one rule, or a group of jobs."""

    def __init__(self, *rules):
        members = [SimpleNamespace(rule=SimpleNamespace(name=rule)) for rule in rules]
        self.rule = members[0].rule
        if len(members) > 1:
            self.jobs = members


@pytest.fixture
def made():
    """Give a scheduler that selects all it is asked, its graph, and one job of each kind."""
    jobs = {name: Job(name) for name in ("fetch_dataset", "prepare_items", "train_model", "collect")}
    jobs["group"] = Job("train_model", "predict")
    done, ready = set(), {jobs["fetch_dataset"], jobs["train_model"], jobs["collect"], jobs["group"]}
    dag = SimpleNamespace(
        needrun_jobs=lambda: [j for j in jobs.values() if j not in done],
        finished=lambda j: j in done,
        ready_jobs=ready,
        done=done,
    )
    released = []
    scheduler = SimpleNamespace(
        job_selector=lambda chosen: set(chosen),
        running=set(),
        failed=set(),
        keepgoing=True,
        _open_jobs=SimpleNamespace(release=lambda: released.append(1)),
        released=released,
    )
    check_first(scheduler, dag)
    return scheduler, dag, jobs


def select(scheduler, dag):
    """One look of the scheduler: what it selects runs."""
    chosen = scheduler.job_selector(set(dag.ready_jobs))
    dag.ready_jobs -= chosen
    scheduler.running |= chosen
    return chosen


def finish(scheduler, dag, job, *then):
    scheduler.running.discard(job)
    dag.done.add(job)
    dag.ready_jobs |= set(then)


def test_expensive_jobs_wait_until_every_check_has_ended(made):
    scheduler, dag, jobs = made
    assert select(scheduler, dag) == {jobs["fetch_dataset"], jobs["collect"]}
    assert select(scheduler, dag) == set()  # the check still runs
    finish(scheduler, dag, jobs["fetch_dataset"], jobs["prepare_items"])
    assert select(scheduler, dag) == {jobs["prepare_items"]}
    finish(scheduler, dag, jobs["prepare_items"])
    assert select(scheduler, dag) == {jobs["train_model"], jobs["group"]}


def test_no_checkpoint_is_fetched_before_the_list_of_weights_has_been_looked_at(made):
    scheduler, dag, jobs = made
    jobs |= {name: Job(name) for name in ("list_weights", "fetch_checkpoint")}
    dag.ready_jobs |= {jobs["list_weights"], jobs["fetch_checkpoint"]}
    scheduler.job_selector = lambda chosen: set(chosen)
    check_first(scheduler, dag)
    assert select(scheduler, dag) == {jobs["fetch_dataset"], jobs["list_weights"], jobs["collect"]}
    finish(scheduler, dag, jobs["fetch_dataset"])
    assert select(scheduler, dag) == set()  # the list is still being asked for
    finish(scheduler, dag, jobs["list_weights"])
    assert select(scheduler, dag) == {jobs["fetch_checkpoint"]}


def test_after_a_check_has_failed_nothing_starts_even_if_the_run_was_to_go_on(made):
    scheduler, dag, jobs = made
    select(scheduler, dag)
    scheduler.running.discard(jobs["fetch_dataset"])
    scheduler.failed.add(jobs["fetch_dataset"])
    assert select(scheduler, dag) == set()
    assert not scheduler.keepgoing and scheduler.released


def test_a_check_that_was_left_out_of_a_sample_of_the_ready_jobs_still_comes_first(made):
    scheduler, dag, jobs = made
    assert scheduler.job_selector({jobs["train_model"]}) == {jobs["fetch_dataset"]}


def test_the_rules_named_exist_and_are_all_that_fetch_check_or_compute():
    rules = {line.split()[1].rstrip(":") for path in RULES.glob("*.smk") for line in path.open() if line[:5] == "rule "}
    assert rules >= (CHECKING | EXPENSIVE)
    assert not CHECKING & EXPENSIVE
    assert {rule for rule in rules if rule.startswith(("fetch_", "prepare_", "pretrain_"))} <= CHECKING | EXPENSIVE


class Scheduler(SimpleNamespace):
    """What of Snakemake's scheduler is changed: it takes the first two of what it weighs."""

    open_jobs = ()

    def job_selector_greedy(self, few, _remaining, _resources, _sizes):
        self.weighed.append(few)
        return few[:2]


def test_of_many_ready_jobs_only_those_of_the_highest_priority_are_weighed():
    ready = set(range(5000))
    validated, updated = [], []
    scheduler = Scheduler(
        job_rate_limiter=object(),
        global_resources={"_cores": 2},
        resources={"_cores": 2},
        _greedy_scheduler=SimpleNamespace(settings=SimpleNamespace(omit_prioritize_by_temp_and_input=False)),
        _lock=nullcontext(),
        validate_job=validated.append,
        update_available_resources=updated.append,
        weighed=[],
    )
    weigh_few(scheduler, SimpleNamespace(ready_jobs=ready, _priority={job: job % 100 for job in ready}))
    chosen = scheduler.job_selector(set(scheduler.open_jobs))
    assert scheduler.job_rate_limiter is None
    assert len(scheduler.weighed[-1]) == FEWEST + 4 == len(validated)
    assert {job % 100 for job in scheduler.weighed[-1]} == {99, 98}
    assert set(chosen) <= set(scheduler.weighed[-1]) and updated == [chosen]
    ready.clear()
    assert not scheduler.open_jobs

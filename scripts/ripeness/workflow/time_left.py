"""Estimate the time left of a run on this machine: expected costs, corrected by what ended jobs took.

A cost is in seconds of a quiet machine of two cores. What ended jobs took, relative to their costs, shows how fast this
machine is (`job_speeds.py`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import exp
from pathlib import Path
from statistics import mean

from ripeness.runtime.files import read_json
from ripeness.study.annealed_twins import is_twin
from ripeness.study.grid import Study, formats_used, state_steps
from ripeness.study.pretraining_steps import place_of
from ripeness.workflow.forecast import KIND, PRETRAINING, operations_of
from ripeness.workflow.job_speeds import Paces
from ripeness.workflow.progress_words import Range

IMPORT_S, CHEAP_IMPORT_S = 4.0, 2.0  # of the first job that runs a model, or none: it waits for the libraries
START_S, CHEAP_START_S = 0.4, 0.2  # of a local job that runs a model, or none: a shell, and a child of the warm server
LOCAL_FLOPS = 2e10  # operations a second of one core with a small model
# Of the tokens that the forecast counts: windows of a pre-training are full, items are shorter than they may be.
FULL, PART_FULL = {"pretraining": 1.0}, 0.15
AUDIT_S = 0.1  # of the prompts of one dataset in one format
CHEAP_S = {"build_corpus": 3.0, "judge_claims": 0.8, "plot_figure": 1.5, "write_report": 2.5}
OF_A_CELL = ("train_model", "predict", "score")
AT_THE_END = {"collect", "audit_results", "judge_claims", "record_provenance", "write_report"}  # one after the other
RECORDS = 100  # of a rule that are read of what its jobs have used before
FOUR_OF_FIVE = 1.28  # standard deviations
BUSY = 0.9  # of several cores, on average, while there is work for all of them


@dataclass(frozen=True)
class Job:
    """A job: its rule, its place (the path of its log below the folder of the rule), and its cost in seconds.

    `step`: of a pre-training's state, and of the state from which a checkpoint starts. `imports`: the part of the cost
    that is the import of libraries, for which the first job of a kind waits. `n`: jobs of a rule summed to one.
    """

    rule: str
    place: str
    cost: float
    step: int = 0
    imports: float = 0.0
    n: int = 1


@dataclass(frozen=True)
class Costs:
    """Costs of a study's jobs: {rule: {place: seconds}} where they differ by place, {rule: seconds} of the others.

    `had`: places of which a job has run before this run, by rule. `steps`: see `Job`, of the pre-training's rules.
    """

    places: Mapping[str, Mapping[str, float]]
    rules: Mapping[str, float]
    had: Mapping[str, frozenset[str]]
    steps: Mapping[str, Mapping[str, int]]

    def job(self, rule: str, place: str) -> Job:
        """Return a job with its cost."""
        return Job(rule, place, self.of(rule, place), self.steps.get(rule, {}).get(place, 0))

    def of(self, rule: str, place: str) -> float:
        """Return the cost of one job; where the place is not known, that of its rule's jobs on average."""
        places = self.places.get(rule)
        if not places:
            return self.rules.get(rule, CHEAP_S.get(rule, CHEAP_START_S))
        return places[place] if place in places else sum(places.values()) / len(places)

    def planned(self, rule: str, n: int) -> dict[str, float]:
        """Return the `n` planned jobs of a rule with their costs: places that have not run, if there are n of them."""
        places = self.places.get(rule, {})
        fresh = {place: cost for place, cost in places.items() if place not in self.had.get(rule, ())}
        return fresh if len(fresh) == n else dict(places)


def costs_of(study: Study, logs: Path) -> Costs:
    """Estimate the costs of a study's jobs: from their operations, or for other rules from earlier jobs."""
    operations = operations_of(study)
    places, had = {}, {}
    for rule, jobs in operations.items():
        full = FULL.get(KIND.get(rule, rule), PART_FULL)
        places[rule] = {place: START_S + full * n / LOCAL_FLOPS for place, n in jobs.items()}
        had[rule] = frozenset(place for place in jobs if (logs / rule / f"{place}.usage.json").is_file())
    rules = {"audit_inputs": AUDIT_S * len(study.tasks) * len(formats_used(study))}
    rules |= seconds_before(logs, without=places.keys())
    return Costs(places, rules, had, pretraining_steps(study))


def seconds_before(logs: Path, *, without: Collection[str]) -> dict[str, float]:
    """Average the seconds of earlier jobs by rule; of a rule with many only some count."""
    found = {}
    for path in logs.iterdir() if logs.is_dir() else []:
        rule = path.name.removesuffix(".usage.json")
        if rule in without or not (path.is_dir() or path.name.endswith(".usage.json")):
            continue
        records = [path] if path.is_file() else islice(path.rglob("*.usage.json"), RECORDS)
        used = [read_json(record) for record in records if record.stat().st_size]  # of a job that failed it is empty
        seconds = [use["wall_s"] + use["startup_cpu_s"] for use in used if "wall_s" in use]  # a warm server's has none
        if seconds:
            found[rule] = CHEAP_START_S + mean(seconds)
    return found


def pretraining_steps(study: Study) -> dict[str, dict[str, int]]:
    """Return the steps of states, and of the states from which checkpoints start, by rule and place."""
    found: dict[str, dict[str, int]] = {rule: {} for rule in PRETRAINING}
    for series, settings in study.settings.series.items():
        if settings.pretrain is None:
            continue
        steps = state_steps(study, series)
        found[PRETRAINING[0]] |= {f"{series}/step{step}": step for step in steps}
        for name, entry in study.checkpoints[series].items():
            if not is_twin(entry):
                shared = place_of(settings.pretrain, entry).shared
                before = -1 if shared is None else max(step for step in steps if step <= shared)
                found[PRETRAINING[1]][f"{series}/{name}"] = before
    return found


def seconds_left(known: Paces, running: Sequence[tuple[Job, float]], waiting: Sequence[Job], *, cores: int) -> float:
    """Estimate the seconds until the last job ends.

    `known`: paces of ended jobs; `running`: jobs with the seconds for which they have run; `waiting`: the others, of
    which those of a rule may be summed to one (`n`). All cores share the work, but no further core shortens one job, a
    pre-training (`in_turn`), what is measured after it, or what is made of all results.
    """
    return wall_seconds(each_left(known, running, waiting)[1], cores=cores)


def range_left(known: Paces, running: Sequence[tuple[Job, float]], waiting: Sequence[Job], *, cores: int) -> Range:
    """Estimate the seconds until the last job ends, with the range in which they are in about four of five cases."""
    pace, left = each_left(known, running, waiting)
    by_rule: dict[str, float] = {}
    for job, seconds in left:
        by_rule[job.rule] = by_rule.get(job.rule, 0.0) + seconds
    middle, factor = wall_seconds(left, cores=cores), exp(FOUR_OF_FIVE * pace.spread(by_rule))
    return Range(middle, middle / factor, middle * factor)


def each_left(
    known: Paces, running: Sequence[tuple[Job, float]], waiting: Sequence[Job]
) -> tuple[Paces, list[tuple[Job, float]]]:
    """Estimate the seconds left of every job, by the paces that running jobs suggest too."""
    pace = known.with_running((job.rule, job.cost, gone) for job, gone in running)
    left = [(job, max(job.cost * pace.of(job.rule) - gone, 0.1 * gone)) for job, gone in running]
    return pace, left + [(job, job.cost * pace.of(job.rule)) for job in waiting]


def wall_seconds(left: Sequence[tuple[Job, float]], *, cores: int) -> float:
    """Estimate the seconds that jobs with so many seconds each take together."""
    at_once = 1 if cores == 1 else BUSY * cores
    after = sum(seconds for job, seconds in left if job.rule in AT_THE_END)
    figures = [(job, seconds) for job, seconds in left if job.rule == "plot_figure"]
    others = [(job, seconds) for job, seconds in left if job.rule not in (*AT_THE_END, "plot_figure")]
    turn = seconds_in_sequence([(job, seconds) for job, seconds in others if job.rule in PRETRAINING])
    cell = sum(mean_seconds(others, rule) for rule in OF_A_CELL)
    of_all = max(seconds_on_shared_cores(figures, at_once), mean_seconds(figures, "plot_figure")) + after
    return max(seconds_on_shared_cores(others, at_once), turn + cell) + of_all


def seconds_on_shared_cores(left: Sequence[tuple[Job, float]], at_once: float) -> float:
    """Estimate the seconds of jobs that share the cores."""
    return sum(seconds for _, seconds in left) / at_once


def mean_seconds(left: Sequence[tuple[Job, float]], rule: str) -> float:
    """Estimate the seconds of one job of a rule, on average; 0 where none is left."""
    own = [(job.n, seconds) for job, seconds in left if job.rule == rule]
    return sum(seconds for _, seconds in own) / sum(n for n, _ in own) if own else 0.0


def seconds_in_sequence(left: Sequence[tuple[Job, float]]) -> float:
    """Estimate the seconds that no further core shortens, of pre-training jobs with their seconds left.

    States come one after the other; a checkpoint starts from one of them.
    """
    longest = 0.0
    for series in {job.place.split("/")[0] for job, _ in left}:
        own = [(job, seconds) for job, seconds in left if job.place.split("/")[0] == series]
        states = {job.step: seconds for job, seconds in own if job.rule == PRETRAINING[0]}
        checkpoints = [(job.step, seconds) for job, seconds in own if job.rule == PRETRAINING[1]]
        for begin, seconds in [(max(states, default=0), 0.0), *checkpoints]:
            longest = max(longest, seconds + sum(states[step] for step in states if step <= begin))
    return longest

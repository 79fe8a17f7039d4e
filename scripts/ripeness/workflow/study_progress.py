"""Follow Snakemake's output during a run: jobs that have started and ended, and the time left."""

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock

from ripeness.workflow.forecast import PRETRAINING
from ripeness.workflow.job_speeds import Paces
from ripeness.workflow.progress_words import Range, by_stage, plan_words, range_of_times, stage_words
from ripeness.workflow.time_left import CHEAP_IMPORT_S, IMPORT_S, Costs, Job, range_left, seconds_left

ALL = "all"  # the rule of the targets, which is no work
NOT_NEEDED = "not needed, since data came out as before: "  # and numbers of jobs by rule


@dataclass
class Progress:
    """What has been said so far; `costs` of the study's jobs, `cores` of the run."""

    costs: Costs
    cores: int
    now: Callable[[], float] = time.monotonic
    done: int = 0
    total: int = 0
    rule: str = ""
    place: str = ""
    ended: set[bool] = field(default_factory=set)  # kinds of which a job has ended: those that run models, and others
    finished: Counter[str] = field(default_factory=Counter)  # jobs that have ended, by rule
    spent: float = 0.0  # the costs of those
    is_error: bool = False  # whether what is said is about a job that failed
    logs: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    running: dict[str, tuple[Job, float]] = field(default_factory=dict)  # by Snakemake's number; and when it began
    paces: Paces = field(default_factory=Paces)
    planned: dict[str, int] = field(default_factory=dict)  # jobs that have not begun, by rule
    places: dict[str, dict[str, float]] = field(default_factory=dict)  # of those, with their costs
    plan: str = ""  # what runs, in words; known when the first job begins
    is_announced: bool = False  # whether that has been said, before which nothing else is
    lock: Lock = field(default_factory=Lock)  # lines are read in one thread, and the state is shown in another

    def __post_init__(self) -> None:
        """Start the clock."""
        self.started = self.now()

    def read(self, line: str) -> None:
        """Take in one line of Snakemake's output."""
        with self.lock:
            self.take_in(line)

    def take_in(self, line: str) -> None:
        """Take in a line while nobody reads."""
        self.lines.append(line)
        if match := re.search(r"(\d+) of (\d+) steps", line):
            self.done, self.total = int(match[1]), int(match[2])
        elif match := re.match(r"(?:local)?rule (\w+):", line):
            self.rule, self.place, self.is_error = match[1], "", False
        elif line.startswith("Error in rule"):
            self.is_error = True
        elif match := re.match(r" +log: \S*/logs/\w+/(\S+?)(?:\.usage)?\.(?:log|json)", line):
            self.place = match[1]
        elif match := re.match(r" +jobid: (\d+)", line):
            if self.is_error:
                self.running.pop(match[1], None)  # how long it took says nothing
            else:
                self.begin(match[1])
        elif match := re.match(r"Finished jobid: (\d+)", line):
            self.end(match[1])
        elif match := re.match(r"total +(\d+)$", line):
            self.total = int(match[1])
        elif not self.done and (match := re.match(r"(\w+) +(\d+)$", line)):  # of the table before the first job
            self.planned[match[1]] = int(match[2])
            self.places[match[1]] = self.costs.planned(match[1], int(match[2]))
        elif line.startswith(NOT_NEEDED):
            for rule, n in re.findall(r"(\w+) (\d+)", line.removeprefix(NOT_NEEDED)):
                self.planned[rule] = self.planned.get(rule, 0) - int(n)
        if match := re.match(r" +log: (.*) \(check log file", line):
            self.logs.append(match[1])

    def begin(self, number: str) -> None:
        """Note that a job has begun."""
        self.plan = self.plan or self.plan_in_words()
        job = self.costs.job(self.rule, self.place)
        if (runs_model := self.rule in self.costs.places) not in self.ended:
            imports = IMPORT_S if runs_model else CHEAP_IMPORT_S
            job = replace(job, cost=job.cost + imports, imports=imports)
        self.running[number] = job, self.now()
        self.planned[self.rule] = self.planned.get(self.rule, 1) - 1
        self.places.get(self.rule, {}).pop(self.place, None)

    def end(self, number: str) -> None:
        """Note that a job has ended."""
        if number in self.running:
            job, began = self.running.pop(number)
            self.ended.add(job.rule in self.costs.places)
            self.finished[job.rule] += 1
            self.spent += job.cost
            self.paces.learn(job.rule, job.cost, self.now() - began, at=self.now(), imports=job.imports)

    def waiting(self) -> list[Job]:
        """Return the jobs that have not begun: one by one those of a pre-training, else summed by rule."""
        found = []
        for rule, n in self.planned.items():
            places = self.places.get(rule, {})
            if rule in PRETRAINING and n == len(places):
                found += [self.costs.job(rule, place) for place in places]
            elif n > 0:
                each = sum(places.values()) / len(places) if places else self.costs.of(rule, "")
                found.append(Job(rule, "", n * each, n=n))
        return found

    def at_work(self) -> list[tuple[Job, float]]:
        """Return the running jobs with the seconds for which they have run."""
        now = self.now()
        return [(job, now - began) for job, began in self.running.values()]

    def seconds_left(self) -> float | None:
        """Estimate the seconds left; None before a job has ended."""
        if not self.ended:
            return None
        with self.lock:
            return seconds_left(self.paces, self.at_work(), self.waiting(), cores=self.cores)

    def range_left(self) -> Range | None:
        """Estimate the seconds left as a range; None before a job has ended."""
        if not self.ended:
            return None
        with self.lock:
            return range_left(self.paces, self.at_work(), self.waiting(), cores=self.cores)

    def plan_in_words(self) -> str:
        """Say in one line what will run and how long that takes, before the first job has begun."""
        imports = Job("", "", IMPORT_S + CHEAP_IMPORT_S)
        times = range_left(self.paces, [], [imports, *self.waiting()], cores=self.cores)
        total = by_stage((rule, n) for rule, n in self.planned.items() if rule != ALL)
        return f"{plan_words(total)}, about {range_of_times(times)} with {self.cores} at once"

    def text(self) -> str:
        """Write the share of the work that is done, the stages at work, the time gone, and the time left as a range."""
        gone = f"{clock(self.now() - self.started)} gone"
        with self.lock:
            running, waiting = self.at_work(), self.waiting()
            done = by_stage((rule, n) for rule, n in self.finished.items() if rule != ALL)
            planned = Counter(self.planned) + self.finished + Counter(job.rule for job, _ in running)
            total = by_stage((rule, n) for rule, n in planned.items() if rule != ALL)
            cost = self.spent + sum(job.cost for job, _ in running) + sum(job.cost for job in waiting)
        times = self.range_left() if running or waiting else None
        said = f", {range_of_times(times)} left" if times else ""
        share = f"{100 * self.spent / cost:3.0f} %  " if cost else ""
        return f"{share}{stage_words(done, total)}  {gone}{said}"


def clock(seconds: float) -> str:
    """Write minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

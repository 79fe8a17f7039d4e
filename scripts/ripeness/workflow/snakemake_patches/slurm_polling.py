"""Ask SLURM about submitted jobs with patience, and say why they wait. For version 2.8.0 of Snakemake's plugin.

The plugin asks `squeue` five times in a row. Where no answer comes, as while the controller restarts, it forgets the
jobs that it asked about and waits for their end forever. It forgets none that SLURM has forgotten, and waits too. Nor
does it say that a job is held, or that no node is left that could run it.
"""

import asyncio
import logging
import math
import re
import shlex
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import Any

ANSWER_S = 60.0  # that one question may take
FIRST_PAUSE_S, MOST_PAUSE_S = 5.0, 60.0  # between questions without an answer: doubled with each
WAITED_S = 300.0  # for one of the reasons below, before it is said
AGAIN_S = 3600.0  # after which it is said again
FORGOTTEN = 3  # answers in a row without a job: SLURM does not know it
# What a node says of an interpreter that it does not have, or that does not find what is installed next to it.
NO_PYTHON = re.compile(r"^.*(python[\d.]*'?: (not found|No such file|Permission denied|cannot execute)|"
                       r"No module named '?snakemake|Exec format error).*$", re.MULTILINE)  # fmt: skip

# A job that waits for one of these is in the queue as it should be.
ORDINARY = {"", "None", "Priority", "Resources", "BeginTime", "Cleaning", "Dependency", "NullReason"}
HINTS = {  # words of the reason (SLURM's job_state_reason), and what to do
    r"JobHeldUser": "you hold it, or a program of yours: scontrol release {ids}",
    r"requeued held|JobHoldMaxRequeue": "scontrol release {ids}; where that does not help, the administrators know why",
    r"JobHeldAdmin|InactiveReservation": "ask the administrators; it starts once they release it",
    r"DOWN|DRAINED|NotAvail|Partition(Down|Inactive)|Licenses": "sinfo -R says since when and why; "
    "it starts once a node is back, or give another partition in the profile",
    r"Partition\w*Limit|BadConstraints|Invalid|MaxWallDuration|PerJob": "it will never start as it is: "
    "compare the partition and the account in the profile with `scontrol show job {ids}`",
    r"Assoc|QOS": "a limit of your account; it starts once others of its jobs have ended",
    r"^suspended$": "it goes on once the administrators resume it",
}


@dataclass
class Watch:
    """What is known of the jobs of one run, by their numbers in SLURM; `asked`: those that Snakemake waits for now.

    `since`: when a job was first seen to wait for what is not ordinary; `said`: when a reason was last given.
    """

    executor: Any
    ending: Event
    asked: list = field(default_factory=list)
    missing: Counter = field(default_factory=Counter)
    since: dict[str, float] = field(default_factory=dict)
    said: dict[str, float] = field(default_factory=dict)
    job_age: float = math.inf
    is_explained: bool = False

    def say(self, text: str) -> None:
        """Write to Snakemake's log and to the terminal."""
        self.executor.logger.warning(text)

    async def ask(self, command: str, _: logging.Logger) -> tuple[dict[str, str], float]:
        """States by number and the seconds it took, however long SLURM is away; none once the run is given up.

        It stands for the plugin's own `query_job_status`.
        """
        pause, started = FIRST_PAUSE_S, time.monotonic()
        words = [word.replace("%i|%T", "%i|%T|%r") for word in shlex.split(command)]
        while not self.ending.is_set():
            lines, why = await answer(words)
            if lines is not None:
                rows = [line.split("|") for line in lines if "|" in line]
                self.tell_waiting(rows)
                states = {row[0].strip(): row[1].strip() for row in rows}
                gone = self.forgotten(states) if words[0] == "squeue" else {}  # sacct learns of jobs late
                return states | gone, time.monotonic() - started
            self.say(f"{words[0]} does not answer: {why}; jobs run on, asking again in {pause:.0f} s")
            end = time.monotonic() + pause
            while time.monotonic() < end and not self.ending.is_set():
                await asyncio.sleep(min(1.0, pause))
            pause = min(MOST_PAUSE_S, 2 * pause)
        return {}, 0.0

    def forgotten(self, states: dict[str, str]) -> dict[str, str]:
        """States of jobs that SLURM does not know any more: they have failed, as nobody can say how they ended."""
        numbers = {info.external_jobid for info in self.asked} - set(states)
        self.missing = Counter({number: self.missing[number] + 1 for number in numbers})
        gone = sorted(number for number, times in self.missing.items() if times >= FORGOTTEN)
        if gone:
            self.say(f"SLURM does not know {named(gone)} any more (squeue --states=all): counted as failed")
        return dict.fromkeys(gone, "FAILED")

    def tell_waiting(self, rows: list[list[str]]) -> None:
        """Say which jobs wait for what is not ordinary, at first after some minutes, and then every hour."""
        now, asked = time.monotonic(), {info.external_jobid for info in self.asked}
        stuck = {number: reason for number, reason in map(stuck_for, rows) if reason and number in asked}
        self.since = {number: self.since.get(number, now) for number in stuck}
        for reason in sorted(set(stuck.values())):
            numbers = sorted(number for number, why in stuck.items() if why == reason)
            waited = max(now - self.since[number] for number in numbers)
            if waited >= WAITED_S and now - self.said.get(reason, -math.inf) >= AGAIN_S:
                self.said[reason] = now
                self.say(
                    f"{named(numbers)} of SLURM cannot run now, for {waited / 60:.0f} min: {reason}\n"
                    f"hint: {hint(reason, numbers)}"
                )

    def remembered(self, ask: Callable[[], int | None]) -> Callable[[], float]:
        """Return the plugin's question how long SLURM remembers jobs; what it was where there is no answer now.

        Without one the plugin would turn from `squeue` to `sacct`, which may know nothing.
        """

        def job_age() -> float:
            known = ask()
            self.job_age = self.job_age if known is None else known
            return self.job_age

        return job_age

    def explain(self, log: Any) -> None:
        """Say once what to do where a job's log shows that its node could not start Python."""
        path = Path(log or "")
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        if not self.is_explained and (found := NO_PYTHON.search(text)):
            self.is_explained = True
            self.say(
                f"a node cannot start the Python of this run: {found[0].strip()}\n"
                f"hint: {sys.prefix} and the Python that it was made from must be there, and the same, on every node: "
                "docs/slurm.md, Python on the nodes"
            )


async def answer(words: list[str]) -> tuple[list[str] | None, str]:
    """Lines that a command prints; None, and why, where it fails or hangs."""
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except OSError as error:
        return None, str(error)
    try:
        out, err = await asyncio.wait_for(process.communicate(), ANSWER_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return None, f"nothing within {ANSWER_S:.0f} s"
    why = " ".join(err.decode(errors="replace").split()) or f"status {process.returncode}"
    return (out.decode(errors="replace").splitlines(), "") if process.returncode == 0 else (None, why)


def stuck_for(row: list[str]) -> tuple[str, str]:
    """Return the number of a job and why it does not run, if that is not an ordinary wait in the queue."""
    number, state, reason = (word.strip() for word in (*row, "", "")[:3])
    if state == "SUSPENDED":
        return number, "suspended"
    return number, "" if state != "PENDING" or reason in ORDINARY else reason


def hint(reason: str, numbers: list[str]) -> str:
    """Say what to do about jobs that wait for this reason."""
    found = next((text for words, text in HINTS.items() if re.search(words, reason)), "scontrol show job {ids}")
    return found.format(ids=",".join(numbers))


def named(numbers: list[str]) -> str:
    """Jobs by their numbers, in words."""
    shown = ", ".join(numbers[:10]) + (f" and {len(numbers) - 10} more" if len(numbers) > 10 else "")
    return f"{'job' if len(numbers) == 1 else 'jobs'} {shown}"


def poll_patiently(executor: Any, plugin: ModuleType, ending: Event) -> None:
    """Let the plugin's executor ask by a Watch; a run that is given up cancels also what it is asking about."""
    watch, check, cancel = Watch(executor, ending), executor.check_active_jobs, executor.cancel
    report_error = executor.report_job_error

    async def checked(jobs: list) -> AsyncIterator[Any]:
        watch.asked = list(jobs)  # which the executor has taken from its own list meanwhile
        async for job in check(jobs):
            yield job

    def failed(job: Any, *arguments: Any, **options: Any) -> None:
        watch.explain((job.aux or {}).get("slurm_logfile"))
        report_error(job, *arguments, **options)

    def cancelled(*arguments: Any, **options: Any) -> Any:
        with executor.lock:
            executor.active_jobs += [job for job in watch.asked if job not in executor.active_jobs]
        return cancel(*arguments, **options)

    names = vars(plugin)
    names["query_job_status"] = watch.ask
    names["get_min_job_age"] = watch.remembered(names["get_min_job_age"])
    executor.check_active_jobs, executor.cancel = checked, cancelled
    executor.report_job_error = failed

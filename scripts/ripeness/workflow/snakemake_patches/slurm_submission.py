"""Submit jobs to SLURM with patience: a refusal for a while costs no job.

The plugin asks `sbatch` once, and takes a refusal for a failed job. But a controller that is busy or restarts, and an
account whose jobs are as many as it may have, take the same job some minutes later.
"""

import random
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from ripeness.workflow.snakemake_patches.patch import Patch
from ripeness.workflow.snakemake_patches.slurm_polling import poll_patiently

PLUGIN = "snakemake_executor_plugin_slurm"
FIRST_WAIT_S, MOST_WAIT_S = 15.0, 300.0  # between attempts: doubled with each
PATIENCE_S = 24 * 3600.0  # a maintenance may take a day
JITTER = 0.5  # up to this share of a wait is added

# The controller does not answer. After LOST it may have taken the job all the same.
LOST = ("Socket timed out", "Zero Bytes were transmitted", "Communication connection failure", "Insane message length")
AWAY = (
    "Unable to contact slurm controller", "Connection refused", "Connection reset", "Connection timed out",
    "backup controller", "standby mode", "temporarily unable to accept job", "Resource temporarily unavailable",
    "Transport endpoint is not connected", "Unable to establish control", "No route to host", "Network is unreachable",
    "Could not establish a configuration source", "Temporary failure in name resolution",
    "authentication error", "Invalid authentication credential", "Munge encode failed", "Munge decode failed",
    "I/O error writing script", "partition not available (inactive or drain", "Cannot allocate memory", "Cannot fork",
)  # fmt: skip
# As many jobs wait or run as may: of this user, an account or a quality of service.
TOO_MANY = re.compile(
    r"\b(Assoc|QOS)\w*Submit\w*Limit\b|\bMaxSubmitJobs?\b|job queue is full|MaxJobCount", re.IGNORECASE
)
# SLURM says this of too many jobs, and of jobs that are too large; the reason may follow, or not.
POLICY = "violates accounting/QOS policy"
TOO_LARGE = re.compile(r"\b(Assoc|QOS)\w+(Limit|PerJob|PerUser|PerNode|PerAccount)\b", re.IGNORECASE)


def is_for_a_while(said: str, n_queued: Callable[[], int | None]) -> bool:
    """Tell whether what `sbatch` says can change while one waits.

    Where SLURM names a policy and no reason, it can if this user has jobs in the queue (`n_queued`; None: not known).
    """
    if TOO_MANY.search(said) or any(words.lower() in said.lower() for words in (*LOST, *AWAY)):
        return True
    return POLICY in said and not TOO_LARGE.search(said) and n_queued() != 0


def queued() -> int | None:
    """Count this user's jobs in the queue; None if SLURM does not answer."""
    lines = squeue("-o", "%A")
    return None if lines is None else len(lines)


def squeue(*options: str) -> list[str] | None:
    """List lines about this user's jobs; None if SLURM does not answer."""
    try:
        done = subprocess.run(
            ["squeue", "--me", "-h", *options], capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.splitlines() if done.returncode == 0 else None


def with_mark(call: str) -> tuple[str, str]:
    """Return a call of `sbatch` whose comment ends with a mark of its own, and the mark.

    None if there is no comment.
    """
    mark = uuid4().hex[:8]
    match = re.search(r"--comment ('(?:[^']|'\"'\"')*'|[^\s']+)", call)
    if not match:
        return call, ""
    comment = shlex.quote(f"{shlex.split(match[1])[0]} {mark}")
    return f"{call[: match.start(1)]}{comment}{call[match.end(1) :]}", mark


def job_with_mark(mark: str) -> str | None:
    """Return the number of the job with this mark; an empty text if there is none, None if SLURM does not answer."""
    lines = squeue("--states=all", "-o", "%A %k")
    if lines is None:
        return None
    return next((line.split()[0] for line in lines if mark and line.endswith(f" {mark}")), "")


class Submission:
    """Stands for the process of one `sbatch`: `communicate` asks until SLURM takes the job, or never will.

    `ending` is set when the workflow is given up.
    """

    def __init__(self, call: str, options: dict[str, Any], ending: Event) -> None:
        """Start nothing yet."""
        self.call, self.mark = with_mark(call)
        self.options, self.ending, self.returncode = options, ending, 1

    def communicate(self, input: str | None = None) -> tuple[str, str]:  # as subprocess names it
        """Return the output of the last `sbatch`."""
        end, wait, is_lost = time.monotonic() + PATIENCE_S, FIRST_WAIT_S, False
        while not self.ending.is_set():
            number = job_with_mark(self.mark) if is_lost else ""
            if number:
                self.returncode = 0
                return f"{number}\n", ""
            if number is not None:
                out, err = self.once(input)
                if self.returncode == 0 or time.monotonic() > end or not is_for_a_while(err, queued):
                    return out, err
                is_lost = is_lost or any(words.lower() in err.lower() for words in LOST)
            elif time.monotonic() > end:
                break
            pause = wait * (1 + JITTER * random.random())
            said = " ".join(err.split()) if number is not None else "squeue does not answer"
            print(f"not submitted yet: {said}; again in {pause:.0f} s", file=sys.stderr, flush=True)
            self.ending.wait(pause)
            wait = min(MOST_WAIT_S, 2 * wait)
        self.returncode = 1
        return "", "given up before SLURM had taken the job"

    def once(self, input: str | None) -> tuple[str, str]:
        """Run `sbatch` once. What it says, or the system where it starts no further process."""
        try:
            process = subprocess.Popen(self.call, **self.options)
        except OSError as error:
            self.returncode = 1
            return "", str(error)
        out, err = process.communicate(input=input)
        self.returncode = process.returncode
        return out, err


def quote_python() -> None:
    """Let jobs start a Python whose path has a space: executors write it into the shells of jobs as it is."""
    for executor in [sys.modules[name].Executor for name in (PLUGIN, f"{PLUGIN}_jobstep") if name in sys.modules]:
        executor.get_python_executable = quoted(executor.get_python_executable)


def quoted(method: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return a method whose text is one word of a shell."""
    return lambda executor: shlex.quote(method(executor))


def be_patient(scheduler: Any) -> None:
    """Let the plugin of a run on SLURM wait where `sbatch` refuses for a while, or `squeue` does not answer."""
    executor = scheduler._executor
    plugin = sys.modules.get(type(executor).__module__)
    if plugin is None or plugin.__name__ != PLUGIN:
        return
    ending = Event()

    def popen(call: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(call, str) and call.startswith("sbatch "):
            return Submission(call, options, ending)
        return subprocess.Popen(call, *arguments, **options)

    def and_end(method: Callable[..., Any]) -> Callable[..., Any]:
        def ended(*arguments: Any, **options: Any) -> Any:
            ending.set()
            return method(*arguments, **options)

        return ended

    # the module is another package's: its name is replaced by one that submits patiently
    vars(plugin)["subprocess"] = SimpleNamespace(**vars(subprocess) | {"Popen": popen})
    poll_patiently(executor, plugin, ending)
    executor.cancel, executor.shutdown = and_end(executor.cancel), and_end(executor.shutdown)


def quote(workflow: Any, logs: Path) -> None:
    """Put the path of Python into quotes."""
    quote_python()


def make(workflow: Any, logs: Path) -> None:
    """Submit and poll with patience where jobs go to a cluster."""
    if not workflow.local_exec:
        be_patient(workflow.scheduler)


PATCH = Patch(
    id="slurm_submission",
    changes="subprocess, query_job_status and get_min_job_age of Snakemake's SLURM plugin, and methods of its executor",
    reason="a controller that is busy refuses jobs or does not answer for some minutes; Python's path may have a space",
    without="a job that SLURM refuses for a while uses up a retry; jobs may be forgotten while the controller is away",
    relies_on=(
        "snakemake_executor_plugin_slurm:Executor.run_job",
        "snakemake_executor_plugin_slurm:Executor.run_jobs",
        "snakemake_executor_plugin_slurm:Executor.shutdown",
        "snakemake_executor_plugin_slurm:Executor.check_active_jobs",
        "snakemake_executor_plugin_slurm:query_job_status",
        "snakemake_executor_plugin_slurm:get_min_job_age",
        "snakemake_interface_executor_plugins.executors.remote:RemoteExecutor.cancel",
        "snakemake.scheduling.job_scheduler:JobScheduler.__init__",
    ),
    while_reading=quote,
    at_start=make,
    written_for={"snakemake-executor-plugin-slurm": "2.8.0"},
)

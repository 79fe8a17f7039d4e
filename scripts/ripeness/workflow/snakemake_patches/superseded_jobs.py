"""Of two copies of a cluster's job, only the later one writes.

SLURM requeues the jobs of a node that it does not reach. Their processes may run on there: then two copies of a job
are at work, and where the first one fails, its Snakemake removes what the second has made, as long afterwards as may
be. Each copy therefore writes a claim before it begins, and ends without a word to its files once it finds another's.
"""

import hashlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

from ripeness.runtime.files import whole
from ripeness.workflow.snakemake_patches.patch import Patch

CLAIMS = Path(".snakemake/ripeness_claims")  # one small file for each job of the cluster
COPY = "RIPENESS_JOB_COPY"  # environment variable, also of the Snakemakes inside the job: mark and path of its claim
CHECK_S = 10.0  # between looks at the claim


def guard_against_another(workflow: Any, logs: Path) -> None:
    """Claim the job of this process, or take part in the claim of the process that started it, and watch over it."""
    if workflow.is_main_process:
        os.environ.pop(COPY, None)
        return
    if COPY not in os.environ:
        if not workflow.remote_exec:
            return
        os.environ[COPY] = claim(Path.cwd() / CLAIMS / named_after(sys.argv))
    from snakemake.jobs import Job

    Job.prepare, Job.cleanup = first_checked(Job.prepare), first_checked(Job.cleanup)
    Thread(target=watch_claim, daemon=True).start()


def named_after(arguments: list[str]) -> str:
    """Return the name of a claim: the same for each copy and each attempt of a job, by what Snakemake is to run."""
    after = arguments[arguments.index("--target-jobs") + 1 :] if "--target-jobs" in arguments else []
    targets = sorted(takewhile(lambda word: not word.startswith("--"), after))
    return hashlib.sha256("\n".join(targets).encode()).hexdigest()[:16]


def claim(path: Path) -> str:
    """Write a claim of this process; return its mark and its path."""
    mark = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex}"
    with whole(path) as part:
        part.write_text(mark, encoding="utf-8")
    return f"{mark} {path}"


def is_superseded(copy: str) -> bool:
    """Tell whether another copy has claimed the job since; a claim that cannot be read says nothing."""
    mark, _, path = copy.partition(" ")
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8") != mark
    return False


def first_checked(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of Snakemake's jobs that does not begin once the job is superseded."""

    async def checked(*arguments: Any, **options: Any) -> Any:
        end_if_superseded()
        return await method(*arguments, **options)

    return checked


def watch_claim() -> None:
    """Look at the claim now and then, as long as the process lives."""
    while True:
        end_if_superseded()
        time.sleep(CHECK_S)


def end_if_superseded() -> None:
    """End this process and all below it at once, so that nothing is written or removed, if the job is superseded."""
    if not is_superseded(os.environ[COPY]):
        return
    print("this job has begun again elsewhere: this copy of it ends", file=sys.stderr, flush=True)
    for _ in range(3):  # what one of them starts meanwhile too
        for pid in descendants(os.getpid()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def descendants(root: int) -> list[int]:
    """List the processes that a process has started, and those that they have."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # gone by now
            parent = int(path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found = list(children.get(root, []))
    for pid in found:  # grows meanwhile
        found += children.get(pid, [])
    return found


PATCH = Patch(
    id="superseded_jobs",
    changes="Job.prepare and Job.cleanup in jobs of a cluster, which end once another copy of the job has begun",
    reason="processes of a job may run on at a node that SLURM does not reach, and remove what its next copy has made",
    without="a lost node that comes back may write or remove results of jobs that have run again since",
    relies_on=(
        "snakemake.jobs:Job.prepare",
        "snakemake.jobs:Job.cleanup",
        "snakemake.workflow:Workflow.is_main_process",
        "snakemake.workflow:Workflow.remote_exec",
    ),
    while_reading=guard_against_another,
)

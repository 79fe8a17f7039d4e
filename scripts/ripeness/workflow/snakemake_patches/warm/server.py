"""Serve jobs warm: import libraries once, then fork a child for each job (see `start.py`).

One loop and one thread. The child, not the server, reads what a client wants (`job.py`), so a slow
client holds nobody up. What is said on a client's connection:

    child -> client     its process id, before all else (or the server: NO_CHILD, the workflow has ended)
    client -> child     descriptors 0, 1, 2; arguments, folder, environment, umask; now the job is started
    child -> client     PLAIN, if it would differ from a plain start or cannot begin; it has done nothing
    server -> client    the exit status, or minus the number of the signal that killed the job

A client that closes its connection cancels the job.
"""

import contextlib
import fcntl
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ripeness.workflow.snakemake_patches.warm.job import PLAIN, become_job, settings_read_at_start, tell

NO_CHILD = 0  # as in warm_client
LIFELINE = 0  # standard input: a pipe whose other end only the workflow's main process holds
GRACE_S = 30.0  # between the SIGTERM and the SIGKILL of a cancelled job, which may save its state; as in SLURM
HANDLED = (signal.SIGTERM, signal.SIGIO, signal.SIGCHLD)

# A thread does not survive a fork, but a lock that it holds does. This one of polars waits for files spilled
# to disk, of which the server makes none: it sleeps and holds nothing. With any other thread the server does
# not serve.
IDLE_THREADS = {"polars-ooc-clea"}


@dataclass
class Job:
    """A forked child's client, and the time (monotonic) at which a cancelled child gets SIGKILL."""

    client: socket.socket
    deadline: float | None = None


@dataclass(frozen=True)
class Loop:
    """What the server watches: its socket, its signals (as bytes in a pipe), the jobs by process id."""

    listener: socket.socket
    signals: int
    writable: int  # the other end of `signals`
    watch: select.poll = field(default_factory=select.poll)
    jobs: dict[int, Job] = field(default_factory=dict)


def main() -> None:
    """Load libraries for the first job, serve until the workflow ends or a SIGTERM comes, and remove the socket."""
    scripts = forget_project()
    folder, descriptor, usage, *libraries = sys.argv[1:]
    listener = socket.socket(fileno=int(descriptor))

    def end_while_loading(number: int, _: object) -> None:
        if number == signal.SIGIO:
            dismiss_waiting(listener)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)  # not SystemExit: this is in the midst of an import, which may catch it

    settings = settings_read_at_start(os.environ)
    signal.signal(signal.SIGTERM, end_while_loading)
    signal.signal(signal.SIGIO, end_while_loading)
    fcntl.fcntl(LIFELINE, fcntl.F_SETOWN, os.getpid())  # SIGIO when the other end closes
    fcntl.fcntl(LIFELINE, fcntl.F_SETFL, fcntl.fcntl(LIFELINE, fcntl.F_GETFL) | os.O_ASYNC)
    try:
        if LIFELINE not in select.select([listener.fileno(), LIFELINE], [], [])[0]:
            load(libraries)
            keep_bytecode(Path(folder, "bytecode"), scripts)
            serve(listener, settings=settings, usage=Path(usage) if usage else None)
        if select.select([LIFELINE], [], [], 0)[0]:  # the workflow's end, not a SIGTERM
            dismiss_waiting(listener)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # at once: there is nothing to tear down


def forget_project() -> str:
    """Leave nothing of the project imported: each job must see its code as it is on disk then. Return its folder."""
    scripts = sys.path.pop(0)
    for name in [name for name in sys.modules if name.split(".")[0] == "ripeness"]:
        del sys.modules[name]
    for folder in [folder for folder in sys.path_importer_cache if folder.startswith(scripts)]:
        del sys.path_importer_cache[folder]
    return scripts


def keep_bytecode(folder: Path, scripts: str) -> None:
    """Keep the bytecode of jobs in a folder where it cannot be kept next to the code: compiling takes 0.3 s a job."""
    if sys.dont_write_bytecode or not os.access(scripts, os.W_OK):
        sys.pycache_prefix, sys.dont_write_bytecode = str(folder), False


def load(libraries: Sequence[str]) -> None:
    """Import the libraries. One that is missing is left to the program that wants it."""
    os.environ["_RJEM_MALLOC_CONF"] = "background_thread:false"  # of the allocator in polars
    os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # and in Arrow, where lm-eval has brought pandas
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # else is_available() starts CUDA; no fork survives that
    for library in libraries:
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    if "transformers" in sys.modules:
        # its table of all architectures' weights, made when first asked for: 0.15 s in every job that loads a model
        importlib.import_module("transformers.conversion_mapping").get_checkpoint_conversion_mapping("llama")
    tasks = [task for task in Path("/proc/self/task").iterdir() if task.name != str(os.getpid())]
    if threads := {(task / "comm").read_text().strip() for task in tasks} - IDLE_THREADS:
        sys.exit(f"jobs start plainly: the loaded libraries run threads ({', '.join(sorted(threads))})")
    sys.stdout.flush()  # every child would print what is left
    for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]  # no public list of them
        finalizer.atexit = False  # torch would take 40 ms in every child to unregister its operators
    gc.collect()
    gc.freeze()  # a collection in a child would write to, and so copy, every page of what is loaded


def serve(listener: socket.socket, *, settings: dict[str, str], usage: Path | None) -> None:
    """Fork a child for each client and answer it with the child's end, until workflow and jobs have ended."""
    loop = Loop(listener, *signals_as_bytes())
    for source, events in ((listener, select.POLLIN), (loop.signals, select.POLLIN), (LIFELINE, 0)):
        loop.watch.register(source, events)  # 0: only whether the other end has closed
    n_ended, ending = 0, False
    write_usage(usage, n_ended)
    while loop.jobs or not ending:
        ready = {source for source, _ in loop.watch.poll(milliseconds_to_deadline(loop.jobs))}
        received = os.read(loop.signals, 4096) if loop.signals in ready else b""
        if n_new := answer_ended(loop):
            n_ended += n_new
            write_usage(usage, n_ended)
        if not ending and (LIFELINE in ready or signal.SIGTERM in received):
            ending = True
            loop.watch.unregister(listener)
            loop.watch.unregister(LIFELINE)
        cancel_deserted(loop, ready, everyone=ending)
        if listener.fileno() in ready and not ending:  # last: `ready` may name the descriptor that it will get
            admit(loop, settings)


def signals_as_bytes() -> tuple[int, int]:
    """Have the numbers of signals written to a pipe, and return where to read it and where it is written to."""
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writable)
    for number in HANDLED:
        signal.signal(number, lambda *_: None)
    return readable, writable


def milliseconds_to_deadline(jobs: dict[int, Job]) -> float | None:
    """Compute how long the server may sleep."""
    deadlines = [job.deadline for job in jobs.values() if job.deadline]
    return max(0.0, min(deadlines) - time.monotonic()) * 1000 + 1 if deadlines else None


def answer_ended(loop: Loop) -> int:
    """Tell the clients of ended children how these ended; return how many there were."""
    ended = [child for child in loop.jobs if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)]
    for child in ended:
        kill_group(child, signal.SIGKILL)  # what the job left running; its id is not given again before waitpid
        _, status = os.waitpid(child, 0)
        job = loop.jobs.pop(child)
        if job.deadline is None:
            loop.watch.unregister(job.client)
        tell(job.client, os.waitstatus_to_exitcode(status))
        job.client.close()
    return len(ended)


def cancel_deserted(loop: Loop, ready: set[int], *, everyone: bool) -> None:
    """Terminate children whose client has gone (or `everyone`), and kill those that outlived the grace."""
    for child, job in loop.jobs.items():
        if job.deadline is None and (everyone or job.client.fileno() in ready):
            loop.watch.unregister(job.client)
            job.deadline = time.monotonic() + GRACE_S
            kill_group(child, signal.SIGTERM)
        elif job.deadline and job.deadline <= time.monotonic():
            kill_group(child, signal.SIGKILL)


def admit(loop: Loop, settings: dict[str, str]) -> None:
    """Fork a child for the next client."""
    client, _ = loop.listener.accept()
    server = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)  # a child must not tell the server of its own signals
    try:
        child = os.fork()
        if child == 0:
            try:
                os.setpgid(0, 0)
                tell(client, os.getpid())
                forget_server(loop)
                become_job(client, settings, server=server)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                tell(client, PLAIN)
            finally:
                os._exit(1)
        with contextlib.suppress(OSError):
            os.setpgid(child, child)  # here and there: whoever comes first
        loop.jobs[child] = Job(client)
        loop.watch.register(client, 0)
    except OSError:
        client.close()  # no process to be had: the client starts plainly
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)


def forget_server(loop: Loop) -> None:
    """Close what is the server's in the child, and handle signals as a new interpreter does."""
    signal.set_wakeup_fd(-1)  # from Python 3.12 on asyncio, where a library has brought it, does so after a fork too
    os.close(loop.writable)
    os.close(loop.signals)
    for connection in (loop.listener, *(job.client for job in loop.jobs.values())):
        connection.close()  # else a client would not see the server's end
    for number in HANDLED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)


def dismiss_waiting(listener: socket.socket) -> None:
    """Tell clients that were not admitted that nothing is to start any more."""
    listener.setblocking(False)
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            tell(client, NO_CHILD)


def kill_group(child: int, number: int) -> None:
    """Send a signal to a child and to what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, number)


def write_usage(path: Path | None, n_jobs: int) -> None:
    """Write what the server has used itself (CPU seconds), and what the `n_jobs` ended children have."""
    if path is None:
        return
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    usage = {
        "cpu_s": round(time.process_time(), 3),
        "n_jobs": n_jobs,
        "jobs_cpu_s": round(children.ru_utime + children.ru_stime, 3),
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):  # a full disk is no reason to lose the jobs
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(usage) + "\n", encoding="utf-8")
        temporary.replace(path)

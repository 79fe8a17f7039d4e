"""Run a job in a forked child of the warm server (see `start.py`)."""

import atexit
import builtins
import contextlib
import ctypes
import gc
import importlib.machinery
import io
import marshal
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import types
from collections.abc import Mapping
from typing import Any, NoReturn

PLAIN = 2**31 - 1  # as in warm_client

# Read when the interpreter or a library starts, so a job that has them otherwise than the server starts
# plainly. Snakemake sets the numbers of threads: this is every job of a rule with more than one.
READ_AT_START = (
    *("PYTHON", "LD_", "LC_", "LANG", "OMP_", "MKL_", "OPENBLAS_", "GOTO_", "POLARS_"),
    *("TORCH", "PYTORCH", "CUDA_", "TRANSFORMERS_", "HF_", "TOKENIZERS_", "HOME", "XDG_"),
)


def settings_read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that cannot be changed once the libraries are loaded."""
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


def tell(client: socket.socket, number: int) -> None:
    """Send one number of the protocol; a client that has gone needs none."""
    with contextlib.suppress(OSError):
        client.sendall(number.to_bytes(4, "little", signed=True))


def become_job(client: socket.socket, settings: dict[str, str], *, server: int) -> NoReturn:
    """Receive the request of the client, run it, and end the process."""
    end_with_server(server)
    if not take_over(receive(client), settings):
        tell(client, PLAIN)
        os._exit(1)
    client.close()
    os._exit(run(sys.argv[0]))


def end_with_server(server: int) -> None:
    """Have the kernel kill this process when the server ends, however it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != server:
        os._exit(1)


def receive(client: socket.socket) -> dict[str, Any]:
    """Read the whole request (see `warm.client.main`); end the process if the client has gone."""
    try:
        size, descriptors, _, _ = socket.recv_fds(client, 4, 3)
        with client.makefile("rb") as stream:
            request = marshal.loads(stream.read(int.from_bytes(size, "little")))
    except (OSError, EOFError):
        os._exit(1)
    return request | {"descriptors": descriptors}


def take_over(request: dict[str, Any], settings: dict[str, str]) -> bool:
    """Make this process what the client is; False if that cannot be."""
    if settings_read_at_start(request["environment"]) != settings:
        return False
    try:
        os.chdir(request["folder"])
        for target, descriptor in enumerate(request["descriptors"]):
            os.dup2(descriptor, target)
            os.close(descriptor)
    except OSError:
        return False
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    tempfile.tempdir = None  # not what TMPDIR was in the server
    sys.argv = request["arguments"]
    sys.orig_argv = [sys.executable, *sys.argv]
    sys.path.insert(0, os.path.dirname(os.path.realpath(sys.argv[0])))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=os.isatty(1))
    # Children are forked from one state. Python reseeds `random` in a child; numpy does not, and what forgets
    # to seed itself must not draw the same in every job. (torch begins every process with the same seed.)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    return True


def run(program: str) -> int:
    """Run a program as ``__main__`` and return the status with which a plain start would end."""
    path = os.path.join(os.getcwd(), program)
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=path, __loader__=loader, __cached__=None, __builtins__=builtins)
    sys.modules["__main__"] = module
    interrupted = False
    try:
        exec(loader.source_to_code(loader.get_data(path), path), module.__dict__)
        status = 0
    except SystemExit as end:
        status = status_of(end)
    except BaseException as error:
        show(error, path)
        status, interrupted = 1, isinstance(error, KeyboardInterrupt)
    with contextlib.suppress(BaseException):  # as in Py_FinalizeEx; what fails there is not heard either
        threading._shutdown()  # type: ignore[attr-defined]  # private: waits for threads that are no daemons
        atexit._run_exitfuncs()
        module.__dict__.clear()
        gc.collect()  # closes, and so writes, files that the program left open
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        status = 120
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return status


def status_of(end: SystemExit) -> int:
    """Return the exit status that the interpreter makes of SystemExit."""
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    print(end.code, file=sys.stderr)
    return 1


def show(error: BaseException, path: str) -> None:
    """Print a traceback that begins with the program, as the interpreter does."""
    traceback = error.__traceback__
    while traceback and traceback.tb_frame.f_code.co_filename != path:
        traceback = traceback.tb_next
    sys.stdout.flush()
    sys.excepthook(type(error), error.with_traceback(traceback), traceback)

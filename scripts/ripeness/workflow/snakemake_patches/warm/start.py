"""Start local jobs warm: as forked children of processes that have imported the large libraries already.

`import torch, transformers` takes four seconds, a job of the nursery takes one. `start_all` (from the Snakefile's
``onstart``) leaves two servers behind (`server.py`), each of which imports its libraries once, when the first job comes
that needs them: one for programs that run models and one for all others, whose small children start and end in a third
of the time. `scripts/warm/python`, then first on PATH, has the programs of this project run in their children (by way
of `client.py`). A job cannot tell: it has its own process, arguments, folder, environment,
standard streams and exit status, and reads the project's code from disk. Where a child would differ from a plain
start, or the server has gone, it starts plainly.

No process is left behind. A server waits at a pipe of which only the process that called `start` holds the
other end: its end, however it came, ends the server and every job. A job also ends with its client, and with
the server.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ripeness.runtime.project import SCRIPTS
from ripeness.workflow.code_digest import libraries_of

# What programs of the study import. Left out: vl_convert, whose import takes no time and brings a JavaScript
# engine with it; and everything of this project, so that every job sees the code as it is on disk.
TABLES = ("numpy", "polars", "jinja2", "jsonschema", "yaml", "scipy.optimize", "scipy.special", "altair")
MODELS = (
    *("numpy", "polars", "jinja2", "yaml", "tokenizers", "safetensors.torch", "torch"),
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.llama.modeling_llama",
    "transformers.models.olmo2.modeling_olmo2",
    "rouge_score.rouge_scorer",
)
RUN_MODELS = {"torch", "transformers", "safetensors", "rouge_score"}  # a program that imports one of these needs MODELS

# As Snakemake sets them for a rule of one thread. A numerical library reads them when it is loaded and, with
# more than one, starts threads at once, which no fork survives. Jobs with other numbers start plainly.
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "GOTO")}

# Not started as a file: with its folder on the path, `ripeness/stats/resampling.py` would stand for that of Python.
SERVER = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from ripeness.workflow.snakemake_patches.warm.server import main; main()"
)

MAX_ADDRESS_BYTES = 107  # of a socket


@dataclass(frozen=True)
class Server:
    """A started server: its process, the descriptor that keeps it alive, and the folder of its socket."""

    process: subprocess.Popen
    lifeline: int
    folder: Path


def start_all(scripts: Path, *, usage: Path | None = None) -> list[Server]:
    """Start servers for all programs in the folder `scripts`; both write what they use to the folder `usage`."""
    programs = sorted(scripts.glob("*.py"))
    with_models = [program.name for program in programs if libraries_of(program) & RUN_MODELS]
    others = [program.name for program in programs if program.name not in with_models]
    tables = start(TABLES, others, usage=usage and usage / "warm_tables.usage.json")
    models = start(MODELS, with_models, usage=usage and usage / "warm_models.usage.json")
    return [server for server in (tables, models) if server]


def start(libraries: Sequence[str], programs: Sequence[str], *, usage: Path | None = None) -> Server | None:
    """Start a server for the jobs of this process that run `programs`, and point `os.environ` to it.

    It imports `libraries` when the first job comes, for which this job and others wait. Then, and after each job, it
    writes what it has used to the file `usage` (see `warm.server.write_usage`). None where there can be no server.
    """
    if sys.platform != "linux":  # it reads /proc and uses prctl
        return None
    try:
        server = start_process(libraries, programs, usage)
    except OSError as error:
        print(f"jobs start plainly, there can be no warm server: {error}", file=sys.stderr)
        return None
    first, before = str(SCRIPTS / "warm"), os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = before if before.startswith(f"{first}:") else f"{first}:{before}"
    others = os.environ.get("RIPENESS_WARM", "").split(":")  # of which some have gone with the workflow around this one
    folders = [folder for folder in others if folder and Path(folder).exists()]
    os.environ["RIPENESS_WARM"] = ":".join([str(server.folder), *folders])
    os.environ["RIPENESS_PYTHON"] = sys.executable
    return server


def start_process(libraries: Sequence[str], programs: Sequence[str], usage: Path | None) -> Server:
    """Make the socket, so that clients can queue at once, and the process that will listen to it."""
    folder = Path(tempfile.mkdtemp(prefix="ripeness-"))  # for this user only
    if len(os.fsencode(folder / "socket")) > MAX_ADDRESS_BYTES:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="ripeness-", dir="/tmp"))
    end_to_wait_at, lifeline = os.pipe()  # neither is inherited by the shells of jobs
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "socket"))
            listener.listen(1024)
            for program in programs:  # scripts/warm/python looks for its program among them
                (folder / program).symlink_to("socket")
            options = [str(folder), str(listener.fileno()), str(usage.absolute() if usage else "")]
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", SERVER, str(SCRIPTS), *options, *libraries],
                stdin=end_to_wait_at,
                stdout=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
                start_new_session=True,
                env=os.environ | ONE_THREAD,
            )
    except OSError:
        os.close(lifeline)
        shutil.rmtree(folder)
        raise
    finally:
        os.close(end_to_wait_at)
    return Server(process, lifeline, folder)


def stop(server: Server) -> None:
    """End a server and its jobs, and wait for it. (The end of this process does so too.)"""
    os.close(server.lifeline)
    server.process.wait()

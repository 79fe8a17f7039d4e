"""Programs, jobs and whole workflows of a folder that start warm, for the tests of warm starts."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from waiting import FOREVER_SECONDS, wait_for

SCRIPTS = Path(__file__).parents[1] / "scripts"

SHIM = str(SCRIPTS / "warm" / "python")

WORKFLOW = f"""
import os, subprocess, sys
sys.path.insert(0, {str(SCRIPTS)!r})
from ripeness.workflow.snakemake_patches.warm import start as warm
os.environ.update(warm.ONE_THREAD)
if "GRACE" in os.environ:
    package = "from ripeness.workflow.snakemake_patches.warm"
    grace = package + " import server; server.GRACE_S = " + os.environ["GRACE"] + "; server.main()"
    warm.SERVER = warm.SERVER.replace(package + ".server import main; main()", grace)
server = warm.start(sys.argv[1].split(","), ["program.py"])
print(server.process.pid, server.folder, flush=True)
sys.exit(subprocess.run(["sh", "-c", "python scripts/program.py; exit $?"]).returncode)
"""

SLEEPER = f"""
import os, subprocess, sys, time
sleep = subprocess.Popen(["sleep", "{FOREVER_SECONDS:.0f}"])
with open("ids.tmp", "w") as file:
    file.write(f"{{os.getppid()}} {{os.getpid()}} {{sleep.pid}}")
os.rename("ids.tmp", "ids")
time.sleep({FOREVER_SECONDS})
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a folder" / "scripts").mkdir(parents=True)
    return tmp_path / "a folder"


def write_program(folder, code):
    (folder / "scripts" / "program.py").write_text(textwrap.dedent(code))


def run(folder, *arguments, python=SHIM, **environment):
    return subprocess.run(
        [python, *(arguments or ["scripts/program.py"])],
        cwd=folder,
        env=os.environ | environment,
        input="some input",
        capture_output=True,
        text=True,
    )


def parent_of_job(folder, *arguments, **environment):
    write_program(folder, "import os; print(os.getppid())")
    done = run(folder, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def is_running(process):
    try:
        return "(zombie)" not in Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def ids_of_sleeper(folder):
    """Process ids of the parent of the job, of the job, and of what it started."""
    wait_for((folder / "ids").exists)
    return [int(word) for word in (folder / "ids").read_text().split()]


def start_workflow(folder, libraries="json", **environment):
    workflow = subprocess.Popen(
        [sys.executable, "-c", WORKFLOW, libraries],
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process, socket_folder = workflow.stdout.readline().split()
    return workflow, int(process), Path(socket_folder)

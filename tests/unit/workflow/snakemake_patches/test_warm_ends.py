"""However a warm job, its client, its server or its workflow ends, nothing is left running and no job is lost."""

import os
import shutil
import signal
import socket
import sys
import textwrap

import pytest
from waiting import FOREVER_SECONDS, wait_for
from warm_jobs import SLEEPER, ids_of_sleeper, is_running, run, start_workflow, write_program

from ripeness.workflow.snakemake_patches.warm import start as warm


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])  # SLURM sends both to a job that is cancelled
def test_the_killed_workflow_leaves_nothing_behind(folder, number):
    write_program(folder, SLEEPER)
    workflow, process, socket_folder = start_workflow(folder)
    parent, job, sleep = ids_of_sleeper(folder)
    assert parent == process
    workflow.send_signal(number)
    wait_for(lambda: not any(map(is_running, (process, job, sleep))) and not socket_folder.exists())
    workflow.communicate()


def test_a_workflow_killed_while_libraries_load_leaves_nothing_behind(folder):
    (folder / "slow_library.py").write_text(f"import time; open('loading', 'w'); time.sleep({FOREVER_SECONDS})")
    write_program(folder, SLEEPER)
    workflow, process, socket_folder = start_workflow(folder, "slow_library", PYTHONPATH=str(folder))
    wait_for((folder / "loading").exists)  # libraries load once a job has queued
    workflow.kill()
    wait_for(lambda: not is_running(process) and not socket_folder.exists())
    assert "not started" in workflow.communicate()[1]
    assert not (folder / "ids").exists()


def test_a_server_killed_while_libraries_load_leaves_the_jobs_to_a_plain_start(folder):
    (folder / "slow_library.py").write_text(f"import time; open('loading', 'w'); time.sleep({FOREVER_SECONDS})")
    write_program(folder, "import os; print(os.getppid())")
    workflow, process, socket_folder = start_workflow(folder, "slow_library", PYTHONPATH=str(folder))
    wait_for((folder / "loading").exists)
    os.kill(process, signal.SIGTERM)
    output, _ = workflow.communicate()
    assert workflow.returncode == 0
    assert int(output) != process
    assert not socket_folder.exists()


def test_a_killed_server_costs_no_job(folder):
    """The job that ran in it is ended with all that it had started, and then starts again, plainly and once."""
    code = """
        import os, sys
        with open("starts", "a") as file:
            file.write(f"{os.getpid()} {os.getppid()}\\n")
        if len(open("starts").readlines()) > 1:
            print("again", sys.argv[1:], os.path.exists("ids"))
            sys.exit(0)
        if os.fork() == 0:  # as a worker of torchrun
            os.setsid()
            open("worker", "w").write(str(os.getpid()))
            os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep({FOREVER_SECONDS})", *sys.argv])
    """
    write_program(folder, textwrap.dedent(code) + SLEEPER)
    workflow, process, socket_folder = start_workflow(folder)
    _, job, sleep = ids_of_sleeper(folder)
    wait_for(lambda: (folder / "worker").exists() and (folder / "worker").read_text())
    worker = int((folder / "worker").read_text())
    os.kill(process, signal.SIGKILL)
    output, errors = workflow.communicate()
    assert workflow.returncode == 0, errors
    assert not is_running(worker)
    assert output.split() == ["again", "[]", "True"]
    assert "starting again, plainly" in errors
    (_, first), (again, parent) = (line.split() for line in (folder / "starts").read_text().splitlines())
    assert int(first) == process and int(again) != job and int(parent) != process
    assert not is_running(job) and not is_running(sleep)
    shutil.rmtree(socket_folder)  # all that a killed server cannot do


def test_jobs_that_come_after_the_server_was_killed_start_plainly(folder):
    write_program(folder, "import os; print(os.getppid())")
    (folder / "gone").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:  # its socket is still there, and nobody answers
        listener.bind(str(folder / "gone" / "socket"))
        listener.listen()
    (folder / "gone" / "program.py").symlink_to("socket")
    environment = warm.ONE_THREAD | {"RIPENESS_WARM": str(folder / "gone"), "RIPENESS_PYTHON": sys.executable}
    done = run(folder, **environment)
    assert (done.returncode, int(done.stdout)) == (0, os.getpid()), done.stderr


@pytest.mark.slow
def test_a_job_that_ignores_being_terminated_is_killed(folder):
    write_program(folder, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + SLEEPER)
    workflow, process, _ = start_workflow(folder, GRACE="1.0")
    _, job, _ = ids_of_sleeper(folder)
    workflow.kill()
    wait_for(lambda: not is_running(process) and not is_running(job))
    workflow.communicate()

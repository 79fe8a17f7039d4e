"""A job that starts warm is like one that starts plainly, and what cannot start warm starts plainly."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest
from waiting import FOREVER_SECONDS, HANG_SECONDS, wait_for
from warm_jobs import SCRIPTS, SHIM, SLEEPER, ids_of_sleeper, is_running, parent_of_job, run, write_program

from ripeness.workflow.snakemake_patches.warm import start as warm


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", os.environ | warm.ONE_THREAD)
        usage = tmp_path_factory.mktemp("usage") / "new" / "usage.json"
        server = warm.start(["json", "numpy", "no_such_library"], ["program.py", "link.py"], usage=usage)
        yield server
        warm.stop(server)
        assert not server.folder.exists()
        assert json.loads(usage.read_text())["n_jobs"] > 10


def test_a_program_runs_in_a_child_of_the_server(server, folder):
    assert parent_of_job(folder) == server.process.pid


PROGRAMS = {
    "names": "import sys; print(__name__, __file__, __spec__, sys.argv, sys.orig_argv[1:], sys.path)",
    "environment": "import os; print(sorted(os.environ.items()))",
    "surroundings": "import os; print(os.getcwd(), os.umask(0), os.listdir('/proc/self/fd'), os.read(0, 99))",
    "signals": "import signal as s; print(*map(s.getsignal, (2, 13, 15, 17, 29)), s.pthread_sigmask(0, []))",
    "main module": "import sys; print(sys.modules['__main__'].__dict__ is globals())",
    "pickles": "import pickle\nclass C: pass\nprint(type(pickle.loads(pickle.dumps(C()))) is C)",
    "both outputs": "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)",
    "negative status": "import sys; sys.exit(-1)",
    "large status": "import sys; sys.exit(256 + 7)",
    "no status": "raise SystemExit",
    "message as status": "raise SystemExit('a message')",
    "error": "print('before')\ndef f():\n    raise RuntimeError\nf()",
    "chained errors": "try:\n    1 / 0\nexcept Exception as error:\n    raise KeyError('x') from error",
    "interrupt": "raise KeyboardInterrupt",
    "syntax error": "if True print(1)",
    "import error": "import no_such_module",
    "abrupt end": "import os; print('lost, as it was not flushed'); os._exit(4)",
    "killed": "import os; os.kill(os.getpid(), 9)",
    "crash": "import os, resource as r; r.setrlimit(r.RLIMIT_CORE, (0, 0)); os.kill(os.getpid(), 11)",
    "closed output": "import os; os.close(1); print('nowhere')",
    "exit function": "import atexit; atexit.register(print, 'at exit')",
    "hook": "import sys; sys.excepthook = lambda *_: print('hooked'); 1 / 0",
    "thread": "import threading as t; t.Timer(0.1, print, args=('late',)).start()",
    "process": "import multiprocessing as m; p = m.Process(target=print, args=('x',)); p.start(); p.join()",
    "large output": "print('x' * 3_000_000)",
    "file left open": "file = open('left_open', 'w'); file.write('content'); other = file",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_job_ends_and_prints_as_when_started_plainly(server, folder, name):
    write_program(folder, PROGRAMS[name])
    arguments = ("scripts/program.py", "--option", "two words", "")
    plainly = run(folder, *arguments, python=sys.executable, PWD=str(folder))
    (folder / "left_open").unlink(missing_ok=True)
    warmly = run(folder, *arguments, PWD=str(folder))
    assert (warmly.returncode, warmly.stdout) == (plainly.returncode, plainly.stdout)
    # closing a broken output is worth a message to the interpreter only
    assert warmly.stderr == plainly.stderr or name == "closed output"
    assert name != "file left open" or (folder / "left_open").read_text() == "content"


def test_the_shell_sees_a_killed_job_as_killed(server, folder):
    write_program(folder, "import os; os.kill(os.getpid(), 9)")
    script = "python scripts/program.py; exit $?"
    assert subprocess.run(["bash", "-c", script], cwd=folder, env=os.environ).returncode == 128 + 9


def test_the_first_of_the_path_is_the_folder_of_the_program_also_through_a_link(server, folder, tmp_path):
    write_program(folder, "import sys; print(sys.path[0])")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "link.py").symlink_to(folder / "scripts" / "program.py")
    assert run(tmp_path, "scripts/link.py").stdout.strip() == str(folder / "scripts")


def test_the_shim_works_from_a_folder_with_a_space(server, folder):
    write_program(folder, "import os; print(os.getppid())")
    (folder / "other scripts").symlink_to(SCRIPTS)
    done = run(folder, f"{folder}/scripts/program.py", python=f"{folder}/other scripts/warm/python")
    assert int(done.stdout) == server.process.pid


def test_edited_code_is_seen_by_the_next_job(server, folder):
    write_program(folder, "import module_of_project; module_of_project.say()")
    for word in ("one", "three"):
        (folder / "scripts" / "module_of_project.py").write_text(f"def say():\n    print({word!r})\n")
        assert run(folder).stdout.strip() == word


def test_nothing_of_the_project_is_loaded_before_the_program(server, folder):
    write_program(folder, "import sys; print([name for name in sys.modules if 'ripeness' in name])")
    assert run(folder).stdout.strip() == "[]"


def test_jobs_that_do_not_seed_draw_different_numbers(server, folder):
    write_program(folder, "import random, numpy; print(random.random(), numpy.random.random())")
    one, two = (run(folder).stdout.split() for _ in range(2))
    assert one[0] != two[0]
    assert one[1] != two[1]


def test_a_job_has_its_own_folder_for_temporary_files_and_its_own_time_zone(server, folder):
    write_program(folder, "import tempfile, time; print(tempfile.gettempdir(), time.tzname)")
    done = run(folder, TMPDIR=str(folder), TZ="EST5")
    assert done.stdout.strip() == f"{folder} ('EST', 'EST')"


def test_a_job_begins_with_the_libraries_loaded(server, folder):  # what that takes: benchmarks/bounds.py
    write_program(folder, "import sys; print({'json', 'numpy'} <= set(sys.modules))")
    assert run(folder).stdout.strip() == "True"


def test_jobs_run_side_by_side(server, folder):
    # each ends only when all are there
    code = "import os, sys, time; open(f'there-{sys.argv[1]}', 'w')\n"
    code += "while sum(name[:6] == 'there-' for name in os.listdir()) < 10: time.sleep(0.01)\n"
    write_program(folder, code + "print(sys.argv[1])")
    jobs = [
        subprocess.Popen([SHIM, "scripts/program.py", str(i)], cwd=folder, stdout=subprocess.PIPE, env=os.environ)
        for i in range(10)
    ]
    assert [int(job.communicate(timeout=HANG_SECONDS)[0]) for job in jobs] == list(range(10))


@pytest.mark.parametrize(
    "arguments",
    [("-c", "import os; print(os.getppid())"), ("-m", "scripts.program"), ("./other/program.py",)],
)
def test_what_is_no_program_of_the_project_starts_plainly(server, folder, arguments):
    write_program(folder, "import os; print(os.getppid())")
    (folder / "other").symlink_to(folder / "scripts")
    done = run(folder, *arguments)
    assert int(done.stdout) == os.getpid()


@pytest.mark.parametrize("setting", [{"OMP_NUM_THREADS": "2"}, {"PYTHONHASHSEED": "1"}, {"HF_HUB_OFFLINE": "1"}])
def test_a_job_with_settings_that_are_read_at_the_start_starts_plainly(server, folder, setting):
    assert parent_of_job(folder, **setting) == os.getpid()


def test_a_job_that_reads_from_a_process_substitution_starts_plainly(server, folder):
    write_program(folder, "import sys; print(open(sys.argv[1]).read())")
    script = "python scripts/program.py <(echo substituted)"
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=os.environ, capture_output=True, text=True)
    assert done.stdout.strip() == "substituted"


def test_without_a_server_jobs_start_plainly(server, folder):
    assert parent_of_job(folder, RIPENESS_WARM="") == os.getpid()
    assert parent_of_job(folder, RIPENESS_WARM="/no/such/folder") == os.getpid()
    with socket.socket(socket.AF_UNIX) as nobody_listens:
        nobody_listens.bind(str(folder / "socket"))
        (folder / "program.py").symlink_to("socket")
    assert parent_of_job(folder, RIPENESS_WARM=str(folder)) == os.getpid()


def test_a_missing_program_is_reported_by_the_interpreter(server, folder):
    done = run(folder, "scripts/absent.py")
    assert done.returncode == 2
    assert "can't open file" in done.stderr


def test_a_killed_client_takes_its_job_along(server, folder):
    write_program(folder, SLEEPER)
    client = subprocess.Popen([SHIM, "scripts/program.py"], cwd=folder, env=os.environ)
    _, job, sleep = ids_of_sleeper(folder)
    client.kill()
    wait_for(lambda: not is_running(job) and not is_running(sleep))
    client.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_the_job_and_the_client_waits_for_its_end(server, folder, number):
    handler = f"import signal, sys; signal.signal({int(number)}, lambda *_: (time.sleep(0.2), sys.exit(7)))"
    write_program(folder, handler + SLEEPER)
    client = subprocess.Popen([SHIM, "scripts/program.py"], cwd=folder, env=os.environ)
    _, job, sleep = ids_of_sleeper(folder)
    client.send_signal(number)
    assert client.wait() == 7
    wait_for(lambda: not is_running(job) and not is_running(sleep))


def test_what_a_job_leaves_running_ends_with_it(server, folder):
    write_program(folder, SLEEPER.replace(f"time.sleep({FOREVER_SECONDS})", ""))
    assert run(folder).returncode == 0
    sleep = ids_of_sleeper(folder)[2]
    wait_for(lambda: not is_running(sleep))

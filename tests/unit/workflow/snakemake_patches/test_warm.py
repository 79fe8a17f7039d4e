"""Jobs that start warm must be like jobs that start plainly, and leave nothing behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from waiting import FOREVER_SECONDS, HANG_SECONDS, wait_for

from ripeness.workflow.snakemake_patches.warm import start as warm

SCRIPTS = Path(__file__).parents[4] / "scripts"
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


def test_jobs_wait_for_libraries_that_load(folder):
    (folder / "slow_library.py").write_text("import time; time.sleep(0.5)")
    write_program(folder, "import os, sys; print(os.getppid(), 'slow_library' in sys.modules)")
    workflow, process, _ = start_workflow(folder, "slow_library", PYTHONPATH=str(folder))
    assert workflow.communicate()[0].split() == [str(process), "True"]


def test_libraries_load_for_the_first_job_only(folder):
    (folder / "told_library.py").write_text("open('loading', 'w')")
    write_program(folder, "import time; time.sleep(0.3)")
    code = WORKFLOW.replace('["program.py"]', "sys.argv[2:]")
    for programs in (["other.py"], ["program.py"]):
        assert not (folder / "loading").exists()
        command = [sys.executable, "-c", code, "told_library", *programs]
        assert subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)}).returncode == 0
    assert (folder / "loading").exists()


def test_each_program_has_the_server_that_loads_what_it_imports(tmp_path, monkeypatch):
    programs = {"tables.py": "import polars", "models.py": "from ripeness.a import x"}
    (tmp_path / "ripeness").mkdir()
    (tmp_path / "ripeness" / "a.py").write_text("def f():\n    from torch import nn\n")
    (tmp_path / "scripts").symlink_to(tmp_path)
    say = "\nimport os, sys; print(os.getppid(), 'torch' in sys.modules, 'numpy' in sys.modules)"
    for name, code in programs.items():
        (tmp_path / name).write_text(code.replace("from ripeness.a import x", "if 0: from ripeness.a import x") + say)
    monkeypatch.setattr(warm, "TABLES", ["json"])
    monkeypatch.setattr(warm, "MODELS", ["numpy"])
    monkeypatch.setattr(os, "environ", os.environ | warm.ONE_THREAD)
    servers = warm.start_all(tmp_path, usage=tmp_path / "logs")
    try:
        said = [run(tmp_path, f"scripts/{name}").stdout.split() for name in programs]
    finally:
        for server in servers:
            warm.stop(server)
    tables, models = (str(server.process.pid) for server in servers)
    assert said == [[tables, "False", "False"], [models, "False", "True"]]
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == [
        "warm_models.usage.json",
        "warm_tables.usage.json",
    ]


def parent_with_library(folder, code):
    """The server's process id, that of the parent of a job after the server has loaded a library, and errors."""
    (folder / "odd_library.py").write_text(code)
    write_program(folder, "import os; print(os.getppid())")
    workflow, process, _ = start_workflow(folder, "odd_library", PYTHONPATH=str(folder))
    output, errors = workflow.communicate()
    assert workflow.returncode == 0, errors
    return process, int(output), errors


def test_a_library_that_runs_threads_turns_warm_starts_off(folder):
    asleep = f"threading.Thread(target=time.sleep, args=({FOREVER_SECONDS},), daemon=True)"
    code = f"import threading, time; {asleep}.start()"
    server, parent, errors = parent_with_library(folder, code)
    assert parent != server
    assert "jobs start plainly" in errors


def test_a_library_that_resets_signals_after_a_fork_does_no_harm(folder):
    # as asyncio from Python 3.12 on
    code = "import os, signal; os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))"
    server, parent, errors = parent_with_library(folder, code)
    assert parent == server, errors


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import ctypes; ctypes.CDLL = None", "TypeError: 'NoneType' object is not callable"),
        ("import os; os.register_at_fork(after_in_child=lambda: os._exit(1))", ""),  # before it has said its id
        ("import os; os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), 9))", ""),
    ],
)
def test_a_child_that_cannot_begin_leaves_the_job_to_a_plain_start(folder, code, why):
    server, parent, errors = parent_with_library(folder, code)
    assert parent != server
    assert why in errors


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


@pytest.mark.slow
def test_the_libraries_of_the_study_work_in_children(folder):
    write_program(
        folder,
        """
        import os, sys
        loaded = {"torch", "transformers", "polars", "rouge_score.rouge_scorer"} <= set(sys.modules)
        import numpy, polars, torch
        from transformers import AutoModelForCausalLM, LlamaConfig
        torch.set_num_threads(2)
        torch.manual_seed(int(sys.argv[1]))
        square = torch.randn(400, 400)
        rows = polars.DataFrame({"group": numpy.arange(100_000) % 7, "value": numpy.arange(100_000.0)})
        rows.write_parquet(f"{sys.argv[1]}.parquet")
        rows = polars.read_parquet(f"{sys.argv[1]}.parquet")
        groups = rows.group_by("group").agg(polars.col("value").sum())
        sizes = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)
        model = AutoModelForCausalLM.from_config(LlamaConfig(vocab_size=64, **sizes))
        optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
        tokens = torch.randint(0, 64, (4, 16))
        for _ in range(5):
            loss = model(input_ids=tokens, labels=tokens).loss
            loss.backward()
            optimizer.step()
        numbers = (square @ square).sum().item(), groups["value"].sum(), loss.item()
        print(numbers, file=open(f"{sys.argv[1]}.out", "w"))
        os.write(1, f"{os.getppid() if loaded else 'cold'}\\n".encode())  # at once: two jobs write here
        """,
    )
    code = WORKFLOW.replace('sys.argv[1].split(",")', "warm.MODELS")
    script = "python scripts/program.py 1 & python scripts/program.py 2 & wait"
    code = code.replace("python scripts/program.py; exit $?", script)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=HANG_SECONDS
    )
    process, *parents = [line.split()[0] for line in done.stdout.splitlines()]
    assert parents == [process] * 2, done.stderr
    warmly = (folder / "2.out").read_text()
    run(folder, "scripts/program.py", "2", python=sys.executable, **warm.ONE_THREAD)
    assert (folder / "2.out").read_text() == warmly

"""Libraries of warm starts: loaded once, for the programs that need them, and never in the way of a job."""

import os
import subprocess
import sys

import pytest
from waiting import FOREVER_SECONDS, HANG_SECONDS
from warm_jobs import WORKFLOW, run, start_workflow, write_program

from ripeness.workflow.snakemake_patches.warm import start as warm


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

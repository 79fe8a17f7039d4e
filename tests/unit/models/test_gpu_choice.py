"""Jobs on one machine share its GPUs out evenly, and a GPU is free again when the process ends that chose it."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from ripeness.models import gpu_choice
from ripeness.models.gpu_choice import device_for_models
from ripeness.runtime.gpu_locks import least_used

SCRIPTS = Path(gpu_choice.__file__).parents[2]

CHOOSE = """
import sys
from pathlib import Path
from ripeness.runtime.gpu_locks import least_used
print(least_used(["0", "1"], Path(sys.argv[1])), flush=True)
input()
"""


@pytest.fixture
def choose(tmp_path):
    """Give a function that starts a process which chooses one of two GPUs, and lives until its input is closed."""
    with ExitStack() as stack:

        def start():
            command, pipe = [sys.executable, "-c", CHOOSE, tmp_path / "gpus"], subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=SCRIPTS)
            stack.callback(process.kill)
            return process, process.stdout.readline().strip()

        yield start


def test_each_gpu_gets_as_many_jobs_and_one_that_is_free_again_the_next(choose):
    first, second, third, fourth = (choose() for _ in range(4))
    assert [name for _, name in (first, second, third, fourth)] == ["0", "1", "0", "1"]
    second[0].communicate("\n")
    assert choose()[1] == "1"
    first[0].kill()
    first[0].wait()
    assert choose()[1] == "0"


def test_gpus_of_any_name_are_locked_apart(tmp_path):
    names = ["GPU-8f2a", "MIG-GPU-8f2a/1/0"]
    assert [least_used(names, tmp_path) for _ in range(3)] == [names[0], names[1], names[0]]


@pytest.mark.parametrize(
    ("visible", "n", "expected"),
    [("", 2, ["cuda:0", "cuda:1", "cuda:0"]), ("6,7", 2, ["cuda:0", "cuda:1", "cuda:0"]), ("3", 1, ["cuda:0"] * 3)],
)
def test_models_go_to_the_chosen_gpu(monkeypatch, tmp_path, visible, n, expected):
    chosen = []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(gpu_choice.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert [device_for_models.__wrapped__() for _ in expected] == expected
    assert [f"cuda:{number}" for number in chosen] == expected
    folder = next(tmp_path.iterdir())
    assert {path.name.split(".")[0] for path in folder.iterdir()} == set(visible.split(",") if visible else "01")


def test_without_a_gpu_models_are_on_the_cpu(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_for_models.__wrapped__() == "cpu"

"""train_model: killed trainings go on to the same files, and no worker outlives the process that started it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tuned_models import LORA, SETTINGS
from waiting import wait_for

import train_model
from ripeness.runtime.files import read_json


@pytest.mark.parametrize("changes", [{"epochs": 40}, LORA | {"epochs": 40}], ids=["full", "lora"])
def test_a_killed_training_goes_on_to_the_same_files(tune, tmp_path, checkpoint, examples, caplog, changes):
    expected = tune("whole", **changes)
    folder = tmp_path / "killed"
    command = [sys.executable, train_model.__file__, "--checkpoint", checkpoint, "--save-seconds", "0"]
    command += [
        "--examples",
        examples / "choice" / "train.parquet",
        "--settings",
        json.dumps(SETTINGS | changes),
    ]
    command += ["--output", folder / "model", "--record", folder / "record.json"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not (folder / "record.state").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    assert not (folder / "model").exists()
    with caplog.at_level("INFO"):
        tune("killed", **changes)
    assert "going on after step" in caplog.text
    name = "tuned.safetensors" if "rank" in changes else "model.safetensors"
    assert (folder / "model" / name).read_bytes() == (expected / "model" / name).read_bytes()
    assert (folder / "record.json").read_bytes() == (expected / "record.json").read_bytes()
    assert not (folder / "record.state").exists()


@pytest.mark.release
def test_two_processes_share_a_model_and_a_killed_training_of_theirs_goes_on(
    tune, tmp_path, checkpoint, examples, stream
):
    changes = {"epochs": 20, "pull": 0.01, "replay": 0.25}
    expected = tune("one", "--replay-text", str(stream), **changes)
    folder = tmp_path / "two"
    command = [sys.executable, train_model.__file__, "--checkpoint", checkpoint, "--gpus", "2", "--save-seconds", "0"]
    command += ["--examples", examples / "choice" / "train.parquet", "--output", folder / "model"]
    command += ["--settings", json.dumps(SETTINGS | changes), "--record", folder / "record.json"]
    command += ["--replay-text", stream]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
    while not (folder / "record.state").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for worker in workers_of(folder):
        os.kill(worker, signal.SIGKILL)
    assert not (folder / "model").exists()
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "going on after step" in done.stderr
    ours, theirs = (read_json(path / "record.json") for path in (folder, expected))
    assert ours["losses"] == pytest.approx(theirs["losses"], abs=1e-4)
    assert ours["displacement"] == pytest.approx(theirs["displacement"], rel=1e-3)
    ours, theirs = (load_file(path / "model" / "model.safetensors") for path in (folder, expected))
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in theirs)
    assert read_json(folder / "model" / "config.json") == read_json(expected / "model" / "config.json")


def test_workers_end_with_the_process_that_started_them(tmp_path, checkpoint, examples):
    command = [sys.executable, train_model.__file__, "--checkpoint", checkpoint, "--gpus", "2", "--save-seconds", "0"]
    command += ["--examples", examples / "choice" / "train.parquet", "--output", tmp_path / "model"]
    command += ["--settings", json.dumps(SETTINGS | {"epochs": 1000}), "--record", tmp_path / "record.json"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    wait_for(lambda: (tmp_path / "record.state").exists() or process.poll() is not None)
    assert len(list(workers_of(tmp_path))) == 3  # with the process that started them
    process.kill()  # as SLURM and the kernel do; torchrun hears nothing of it
    process.wait()
    wait_for(lambda: not list(workers_of(tmp_path)))


def workers_of(folder):
    """Give the processes that work for this folder: torchrun gives each a session of its own."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in (process / "cmdline").read_text():
                yield int(process.name)
        except OSError:
            pass

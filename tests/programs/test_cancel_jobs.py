"""cancel_jobs ends what a killed Snakemake left in this folder, and nothing else."""

import subprocess
import sys

import pytest
from waiting import FOREVER_SECONDS

import cancel_jobs
from ripeness.runtime.errors import UserError

SQUEUE = """#!/bin/sh
[ -e gone ] || printf '11 %s\\n12 /elsewhere\\n' "$PWD"
"""
SCANCEL = """#!/bin/sh
echo "$@" > gone
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Give a folder in which SLURM's programs are scripts: tests/slurm has the real ones."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "a folder").mkdir()
    for name, text in (("squeue", SQUEUE), ("scancel", SCANCEL)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.chdir(tmp_path / "a folder")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path


def test_jobs_of_this_folder_are_cancelled_and_those_of_others_are_not(slurm, caplog):
    caplog.set_level("INFO")
    cancel_jobs.main([])
    assert (slurm / "a folder" / "gone").read_text() == "11\n"
    cancel_jobs.main([])
    assert caplog.messages == ["cancelling 1 jobs: 11", "SLURM has no job of this folder"]


@pytest.mark.parametrize(
    ("squeue", "said"),
    [
        ("echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1", "Unable to contact"),
        ("echo 'squeue: error: cluster x: connection refused' >&2", "cluster x: connection refused"),  # with status 0
        ("exit 3", "squeue: status 3"),
        ("exec sleep 5", "squeue does not answer within 0.2 s"),
    ],
)
def test_a_queue_that_cannot_be_read_is_not_taken_for_an_empty_one(slurm, monkeypatch, caplog, squeue, said):
    caplog.set_level("INFO")
    monkeypatch.setattr(cancel_jobs, "MOST_SECONDS", 0.2 if "sleep" in squeue else 60)
    (slurm / "bin" / "squeue").write_text(f"#!/bin/sh\n{squeue}\n")
    with pytest.raises(UserError, match=rf"{said}.*\nhint: no job is known to have ended"):
        cancel_jobs.main([])
    assert not caplog.messages and not (slurm / "a folder" / "gone").exists()


def test_a_controller_that_does_not_answer_for_a_while_is_asked_again(slurm, caplog):
    caplog.set_level("INFO")
    once = "[ -e gone ] && [ ! -e away ] && { touch away; echo 'error: timed out' >&2; exit 1; }\n"
    (slurm / "bin" / "squeue").write_text(SQUEUE.replace("[", f"{once}[", 1))
    cancel_jobs.main([])
    assert (slurm / "a folder" / "away").exists() and caplog.messages == ["cancelling 1 jobs: 11"]


def test_a_folder_in_which_snakemake_is_at_work_is_left_alone(slurm):
    process = subprocess.Popen(
        [sys.executable, "-c", f"import time; time.sleep({FOREVER_SECONDS})", "snakemake"], cwd=slurm / "a folder"
    )
    try:  # its command and folder are known as soon as Popen returns
        with pytest.raises(UserError, match=rf"running in this folder \(process {process.pid}\)\nhint: "):
            cancel_jobs.main([])
    finally:
        process.kill()
        process.wait()
    assert not (slurm / "a folder" / "gone").exists()


def test_a_machine_without_slurm_is_said(slurm, monkeypatch):
    (slurm / "bin" / "squeue").unlink()
    monkeypatch.setenv("PATH", str(slurm / "bin"))
    with pytest.raises(UserError, match=r"no squeue on this machine\nhint: "):
        cancel_jobs.main([])

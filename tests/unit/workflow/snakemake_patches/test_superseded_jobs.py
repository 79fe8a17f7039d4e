"""A copy of a cluster's job ends, with all that it has started, once another copy has claimed the job."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.jobs import Job
from waiting import FOREVER_SECONDS, HANG_SECONDS, wait_for

from ripeness.workflow.snakemake_patches.superseded_jobs import (
    COPY,
    claim,
    guard_against_another,
    is_superseded,
    named_after,
)

SCRIPTS = Path(__file__).parents[4] / "scripts"
# A job that has started another process, which has started one in a session of its own.
JOB = f"""
import os, subprocess, sys, threading, time
sys.path.insert(0, {str(SCRIPTS)!r})
from pathlib import Path
from types import SimpleNamespace
from ripeness.workflow.snakemake_patches import superseded_jobs
superseded_jobs.CHECK_S = 0.05
os.environ[superseded_jobs.COPY] = superseded_jobs.claim(Path("a claim"))
subprocess.Popen(["sh", "-c", "echo $$ > first; setsid sh -c 'echo $$ > second; sleep {FOREVER_SECONDS}' & wait"])
threading.Thread(target=superseded_jobs.watch_claim, daemon=True).start()
time.sleep({FOREVER_SECONDS})
"""


def test_the_last_claim_counts_and_one_that_cannot_be_read_says_nothing(tmp_path):
    path = tmp_path / "a folder" / "a claim"
    first = claim(path)
    assert not is_superseded(first)
    second = claim(path)
    assert is_superseded(first) and not is_superseded(second)
    path.unlink()
    assert not is_superseded(first) and not is_superseded(second)


def test_copies_and_attempts_of_a_job_have_one_claim_and_other_jobs_others():
    def name(*targets, attempt="1"):
        return named_after(["snakemake", "--target-jobs", *targets, "--cores", "1", "--attempt", attempt])

    assert name("a:x=1", "b:x=1") == name("b:x=1", "a:x=1", attempt="2")
    assert len({name("a:x=1", "b:x=1"), name("a:x=1"), name("b:x=1"), name("a:x=1b:x=1")}) == 4


def is_there(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_copy_ends_with_all_that_it_has_started_and_not_before_it_must(tmp_path):
    with subprocess.Popen([sys.executable, "-c", JOB], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as job:
        try:
            wait_for(lambda: (tmp_path / "second").exists() and (tmp_path / "second").read_text())
            started = [int((tmp_path / name).read_text()) for name in ("first", "second")]
            assert job.poll() is None and all(map(is_there, started))
            claim(tmp_path / "a claim")
            assert job.wait(HANG_SECONDS) == -signal.SIGKILL
            wait_for(lambda: not any(map(is_there, started)))
            assert "begun again elsewhere" in job.stderr.read()
        finally:
            job.kill()


@pytest.mark.parametrize("is_main, copy", [(True, "x y"), (False, None)])
def test_neither_the_main_process_nor_a_job_of_this_machine_has_a_claim(tmp_path, monkeypatch, is_main, copy):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(COPY, raising=False)
    if copy:
        monkeypatch.setenv(COPY, copy)
    methods = Job.prepare, Job.cleanup
    guard_against_another(SimpleNamespace(is_main_process=is_main, remote_exec=False), tmp_path)
    assert COPY not in os.environ and (Job.prepare, Job.cleanup) == methods and not list(tmp_path.iterdir())

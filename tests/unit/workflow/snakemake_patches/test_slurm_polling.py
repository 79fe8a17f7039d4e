"""No job is forgotten while SLURM is away, one that SLURM has forgotten counts as failed, and a wait has a reason."""

import asyncio
import logging
import shlex
from contextlib import nullcontext
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest

from ripeness.workflow.snakemake_patches import slurm_polling
from ripeness.workflow.snakemake_patches.slurm_polling import Watch, hint, poll_patiently, stuck_for

COMMAND = "squeue --format='%i|%T' --states=all --noheader --name run"


class Executor:
    """Stands for the plugin's: two jobs that it asks about, and the answers."""

    def __init__(self):
        self.logger, self.said = self, []
        self.lock, self.active_jobs, self.cancelled, self.failed = nullcontext(), [], [], []

    def warning(self, text):
        self.said.append(text)

    async def check_active_jobs(self, jobs):
        for job in jobs:
            yield job

    def cancel(self):
        self.cancelled = [job.external_jobid for job in self.active_jobs]

    def report_job_error(self, job, **_):
        self.failed.append(job.external_jobid)


@pytest.fixture
def jobs():
    return [SimpleNamespace(external_jobid=number, aux={}) for number in ("11", "12")]


@pytest.fixture
def watch(jobs):
    return Watch(Executor(), Event(), asked=jobs)


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """Give a function that says what `squeue` does from now on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(slurm_polling, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(slurm_polling, "WAITED_S", 0.0)

    def play(script):
        (tmp_path / "squeue").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "squeue").chmod(0o755)

    return play


def ask(watch, command=COMMAND):
    return asyncio.run(watch.ask(command, logging.getLogger()))[0]


def test_states_are_those_that_squeue_gives(watch, squeue):
    squeue('echo "$@" > asked; echo "11|RUNNING|None"; echo "12|PENDING|Priority"; echo "7|COMPLETED|None"')
    assert ask(watch) == {"11": "RUNNING", "12": "PENDING", "7": "COMPLETED"}
    assert shlex.split(Path("asked").read_text()) == shlex.split(COMMAND.replace("%T", "%T|%r"))[1:]
    assert watch.executor.said == []


@pytest.mark.parametrize("silence", ["echo 'slurm_load_jobs error: Connection refused' >&2; exit 1", "exec sleep 60"])
def test_silence_is_waited_for_and_said(watch, squeue, monkeypatch, silence):
    monkeypatch.setattr(slurm_polling, "ANSWER_S", 0.5)
    squeue(f"echo >> asked; [ $(wc -l < asked) -gt 7 ] || {{ {silence}; }}; echo '11|RUNNING|None'; echo '12|FAILED|x'")
    assert ask(watch) == {"11": "RUNNING", "12": "FAILED"}
    assert len(watch.executor.said) >= 7  # more where the machine is busy
    assert all(said.startswith("squeue does not answer: ") for said in watch.executor.said)


def test_a_run_that_is_given_up_waits_no_longer(watch, squeue):
    squeue("exit 1")
    watch.ending.set()
    assert ask(watch) == {}


def test_a_job_that_slurm_does_not_know_three_times_has_failed(watch, squeue):
    squeue("echo '11|RUNNING|None'")
    assert [ask(watch) for _ in range(2)] == [{"11": "RUNNING"}] * 2
    squeue("echo '11|RUNNING|None'; echo '12|RUNNING|None'")  # there again: counted anew
    assert ask(watch) == {"11": "RUNNING", "12": "RUNNING"}
    squeue("echo '11|RUNNING|None'")
    assert [ask(watch).get("12") for _ in range(3)] == [None, None, "FAILED"]
    assert watch.executor.said == ["SLURM does not know job 12 any more (squeue --states=all): counted as failed"]


def test_sacct_which_learns_of_jobs_late_says_nothing_of_their_end(watch, squeue, tmp_path):
    squeue("echo '11|RUNNING'")
    (tmp_path / "squeue").rename(tmp_path / "sacct")
    assert [ask(watch, "sacct --format=x") for _ in range(5)] == [{"11": "RUNNING"}] * 5


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (["1", "PENDING", "Priority"], ""),
        (["1", "PENDING", "Resources"], ""),
        (["1", "PENDING", "BeginTime"], ""),
        (["1", "RUNNING", "None"], ""),
        (["1", "COMPLETED", "JobHeldAdmin"], ""),
        (["1", "PENDING"], ""),
        (["1", "SUSPENDED", "None"], "suspended"),
        (["1", "PENDING", "JobHeldAdmin"], "JobHeldAdmin"),
    ],
)
def test_what_is_an_ordinary_wait_is_known(row, reason):
    assert stuck_for(row) == ("1", reason)


@pytest.mark.parametrize(
    ("reason", "words"),  # reasons as SLURM 22.05 printed them
    [
        ("JobHeldAdmin", "ask the administrators"),
        ("JobHeldUser", "scontrol release 1,2"),
        ("launch failed requeued held", "scontrol release 1,2"),
        ("ReqNodeNotAvail, UnavailableNodes:gpu[1-2]", "sinfo -R"),
        ("Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions", "sinfo -R"),
        ("PartitionDown", "sinfo -R"),
        ("PartitionTimeLimit", "never start"),
        ("QOSMaxWallDurationPerJobLimit", "never start"),
        ("AssocGrpGRES", "a limit of your account"),
        ("QOSMaxJobsPerUserLimit", "a limit of your account"),
        ("suspended", "resume"),
        ("something new", "scontrol show job 1,2"),
    ],
)
def test_each_reason_has_a_hint(reason, words):
    assert words in hint(reason, ["1", "2"])


def test_a_wait_is_said_after_a_while_and_not_with_each_question(watch, squeue, monkeypatch):
    monkeypatch.setattr(slurm_polling, "WAITED_S", 3600.0)
    squeue("echo '11|PENDING|JobHeldAdmin'; echo '12|PENDING|JobHeldAdmin'; echo '99|PENDING|JobHeldUser'")
    ask(watch)
    assert watch.executor.said == []
    watch.since = dict.fromkeys(watch.since, watch.since["11"] - 7200)
    for _ in range(3):
        ask(watch)
    (said,) = watch.executor.said
    assert said.startswith("jobs 11, 12 of SLURM cannot run now, for 120 min: JobHeldAdmin\nhint: ask the admin")
    squeue("echo '11|RUNNING|None'; echo '12|PENDING|JobHeldAdmin'")
    ask(watch)
    assert set(watch.since) == {"12"}


def test_how_long_slurm_remembers_jobs_is_kept_while_it_does_not_say(watch):
    answers = iter([None, 300, None])
    age = watch.remembered(lambda: next(answers))
    assert [age() for _ in range(3)] == [float("inf"), 300, 300]


def test_jobs_that_are_being_asked_about_are_cancelled_too(jobs):
    executor, plugin = Executor(), SimpleNamespace(get_min_job_age=lambda: 300)
    poll_patiently(executor, plugin, Event())

    async def check():
        return [job async for job in executor.check_active_jobs(jobs)]

    assert asyncio.run(check()) == jobs
    executor.active_jobs = jobs[:1]
    executor.cancel()
    assert executor.cancelled == ["11", "12"]


@pytest.mark.parametrize(
    ("text", "is_said"),
    [
        ("/spool/slurm_script: 4: /a venv/bin/python: not found", True),
        ("/bin/bash: line 1: /v/bin/python3.11: No such file or directory", True),
        ("/v/bin/python: No module named snakemake", True),
        ("ModuleNotFoundError: No module named 'snakemake'", True),
        ("bash: /v/bin/python: cannot execute binary file: Exec format error", True),
        ("error: there is no results/cut/x\nhint: check the path", False),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'x.json'", False),
    ],
)
def test_a_node_without_this_python_is_said_once(jobs, tmp_path, text, is_said):
    executor = Executor()
    poll_patiently(executor, SimpleNamespace(get_min_job_age=None), Event())
    (tmp_path / "1.log").write_text(f"before\n{text}\nafter\n")
    for job in jobs:
        job.aux = {"slurm_logfile": tmp_path / "1.log"}
        executor.report_job_error(job, msg="failed")
    executor.report_job_error(SimpleNamespace(external_jobid="13", aux=None), msg="no log")
    assert executor.failed == ["11", "12", "13"]
    assert len(executor.said) == is_said
    assert not is_said or f": {text}\nhint: " in executor.said[0]

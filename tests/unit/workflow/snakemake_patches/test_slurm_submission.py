"""A refusal for a while costs no job, one for ever is told at once, and no job is submitted twice."""

import re
import subprocess
from contextlib import nullcontext
from threading import Event
from types import SimpleNamespace

import pytest

from ripeness.workflow.snakemake_patches import slurm_submission
from ripeness.workflow.snakemake_patches.slurm_submission import Submission, be_patient, is_for_a_while, with_mark

POLICY = "Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size"
POLICY += " and/or time limits)"
FOR_A_WHILE = [
    "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: " + POLICY,
    "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: " + POLICY,
    "sbatch: error: AssocGrpSubmitJobsLimit\nsbatch: error: " + POLICY,
    "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
    "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
    "sbatch: error: slurm_receive_msg: Zero Bytes were transmitted or received",
    "sbatch: error: Batch job submission failed: Resource temporarily unavailable",
    "sbatch: error: Batch job submission failed: Slurm backup controller in standby mode",
    "sbatch: error: Batch job submission failed: Protocol authentication error",
    "sbatch: error: Munge encode failed: Failed to access socket (retrying ...)\nsbatch: error: Batch job submission "
    "failed: Protocol authentication error",
    "sbatch: error: Munge decode failed: Rewound credential\nsbatch: error: authentication: Invalid authentication "
    "credential",
    "sbatch: error: Batch job submission failed: I/O error writing script/environment to file",
    "sbatch: error: Batch job submission failed: Required partition not available (inactive or drain)",
    "sbatch: error: fetch_config: DNS SRV lookup failed\nsbatch: fatal: Could not establish a configuration source",
    "sbatch: error: get_addr_info: getaddrinfo() failed: Temporary failure in name resolution",
    "sbatch: error: slurm_persist_conn_open_without_init: failed to open persistent connection: No route to host",
    "sbatch: error: slurm_receive_msg: Network is unreachable",
    "[Errno 11] Resource temporarily unavailable",
    "[Errno 12] Cannot allocate memory",
    "sh: 0: Cannot fork",
]
FOR_EVER = [
    "sbatch: error: QOSMaxWallDurationPerJobLimit\nsbatch: error: " + POLICY,
    "sbatch: error: AssocMaxGRESPerJob\nsbatch: error: " + POLICY,
    "sbatch: error: QOSMaxCpuPerUserLimit\nsbatch: error: " + POLICY,
    "sbatch: error: invalid partition specified: gpus",
    "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified",
    "sbatch: error: Batch job submission failed: Requested node configuration is not available",
    "sh: 1: sbatch: not found",
    "[Errno 2] No such file or directory: '/bin/sh'",
    "sbatch: error: Batch job submission failed: Invalid qos specification",
    "sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)",
    "sbatch: error: Memory specification can not be satisfied",
    "sbatch: error: Batch job submission failed: User's group not permitted to use this partition",
    "sbatch: error: Batch job submission failed: Requested reservation is invalid",
    "sbatch: error: Unable to open file run.sh",
    "",
]
CALL = "sbatch --parsable --job-name run1 --comment 'rule_train_model_wildcards_it'\"'\"'s' -p gpu --wrap=\"true\""


@pytest.mark.parametrize("said", FOR_A_WHILE)
def test_what_changes_while_one_waits_is_known(said):
    assert is_for_a_while(said, lambda: 0)


@pytest.mark.parametrize("said", FOR_EVER)
def test_what_no_waiting_changes_is_known(said):
    assert not is_for_a_while(said, lambda: 7)


@pytest.mark.parametrize(("n_queued", "expected"), [(0, False), (3, True), (None, True)])
def test_where_no_reason_is_given_jobs_in_the_queue_may_be_it(n_queued, expected):
    assert is_for_a_while("sbatch: error: " + POLICY, lambda: n_queued) == expected


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Give a folder with an `sbatch` that says what the files `said.N` hold and then takes jobs, and their `squeue`."""
    programs = {
        "sbatch": """#!/bin/sh
echo "$@" >> calls
n=$(wc -l < calls)
comment=$(echo "$@" | sed 's/.*--comment \\(.*\\) -p gpu.*/\\1/')
if [ -e said.$n ]; then
    [ -e taken.$n ] && echo "$((100 + n)) $comment" >> queue
    cat said.$n >&2
    exit 1
fi
echo "$((100 + n)) $comment" >> queue
echo $((100 + n))
""",
        "squeue": """#!/bin/sh
echo "$@" >> asked
[ -e silent ] && { rm silent; echo "slurm_load_jobs error: Socket timed out" >&2; exit 1; }
cat queue 2>/dev/null || true
""",
    }
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(slurm_submission, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(slurm_submission, "MOST_WAIT_S", 0.02)
    return tmp_path


def submit(ending=None):
    options = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | {"shell": True, "text": True}
    submission = Submission(CALL, options, ending or Event())
    return submission, *submission.communicate(input=None)


def n_calls(slurm):
    return len((slurm / "calls").read_text().splitlines())


def test_a_job_that_is_taken_at_once_is_asked_for_once(slurm):
    submission, out, _ = submit()
    assert (submission.returncode, out, n_calls(slurm)) == (0, "101\n", 1)
    assert not (slurm / "asked").exists()
    assert "rule_train_model_wildcards_it's " + submission.mark in (slurm / "calls").read_text()


def test_a_refusal_for_a_while_is_waited_for(slurm, capsys):
    for n, said in enumerate(FOR_A_WHILE[:4], start=1):
        (slurm / f"said.{n}").write_text(said)
    submission, out, _ = submit()
    assert (submission.returncode, out, n_calls(slurm)) == (0, "105\n", 5)
    said = capsys.readouterr().err
    assert len(re.findall(r"^not submitted yet: sbatch: error: .*; again in \d+ s$", said, re.MULTILINE)) == 4


def test_a_system_that_starts_no_further_process_is_waited_for(slurm, monkeypatch):
    start = subprocess.Popen
    refused = [BlockingIOError(11, "Resource temporarily unavailable"), OSError(12, "Cannot allocate memory")]

    def popen(*arguments, **options):
        if refused and str(arguments[0]).startswith("sbatch"):
            raise refused.pop()
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    submission, out, _ = submit()
    assert (submission.returncode, out, n_calls(slurm)) == (0, "101\n", 1) and not refused


def test_a_permanent_refusal_is_reported_at_once(slurm):
    (slurm / "said.1").write_text(FOR_EVER[0])
    submission, _, said = submit()
    assert submission.returncode == 1 and said == FOR_EVER[0] and n_calls(slurm) == 1


@pytest.mark.parametrize("is_silent", [False, True])
def test_a_job_that_was_taken_though_the_answer_was_lost_is_not_submitted_again(slurm, is_silent):
    (slurm / "said.1").write_text(FOR_A_WHILE[4])
    (slurm / "taken.1").touch()
    if is_silent:  # and `squeue` does not answer at first
        (slurm / "silent").touch()
    submission, out, _ = submit()
    assert (submission.returncode, out, n_calls(slurm)) == (0, "101\n", 1)


def test_a_job_that_was_not_taken_is_submitted_again(slurm):
    (slurm / "said.1").write_text(FOR_A_WHILE[4])
    (slurm / "queue").write_text("77 another job 12345678\n")
    submission, out, _ = submit()
    assert (submission.returncode, out, n_calls(slurm)) == (0, "102\n", 2)


def test_patience_ends(slurm, monkeypatch):
    for n in range(1, 100):
        (slurm / f"said.{n}").write_text(FOR_A_WHILE[0])
    monkeypatch.setattr(slurm_submission, "PATIENCE_S", 0.0)
    submission, _, said = submit()
    assert submission.returncode == 1 and said == FOR_A_WHILE[0]


def test_a_workflow_that_is_given_up_submits_nothing_more(slurm):
    ending = Event()
    ending.set()
    submission, _, said = submit(ending)
    assert submission.returncode == 1 and "given up" in said and not (slurm / "calls").exists()


def test_each_submission_has_a_mark_of_its_own_and_a_call_without_comment_none():
    one, two = with_mark(CALL), with_mark(CALL)
    assert one[1] != two[1] and one[0].replace(one[1], two[1]) == two[0]
    assert with_mark("sbatch --comment rule_all -p x")[0].startswith("sbatch --comment 'rule_all ")
    assert with_mark("sbatch -p x") == ("sbatch -p x", "")


def test_the_plugin_of_this_version_submits_by_it(monkeypatch):
    plugin = pytest.importorskip(slurm_submission.PLUGIN)
    for name in ("subprocess", "query_job_status", "get_min_job_age"):
        monkeypatch.setattr(plugin, name, getattr(plugin, name))  # as they were afterwards
    ended = []

    class Executor:
        __module__ = slurm_submission.PLUGIN
        lock, active_jobs, check_active_jobs, report_job_error = nullcontext(), [], None, None

        def cancel(self):
            ended.append("cancel")

        def shutdown(self):
            ended.append("shutdown")

    executor = Executor()
    be_patient(SimpleNamespace(_executor=executor))
    submission = plugin.subprocess.Popen(CALL, shell=True)
    assert isinstance(submission, Submission) and not submission.ending.is_set()
    assert plugin.subprocess.Popen(["true"]).wait() == 0 and plugin.subprocess.PIPE is subprocess.PIPE
    executor.cancel()
    assert submission.ending.is_set() and ended == ["cancel"]
    monkeypatch.setattr(plugin, "subprocess", subprocess)
    be_patient(SimpleNamespace(_executor=SimpleNamespace()))  # another executor
    assert plugin.subprocess is subprocess

"""What befalls a live cluster while Snakemake waits for its jobs: nothing is lost, nothing hangs without a word."""

import os
import re
import shlex
import signal
import subprocess
import sys

import pytest
from waiting import HANG_SECONDS, wait_for

pytestmark = pytest.mark.slow
LOST_SECONDS = HANG_SECONDS / 6  # after which a signal is sent again


@pytest.mark.release
def test_jobs_outlive_a_controller_that_goes_and_comes_back(workflow, cluster):
    workflow.start()
    workflow.wait_started()
    cluster.stop_controller()
    workflow.wait_said("squeue does not answer: ")
    (workflow.folder / "may").touch()
    wait_for((workflow.folder / "grown").exists)
    workflow.wait_said("asking again in 4 s")  # longer than the plugin asks before it forgets its jobs
    cluster.start()
    assert workflow.end() == 0, workflow.said
    assert workflow.said.count("SLURM jobid") == 1 and "Falling back" not in workflow.said


@pytest.mark.release
def test_a_job_that_slurm_has_forgotten_is_submitted_again(workflow, cluster):
    workflow.start()
    workflow.wait_started()
    first = workflow.job
    cluster.stop_controller()
    cluster.spawn("slurmctld", ["slurmctld", "-D", "-c"])  # without what it knew
    cluster.start()
    workflow.wait_said(f"SLURM does not know job {first} any more")
    assert workflow.end() == 0, workflow.said
    assert workflow.said.count("SLURM jobid") == 2


def test_why_a_job_cannot_run_is_said_and_then_it_runs(workflow, cluster):
    cluster.ask("scontrol", "update", "NodeName=cpu[1-2]", "State=drain", "Reason=test")
    try:
        workflow.start()
        workflow.wait_said("hint: sinfo -R says since when and why")
        cluster.ask("scontrol", "hold", workflow.job)
        workflow.wait_said("min: JobHeldAdmin\nhint: ask the administrators")
    finally:
        cluster.ask("scontrol", "update", "NodeName=cpu[1-2]", "State=resume")
    assert f"job {workflow.job} of SLURM cannot run now, for " in workflow.said
    cluster.ask("scontrol", "release", workflow.job)
    assert workflow.end() == 0, workflow.said
    assert workflow.said.count("SLURM jobid") == 1


def test_what_is_cancelled_leaves_no_process(workflow, cluster):
    workflow.start()
    workflow.wait_started()
    os.kill(workflow.process.pid, signal.SIGINT)
    try:
        assert workflow.process.wait(LOST_SECONDS) == 1
    except subprocess.TimeoutExpired:  # seen once: Python drops an exception of a signal in a callback
        os.kill(workflow.process.pid, signal.SIGINT)
        assert workflow.process.wait(HANG_SECONDS) == 1
    wait_for(lambda: not workflow.at_work())
    wait_for(lambda: {job["state"] for job in cluster.jobs() if job["id"] == workflow.job} == {"CANCELLED"})


def test_a_python_that_is_not_on_the_node_is_said(workflow, cluster, tmp_path):
    python = tmp_path / "a venv" / "bin" / "python"
    (tmp_path / "a venv").symlink_to(sys.prefix)
    cluster.ask("scontrol", "update", "NodeName=cpu[1-2]", "State=drain", "Reason=test")
    workflow.start(python)
    (tmp_path / "a venv").unlink()
    (tmp_path / "a venv").mkdir()
    cluster.ask("scontrol", "update", "NodeName=cpu[1-2]", "State=resume")
    assert workflow.end() == 1
    said = (
        f"a node cannot start the Python of this run: .*{python}: not found\nhint: {python.parents[1]} and the Python"
    )
    assert len(re.findall(said, workflow.said)) == 1, workflow.said


@pytest.mark.release
@pytest.mark.parametrize("where", ["to all", "where Snakemake runs"])
def test_files_that_show_up_late_are_waited_for(workflow, cluster, where):
    folder, later = (
        shlex.quote(str(workflow.folder)),
        "setsid sh -c 'sleep 30; mv hidden grown' >/dev/null 2>&1 </dev/null &",
    )
    on_node, at_end = f"touch hidden; {later}", ""
    if where == "where Snakemake runs":
        on_node, at_end = "touch grown", f"cd {folder} && mv grown hidden && {later}\n"
    snakefile, profile = workflow.folder / "Snakefile", workflow.folder / "slurm" / "config.yaml"
    snakefile.write_text(re.sub(r"shell: .*", f'shell: "{on_node}"', snakefile.read_text()))
    profile.write_text(profile.read_text().replace("latency-wait: 5", "latency-wait: 60"))  # as shipped
    with cluster.when_a_job_ends(at_end):
        workflow.start()
        wait_for((workflow.folder / "hidden").exists)
        assert workflow.process.wait(HANG_SECONDS) == 0, workflow.said
    assert "Waiting at most 60 seconds for missing files:" in workflow.said or where == "to all"
    assert workflow.said.count("SLURM jobid") == 1 and (workflow.folder / "grown").exists()

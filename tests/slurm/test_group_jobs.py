"""A job of several cells that is cancelled while a training is at work there: none of its processes is left."""

import os
import signal

import pytest
from cluster_study import ClusterStudy
from waiting import HANG_SECONDS, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.release]


@pytest.fixture
def training(tmp_path, cluster):
    """Give a study, its Snakemake, and the number of the group job in which a training is at work."""
    study = ClusterStudy(tmp_path / "a study", cluster)
    process = study.start()
    wait_for(
        lambda: process.poll() is not None or any("train_model.py" in line for line in study.at_work(process).values()),
        HANG_SECONDS,
        pause=0.01,
    )
    assert process.returncode is None, study.said()
    (job,) = [job["id"] for job in cluster.jobs() if job["state"] == "RUNNING" and "cell" in job["comment"]]
    yield study, process, job
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    cluster.ask("scancel", "--user=root")
    wait_for(lambda: not study.at_work(process))


def state_of(cluster, number):
    return {job["state"] for job in cluster.jobs() if job["id"] == number}


def test_a_group_job_whose_run_is_interrupted_leaves_no_process(training, cluster):
    study, process, job = training
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(HANG_SECONDS) == 1
    wait_for(lambda: state_of(cluster, job) == {"CANCELLED"})
    wait_for(lambda: not study.at_work(process))
    assert not cluster.steps(job)


def test_a_group_job_that_is_cancelled_from_outside_leaves_no_process_and_runs_again(training, cluster):
    study, process, job = training
    first = set(study.at_work(process))
    cluster.ask("scancel", job)
    wait_for(lambda: state_of(cluster, job) == {"CANCELLED"})
    wait_for(lambda: not first & set(study.at_work(process)))
    assert not cluster.steps(job)
    assert process.wait(HANG_SECONDS) == 0, study.said()
    assert len(study.submitted()) > len(set(study.submitted()) - {job}) and not study.models()

"""`snakemake --profile slurm` on a live cluster: the same files as a local run, in few jobs, and nothing lost.

One study, one kill, a handful of SLURM jobs: each costs seconds.
"""

import os
import re
import signal
import statistics
import subprocess
import sys

import pytest
from cluster_study import ClusterStudy
from waiting import HANG_SECONDS, wait_for

from ripeness.workflow.snakemake_patches.warm import start as warm

pytestmark = [pytest.mark.slow, pytest.mark.release]


@pytest.fixture(scope="module")
def expected(tmp_path_factory, cluster):
    """Digests of the study's results as a local run makes them."""
    study = ClusterStudy(tmp_path_factory.mktemp("local") / "study", cluster)
    run = study.snakemake()
    assert run.returncode == 0, run.stdout + run.stderr
    return study.digests()


@pytest.fixture(scope="module")
def finished(tmp_path_factory, cluster):
    """Give the study after a run on the cluster whose Snakemake was killed while cells were at work, and resumed."""
    study = ClusterStudy(tmp_path_factory.mktemp("cluster") / "a study", cluster)
    process = study.start()
    wait_for(
        lambda: (
            process.poll() is not None
            or any(job["state"] == "RUNNING" and "cell" in job["comment"] for job in cluster.jobs())
        ),
        HANG_SECONDS,
    )
    assert process.returncode is None, study.said()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    study.left = [job["id"] for job in cluster.jobs() if job["state"] in ("RUNNING", "PENDING")]
    study.resume()
    return study


def test_results_are_those_of_a_local_run_byte_by_byte(finished, expected):
    assert finished.digests() == expected


def test_cells_share_one_job_on_a_gpu_and_cheap_rules_stay_on_the_login_node(finished, cluster):
    jobs = {job["id"]: job for job in cluster.jobs()}
    jobs = [jobs[number] for number in finished.submitted()]
    assert all(job["partition"] == "gpu" and job["state"] == "COMPLETED" for job in jobs)
    (cells,) = [job for job in jobs if "cell" in job["comment"]]
    assert all(name in cells["comment"] for name in ("train_model", "predict", "score"))
    # SLURM shows a job that it was given a GPU, here one of the null devices
    for log in (finished.folder / "results/cut/logs/train_model").rglob("*.log"):
        assert re.search(r"device: cpu, CUDA_VISIBLE_DEVICES=[01]$", log.read_text(), re.MULTILINE)


def test_few_tuned_models_exist_at_any_time_and_none_in_the_end(finished):
    assert 1 <= finished.together.most <= 1 + 2  # one job of four cells
    assert not finished.models()
    assert {path.name for path in finished.scratch.iterdir()} <= {"gpu1", "gpu2"}


def test_members_of_a_group_start_warm(finished):
    usage = [used for rule in ("train_model", "predict", "score") for used in finished.usage(rule)]
    assert len(usage) > 5
    imports = f"import {', '.join(warm.MODELS)}, time; print(time.process_time())"
    plain = float(subprocess.run([sys.executable, "-c", imports], check=True, capture_output=True).stdout)
    # CPU seconds of this machine now; half is far from both: 0.1 of them warm, and more than the imports otherwise
    assert statistics.median(used["startup_cpu_s"] for used in usage) < plain / 2


def test_jobs_that_a_killed_snakemake_left_are_ended_so_that_no_two_write_one_file(finished, cluster):
    states = {job["id"]: job["state"] for job in cluster.jobs()}
    assert finished.left
    assert all(states[number] == "CANCELLED" for number in finished.left)

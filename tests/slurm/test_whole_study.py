"""A small study that four faults befall, one after the other, ends with the files of an undisturbed one."""

import os
import signal

import pytest
from cluster_study import ClusterStudy
from waiting import HANG_SECONDS, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.release]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, cluster):
    """Digests of the study's results as a local run makes them."""
    study = ClusterStudy(tmp_path_factory.mktemp("local") / "study", cluster)
    run = study.snakemake()
    assert run.returncode == 0, run.stdout + run.stderr
    return study.contents()


class Faults:
    """What is done to a study's jobs while its Snakemake waits for them."""

    def __init__(self, study, cluster):
        self.study, self.cluster = study, cluster
        self.process = study.start()

    def wait(self, is_so):
        """Wait for something to be so while Snakemake is at work."""
        wait_for(lambda: self.process.poll() is not None or is_so(), HANG_SECONDS)
        assert self.process.returncode is None, self.study.said()

    def jobs(self, state):
        return [
            job["id"] for job in self.cluster.jobs() if job["state"] == state and job["id"] in self.study.submitted()
        ]

    def restart_the_controller(self):
        """Have the controller away until Snakemake has noticed it."""
        self.wait(lambda: self.jobs("RUNNING"))
        self.cluster.stop_controller()
        self.wait(lambda: "squeue does not answer: " in self.study.said())
        self.cluster.start()

    def drain_and_hold(self):
        """Drain all nodes, hold the job that then waits, put the nodes back, and release the job later."""
        self.cluster.ask("scontrol", "update", "NodeName=gpu[1-2]", "State=drain", "Reason=test")
        try:
            self.wait(lambda: self.jobs("PENDING"))
            held = self.jobs("PENDING")[0]
            self.cluster.ask("scontrol", "hold", held)
        finally:
            self.cluster.ask("scontrol", "update", "NodeName=gpu[1-2]", "State=resume")
        self.wait(lambda: f"job {held} of SLURM cannot run now, for " in self.study.said())
        self.cluster.ask("scontrol", "release", held)
        self.wait(lambda: held not in self.jobs("PENDING"))

    def kill_a_training(self):
        """Kill a training of a group job, as a node without memory would."""
        found = {}
        self.wait(lambda: found.update(self.trainings()) or found)
        os.kill(next(iter(found)), signal.SIGKILL)
        return found

    def trainings(self):
        return {pid: line for pid, line in self.study.at_work(self.process).items() if "train_model.py" in line}


def test_a_study_under_four_faults_equals_the_undisturbed_one_file_by_file(undisturbed, tmp_path, cluster):
    study = ClusterStudy(tmp_path / "a study", cluster)
    faults = Faults(study, cluster)
    try:
        faults.restart_the_controller()
        faults.drain_and_hold()
        faults.kill_a_training()
        assert faults.process.wait(HANG_SECONDS) == 0, study.said()
    finally:
        if faults.process.poll() is None:
            os.killpg(faults.process.pid, signal.SIGKILL)
            faults.process.wait()
            cluster.ask("scancel", "--user=root")
    assert "Error in rule train_model" in study.said() or "Error in group" in study.said()
    assert study.contents() == undisturbed
    wait_for(lambda: not study.at_work(faults.process))

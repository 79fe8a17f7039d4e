"""What befalls a live cluster while Snakemake waits for its jobs: nothing is lost, nothing hangs without a word.

The workflow is one job or two; whoever waits for minutes in use waits for a second here.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cluster import Cluster
from waiting import HANG_SECONDS, wait_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SNAKEFILE = f"""
import asyncio, sys
sys.path.insert(0, {str(ROOT / "scripts")!r})
from ripeness.workflow.snakemake_patches import slurm_polling, slurm_submission
slurm_polling.ANSWER_S, slurm_polling.FIRST_PAUSE_S, slurm_polling.WAITED_S = 3.0, 1.0, 1.0
slurm_submission.FIRST_WAIT_S = 1.0
slurm_submission.quote_python()

onstart:
    slurm_submission.be_patient(workflow.scheduler)
    workflow.scheduler._executor.sleep = lambda: asyncio.sleep(1)

rule all:
    input: "grown"

rule grow:
    output: "grown"
    shell: "touch started; while [ ! -e may ]; do sleep 0.1; done; echo $SLURM_JOB_ID > grown"
"""
SHORTER = {
    "default-resources": {"slurm_partition": "cpu", "slurm_account": "none", "mem_mb": 500, "runtime": 10},
    "slurm-no-account": True,
    "slurm-init-seconds-before-status-checks": 2,
    "latency-wait": 5,
    "retries": 1,
}


class Workflow:
    """A workflow of one job, which ends once the file `may` is there, with the profile as shipped."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder, self.cluster = folder, cluster
        (folder / "slurm").mkdir(parents=True)
        (folder / "Snakefile").write_text(SNAKEFILE)
        profile = yaml.safe_load((ROOT / "slurm" / "config.yaml").read_text()) | SHORTER
        del profile["groups"], profile["group-components"]
        (folder / "slurm" / "config.yaml").write_text(yaml.safe_dump(profile))
        self.process: subprocess.Popen | None = None

    def start(self, python: Path = Path(sys.executable), **environment: str) -> None:
        """Start Snakemake, and wait until its job is in the queue."""
        with (self.folder / "said.txt").open("w") as said:
            self.process = subprocess.Popen(
                [python, "-m", "snakemake", "--profile", "slurm"], cwd=self.folder, stdout=said, stderr=said,
                env=self.cluster.environment | environment, start_new_session=True,
            )  # fmt: skip
        wait_for(lambda: self.process.poll() is not None or self.job)
        assert self.job, self.said

    @property
    def said(self) -> str:
        return (self.folder / "said.txt").read_text()

    @property
    def job(self) -> str:
        """Number of the last job that was submitted; nothing before."""
        return self.said.rpartition("SLURM jobid ")[2].split()[0] if "SLURM jobid " in self.said else ""

    def wait_said(self, text: str) -> None:
        """Wait until Snakemake has said a text."""
        wait_for(lambda: text in self.said or self.process.poll() is not None)
        assert text in self.said, self.said

    def at_work(self) -> list[int]:
        """Processes of the job: all that work in the folder but Snakemake and what it asks SLURM with."""
        return [pid for pid in processes_in(self.folder) if session_of(pid) not in (0, self.process.pid)]

    def wait_started(self) -> None:
        """Wait until the job is at work."""
        wait_for((self.folder / "started").exists)

    def end(self) -> int:
        """Let the job end, and give Snakemake's status."""
        (self.folder / "may").touch()
        return self.process.wait(HANG_SECONDS)


def session_of(pid: int) -> int:
    """The session of a process; 0 where it has gone by now."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def processes_in(folder: Path) -> list[int]:
    """Processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone by now
            if Path(os.readlink(process / "cwd")) == folder:
                found.append(int(process.name))
    return found


@pytest.fixture
def workflow(tmp_path, cluster):
    workflow = Workflow(tmp_path / "a study", cluster)
    yield workflow
    if workflow.process and workflow.process.poll() is None:
        os.killpg(workflow.process.pid, signal.SIGKILL)
        workflow.process.wait()
    cluster.ask("scancel", "--user=root")


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


def test_files_that_show_up_late_are_waited_for(workflow):
    late = "cp seed hidden; setsid sh -c 'sleep 10; mv hidden grown' >/dev/null 2>&1 &"
    snakefile, profile = workflow.folder / "Snakefile", workflow.folder / "slurm" / "config.yaml"
    snakefile.write_text(re.sub(r"shell: .*", f'shell: "touch seed; {late}"', snakefile.read_text()))
    profile.write_text(profile.read_text().replace("latency-wait: 5", "latency-wait: 60"))  # as shipped
    workflow.start()
    assert workflow.process.wait(HANG_SECONDS) == 0, workflow.said
    assert workflow.said.count("SLURM jobid") == 1

"""A workflow of one job on the tests' cluster, in which whoever waits for minutes in use waits for a second."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import yaml
from cluster import Cluster
from waiting import HANG_SECONDS, wait_for

ROOT = Path(__file__).parents[2]
SNAKEFILE = f"""
import asyncio, sys
sys.path.insert(0, {str(ROOT / "scripts")!r})
from ripeness.workflow.snakemake_patches import prompt_end, slurm_polling, slurm_submission, superseded_jobs
slurm_polling.ANSWER_S, slurm_polling.FIRST_PAUSE_S, slurm_polling.WAITED_S = 3.0, 1.0, 1.0
slurm_submission.FIRST_WAIT_S = 1.0
slurm_submission.quote_python()
superseded_jobs.CHECK_S = 1.0
superseded_jobs.guard_against_another(workflow, None)
prompt_end.end_promptly(workflow, None)

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

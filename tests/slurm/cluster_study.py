"""A copy of the project with a small study that runs on the tests' cluster, as a user starts and resumes it."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml
from cluster import Cluster, title
from cut_study import Study
from one_job import processes_in, session_of
from waiting import HANG_SECONDS, Together, files_below, wait_for

ROOT = Path(__file__).parents[2]
SITE = {  # what a user edits, and what makes waiting short
    "slurm-no-account": True,
    "slurm-init-seconds-before-status-checks": 2,
    "latency-wait": 5,
}

TIMED = {"report.html", "provenance.json"}
NOTES = {"keys.jsonl", "code.jsonl"}  # lines in the order in which jobs end, with the sizes of files that tell times


class ClusterStudy(Study):
    """A copy of the project with a small study that runs on the cluster.

    `left`: the jobs that a kill left behind; `together`: tuned models that were there at one time.
    """

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        super().__init__(folder)
        self.cluster, self.left, self.together = cluster, [], Together()
        self.scratch = cluster.folder / "scratch"
        config = self.config()
        config["series"]["nursery"]["checkpoints"] = [{"step": 0}]
        config["formats"] = ["default"]
        config["datasets"] = {"nursery-sentiment": {}}
        config["suites"]["transfer"]["datasets"] = ["nursery-summary"]
        self.write(config)
        scratch = {"config": [f"scratch={self.scratch}/$SLURMD_NODENAME"]}  # a folder of each node
        profile = yaml.safe_load((ROOT / "slurm" / "config.yaml").read_text())
        (self.folder / "slurm").mkdir()
        (self.folder / "slurm" / "config.yaml").write_text(yaml.safe_dump(profile | SITE | scratch))

    def start(self, *options: str) -> subprocess.Popen:
        """Start Snakemake as a user on the login node does, by a path with a space."""
        python = self.cluster.folder / "a venv" / "bin" / "python"
        path = f"{python.parent}:{self.cluster.environment['PATH']}"
        command = [str(python), "-m", "snakemake", "--profile", "slurm", "--configfile", "cut.yaml", *options]
        with (self.folder / "said.txt").open("w") as said:
            return subprocess.Popen(
                command, cwd=self.folder, env=self.cluster.environment | {"PATH": path}, stdout=said, stderr=said,
                start_new_session=True,
            )  # fmt: skip

    def resume(self) -> None:
        """What `make resume` does."""
        command = [sys.executable, str(self.folder / "scripts" / "cancel_jobs.py")]
        subprocess.run(command, cwd=self.folder, env=self.cluster.environment, check=True)
        assert self.start("--unlock").wait(timeout=HANG_SECONDS) == 0, self.said()
        process = self.start()
        wait_for(lambda: self.together.look(self.models()) or process.poll() is not None, HANG_SECONDS)
        assert process.returncode == 0, self.said()

    def models(self) -> set[Path]:
        """Tuned models on the scratch of all nodes, and in the study's folder."""
        folders = (self.scratch, self.folder / "results/cut/cells")
        weights = [path for folder in folders for path in files_below(folder, "*.safetensors")]
        return {path for path in weights if not path.is_symlink()}

    def said(self) -> str:
        return (self.folder / "said.txt").read_text()

    def submitted(self) -> list[str]:
        """Numbers of the SLURM jobs that the last run submitted."""
        return re.findall(r"SLURM jobid (\d+)", self.said())

    def at_work(self, process: subprocess.Popen) -> dict[int, str]:
        """Processes of its jobs on the nodes with their command lines; `process`: Snakemake, whose own are left out."""
        own = (0, os.getsid(0), process.pid)
        return {pid: title(pid) for pid in processes_in(self.folder) if session_of(pid) not in own}

    def contents(self) -> dict[str, str]:
        """Digests of all files that the study has left but its logs; of those that tell times, that they are there."""
        folder = self.folder / "results/cut"
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "logs" not in path.parts]
        return {str(path.relative_to(folder)): "" if path.name in TIMED else digest_of(path) for path in files}

    def usage(self, rule: str) -> list[dict]:
        return [yaml.safe_load(path.read_text()) for path in (self.folder / f"results/cut/logs/{rule}").rglob("*.json")]


def digest_of(path: Path) -> str:
    """Digest of a file's content; of notes, of what they say in any order."""
    content = path.read_bytes()
    if path.name in NOTES:
        notes = [json.loads(line) for line in content.splitlines()]
        said = {json.dumps(note | {"outputs": sorted(note.get("outputs", []))}, sort_keys=True) for note in notes}
        content = "\n".join(sorted(said)).encode()
    return hashlib.sha256(content).hexdigest()

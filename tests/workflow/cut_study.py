"""The study of cut.yaml in a folder of its own: written, run, planned, compared."""

import hashlib
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl
import yaml
from project import ENVIRONMENT, copy_project
from waiting import HANG_SECONDS

from ripeness.tables.columns import USED

CUT = Path(__file__).parent / "cut.yaml"
GPU_RULES = {"pretrain_state", "pretrain_checkpoint", "train_model", "predict"}
# of three checkpoints x two datasets x two formats, one seed
TUNED, UNTOUCHED = 12, 15
# a namespace whose only interface, the loopback, is down; it notes what interfaces there were
CAN_CUT_OFF = subprocess.run(["unshare", "--net", "true"], stderr=subprocess.DEVNULL).returncode == 0
CUT_OFF = ["unshare", "--net", "sh", "-c", 'cat /proc/net/dev >interfaces.txt; exec "$@"', "sh"]
WITHOUT_NETWORK = CUT_OFF if CAN_CUT_OFF else []


def jobs_of(said: str) -> dict[str, int]:
    """Numbers of jobs by rule from what Snakemake says of a plan."""
    stats = said.partition("Job stats:")[2].partition("\n\n")[0]
    jobs = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", stats, re.MULTILINE)}
    return {rule: n for rule, n in jobs.items() if rule not in ("all", "total")}


def jobs_done(said: str) -> Counter[str]:
    """Numbers of jobs that a run has done, by rule, from what Snakemake says."""
    return Counter(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", said, re.MULTILINE))


class Study:
    """A copy of the project in a folder with a space in its name, and its study's config."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.exists():
            copy_project(folder)
            self.write(yaml.safe_load(CUT.read_text()))

    @classmethod
    def copy(cls, study: "Study", folder: Path) -> "Study":
        """A copy of a study as it stands; times and results are kept."""
        shutil.copytree(study.folder, folder, copy_function=shutil.copy2, symlinks=True)
        return cls(folder)

    def write(self, config: dict) -> None:
        (self.folder / "cut.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def write_other(self, config: dict) -> None:
        (self.folder / "other.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def config(self) -> dict:
        return yaml.safe_load((self.folder / "cut.yaml").read_text())

    def snakemake(self, *options: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "cut.yaml", *options]
        environment = ENVIRONMENT | (environment or {})
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS
        )

    def planned(self, config: dict | None = None) -> dict[str, int]:
        """Jobs that a dry run plans, by rule, with another config than the one that ran."""
        self.write_other(config or self.config())
        command = [sys.executable, "-m", "snakemake", "-n", "-q", "rules", "--configfile", "other.yaml"]
        run = subprocess.run(
            command, cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return jobs_of(run.stdout + run.stderr)

    def digests(self) -> dict[str, str]:
        """A digest of every result that is a function of the config: no logs, no costs."""
        folder = self.folder / "results/cut"
        files = [p for p in folder.rglob("*") if p.is_file() and p.suffix in (".parquet", ".safetensors", ".csv")]
        files += [*folder.rglob("training.json"), folder / "findings.json"]
        return {str(p.relative_to(folder)): hashlib.sha256(without_costs(p)).hexdigest() for p in sorted(files)}


def without_costs(path: Path) -> bytes:
    """The content of a file; of a table of cells without what its trainings cost, which differs from run to run."""
    if path.name not in ("cell.parquet", "cells.parquet") and "tables/cells" not in str(path):
        return path.read_bytes()
    return pl.read_parquet(path).drop(USED).write_csv().encode()


def finished_study(folder: Path, methods: dict, datasets: list[str]) -> Study:
    """The cut study after a run, at one checkpoint, with these methods and datasets in one format."""
    study = Study(folder)
    config = yaml.safe_load(CUT.read_text()) | {"formats": ["default"], "methods": methods}
    config["series"]["nursery"]["checkpoints"] = [{"step": 100}]
    config["datasets"] = {name: {} for name in datasets}
    config["suites"] = {"own": {"datasets": "own", "formats": "trained"}, "pretraining": {"texts": ["heldout"]}}
    study.write(config)
    run = study.snakemake("--scheduler", "greedy")
    assert run.returncode == 0, run.stdout + run.stderr
    return study

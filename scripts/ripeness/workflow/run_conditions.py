"""Set and check the conditions of a run: environment variables, the Python of jobs, GPUs; end a refused study."""

import os
import re
import sys
import time
from pathlib import Path

from ripeness.runtime.errors import UserError
from ripeness.runtime.project import ROOT
from ripeness.study.study_config import StudyConfig

AUDITING = ("list_weights", "audit_inputs", "audit_results")
STARTED = time.time()


def end_refused(logs: Path) -> None:
    """End with status 2 and the errors of the audit, if it has refused the study in this run."""
    for path in [logs / f"{rule}.log" for rule in AUDITING]:
        text = path.read_text(encoding="utf-8") if path.is_file() and path.stat().st_mtime >= STARTED else ""
        if match := re.search(r"^error: .*", text, re.MULTILINE | re.DOTALL):
            print(match[0].strip(), file=sys.stderr)
            sys.exit(2)


def check_writable(folder: Path) -> None:
    """Refuse a folder in which Snakemake cannot keep its own files, such as a clone that others share."""
    place = folder / ".snakemake"
    if not os.access(place if place.exists() else folder, os.W_OK):
        raise UserError(
            f"{place} cannot be written, and Snakemake needs it even to plan\n"
            f"hint: run it in a folder of your own: snakemake --snakefile {ROOT}/Snakefile --directory FOLDER ...; "
            "results that you copy there (FOLDER/results) are used"
        )


def check_storage(provider: str | None) -> None:
    """Refuse results in an object store: programs are given paths within the study's folder, and keys lie there."""
    if provider is not None:
        raise UserError(
            f"--default-storage-provider {provider}: results cannot be in an object store; programs read and write "
            "the study's folder by its path\n"
            "hint: leave it out, run on a file system, and copy results/ to the store; copied back, results are used"
        )


def check_python(executable: str) -> None:
    """Refuse a Python whose path has a space: Snakemake writes it into the jobs of a cluster as it is."""
    if " " in executable:
        raise UserError(
            f"jobs of a cluster cannot start {executable}: its path has a space\n"
            "hint: call Snakemake by a link without one: "
            f"ln -s '{Path(executable).parents[1]}' ~/ripeness-venv && ~/ripeness-venv/bin/snakemake --profile slurm"
        )


def go_offline() -> None:
    """Let only fetch_* ask a network: compute nodes have none, and hubs turn away hundreds of jobs that start at once.

    Jobs inherit HF_HUB_OFFLINE; the rules that fetch have back what the user had said, which is in FETCH_OFFLINE.
    """
    os.environ.setdefault("FETCH_OFFLINE", os.environ.get("HF_HUB_OFFLINE", "0"))
    os.environ["HF_HUB_OFFLINE"] = "1"


def place_models(config: StudyConfig, *, is_group: bool) -> None:
    """Say to jobs where tuned weights lie, and whether they go as soon as they are measured.

    Snakemake deletes those of a group's members only when all have ended, and none on the scratch of a node.
    """
    is_early = (config.scratch or is_group) and config.keep_models != "all"
    os.environ |= {"TUNED_SCRATCH": config.scratch, "DELETE_MEASURED": "--delete-model" if is_early else ""}


def check_gpus(wanted: dict[str, int], allowed: int | None) -> None:
    """Refuse methods that want more GPUs than a job may use: Snakemake would give them fewer without a word."""
    for method, n in wanted.items():
        if allowed is not None and n > allowed:
            raise UserError(
                f"methods.{method}.gpu: {n} GPUs are requested, but jobs may use {allowed}\n"
                f"hint: set resources: [gpu={n}] in slurm/config.yaml, or --resources gpu={n}"
            )

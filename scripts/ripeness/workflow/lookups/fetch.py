"""Rule inputs and parameters for rules/fetch.smk."""

import shlex
from functools import cache
from pathlib import Path
from typing import Any

from ripeness.study.annealed_twins import is_twin
from ripeness.study.grid import Study, harness_tasks
from ripeness.study.harness_files import files_of_task
from ripeness.workflow.lookups.provenance import harness_folders
from ripeness.workflow.lookups.shared import pretrained_series, results, to_json
from ripeness.workflow.lookups.texts import texts_on_hub

OF_A_MODEL = (".safetensors", ".bin", ".json", ".model", ".txt", ".jinja")  # ends of the names of a model's files


def fetched_checkpoint(study: Study, wildcards: Any) -> str:
    """Where a checkpoint that is not pre-trained here comes from, and what is known of it."""
    series = study.config["series"][wildcards.series]
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    identity = {"series": wildcards.series, "checkpoint": wildcards.checkpoint, "seed": series["seed"]}
    return to_json(identity | {key: value for key, value in entry.items() if key != "by_step"})


def hub_requests(study: Study, wildcards: Any) -> int:
    """1 for a checkpoint that comes from the hub, of which few are fetched at once; 0 for a folder on disk."""
    return int("repo" in study.checkpoints[wildcards.series][wildcards.checkpoint])


def gate_option(study: Study, wildcards: Any) -> str:
    """The options that say on which text a series is tried, if not on English prose, and whether any loss will do."""
    series = study.config["series"][wildcards.series]
    text = ["--gate-text", shlex.quote(series["gate_text"])] if "gate_text" in series else []
    return " ".join(text + (["--accept-loss"] if series["accept_loss"] else []))


def folders_of_series(study: Study, wildcards: Any) -> list[str]:
    """The checkpoints of one series but for annealed twins, which are made of checked ones and are tried when made."""
    folder, entries = f"{results(study)}/checkpoints/{wildcards.series}", study.checkpoints[wildcards.series]
    return [f"{folder}/{name}" for name, entry in entries.items() if not is_twin(entry)]


def fetched_folders(study: Study) -> list[str]:
    """The checkpoints that are not made here."""
    return [
        f"{results(study)}/checkpoints/{series}/{name}"
        for series, entries in study.checkpoints.items()
        if series not in pretrained_series(study)
        for name, entry in entries.items()
        if not is_twin(entry)
    ]


def refuse_option(study: Study, wildcards: Any) -> str:
    """Says that a checkpoint may be refused; nothing for what is pre-trained here, or where any loss will do."""
    series = study.config["series"][wildcards.series]
    return "" if "pretrain" in series or series["accept_loss"] else "--refuse"


def checkpoint_files(study: Study, wildcards: Any) -> list[str]:
    """The files of a checkpoint on disk and the gate's text, so that a replaced one is noticed."""
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    text = study.config["series"][wildcards.series].get("gate_text")
    files = model_files(entry["path"]) if "path" in entry else []
    return files + ([text] if text else [])


@cache
def model_files(folder: str) -> list[str]:
    """The files in a model's folder on which it depends; config.json always, whose lack Snakemake then names."""
    there = sorted(path.name for path in Path(folder).glob("*") if path.name.endswith(OF_A_MODEL))
    return [f"{folder.rstrip('/')}/{name}" for name in dict.fromkeys(["config.json", *there])]


def ready_inputs(study: Study, wildcards: Any) -> list[str]:
    """All that is fetched and checked before an expensive job: items, texts, checkpoints, lm-eval tasks, the audit."""
    texts = [f"{results(study)}/texts/{name}.parquet" for name in sorted(texts_on_hub(study))]
    items = [f"{results(study)}/items/{name}" for name in study.tasks]
    gates = [f"{results(study)}/gate/{series}.json" for series in set(study.checkpoints) - pretrained_series(study)]
    audit = f"{results(study)}/audit/inputs.parquet"
    return [*items, *texts, *fetched_folders(study), *sorted(gates), *harness_folders(study, wildcards), audit]


def harness_request(study: Study, wildcards: Any) -> str:
    """Which task is fetched, where else it may be found, and with how many shots it is asked."""
    request = {"task": wildcards.task, "shots": harness_tasks(study)[wildcards.task]}
    return to_json(request | study.config["lm_eval"])


def harness_files(study: Study, wildcards: Any) -> list[str]:
    """The user's file of a task, and the files that it names: none for a task that the harness brings."""
    folder = study.config["lm_eval"].get("include_path")
    if not folder:
        return []
    return files_of_task(Path(folder), wildcards.task)


def compare_option(study: Study, wildcards: Any) -> str:
    """Says that the weights of a series which is pre-trained here are compared; those of others the audit compares."""
    is_meant = "same-weights" in study.config["audit"]["acknowledge"]
    return "--compare-weights" if wildcards.series in pretrained_series(study) and not is_meant else ""

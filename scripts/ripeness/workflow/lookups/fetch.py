"""Give inputs and parameters to the rules of rules/fetch.smk."""

import shlex
from functools import cache
from pathlib import Path

from ripeness.study.annealed_twins import is_twin
from ripeness.study.grid import Study, harness_tasks
from ripeness.study.harness_files import files_of_task
from ripeness.workflow.lookups.provenance import harness_folders
from ripeness.workflow.lookups.shared import pretrained_series, results, to_json
from ripeness.workflow.lookups.texts import texts_on_hub
from ripeness.workflow.wildcards import Wildcards

OF_A_MODEL = (".safetensors", ".bin", ".json", ".model", ".txt", ".jinja")  # ends of the names of a model's files


def fetched_checkpoint(study: Study, wildcards: Wildcards) -> str:
    """Return the source and the facts of a checkpoint that is not pre-trained here."""
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    identity = {
        "series": wildcards.series,
        "checkpoint": wildcards.checkpoint,
        "seed": study.settings.series[wildcards.series].seed,
    }
    return to_json(identity | {key: value for key, value in entry.items() if key != "by_step"})


def hub_requests(study: Study, wildcards: Wildcards) -> int:
    """Return 1 for a checkpoint from the hub, of which few are fetched at once; 0 for a folder on disk."""
    return int("repo" in study.checkpoints[wildcards.series][wildcards.checkpoint])


def gate_option(study: Study, wildcards: Wildcards) -> str:
    """Return the options for the gate's text, if it is not English prose, and for accepting any loss."""
    series = study.settings.series[wildcards.series]
    text = [] if series.gate_text is None else ["--gate-text", shlex.quote(series.gate_text)]
    return " ".join(text + (["--accept-loss"] if series.accept_loss else []))


def folders_of_series(study: Study, wildcards: Wildcards) -> list[str]:
    """List the checkpoints of one series without annealed twins, which are made of checked ones."""
    folder, entries = f"{results(study)}/checkpoints/{wildcards.series}", study.checkpoints[wildcards.series]
    return [f"{folder}/{name}" for name, entry in entries.items() if not is_twin(entry)]


def fetched_folders(study: Study) -> list[str]:
    """Return the checkpoints that are not made here."""
    return [
        f"{results(study)}/checkpoints/{series}/{name}"
        for series, entries in study.checkpoints.items()
        if series not in pretrained_series(study)
        for name, entry in entries.items()
        if not is_twin(entry)
    ]


def refuse_option(study: Study, wildcards: Wildcards) -> str:
    """Return the option that lets a checkpoint be rejected.

    Nothing if it is pre-trained here, or if any loss is accepted.
    """
    series = study.settings.series[wildcards.series]
    return "" if series.pretrain is not None or series.accept_loss else "--refuse"


def checkpoint_files(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the files of a checkpoint on disk and the gate's text, so that a replaced one is noticed."""
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    text = study.settings.series[wildcards.series].gate_text
    files = model_files(entry["path"]) if "path" in entry else []
    return files + ([text] if text else [])


@cache
def model_files(folder: str) -> list[str]:
    """List the files in a model's folder on which it depends; config.json always, whose lack Snakemake then names."""
    there = sorted(path.name for path in Path(folder).glob("*") if path.name.endswith(OF_A_MODEL))
    return [f"{folder.rstrip('/')}/{name}" for name in dict.fromkeys(["config.json", *there])]


def ready_inputs(study: Study) -> list[str]:
    """List all that is fetched and checked before an expensive job: items, texts, checkpoints, tasks, the audit."""
    texts = [f"{results(study)}/texts/{name}.parquet" for name in sorted(texts_on_hub(study))]
    items = [f"{results(study)}/items/{name}" for name in study.tasks]
    gates = [f"{results(study)}/gate/{series}.json" for series in set(study.checkpoints) - pretrained_series(study)]
    audit = f"{results(study)}/audit/inputs.parquet"
    return [*items, *texts, *fetched_folders(study), *sorted(gates), *harness_folders(study), audit]


def harness_request(study: Study, wildcards: Wildcards) -> str:
    """Return which task is fetched, where else it may be found, and with how many shots it is run."""
    request = {"task": wildcards.task, "shots": harness_tasks(study)[wildcards.task]}
    return to_json(request | study.settings.lm_eval)


def harness_files(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the user's file of a task, and the files that it names: none for a task that the harness brings."""
    folder = study.settings.include_path
    if folder is None:
        return []
    return files_of_task(Path(folder), wildcards.task)


def compare_option(study: Study, wildcards: Wildcards) -> str:
    """Return the option that compares the weights of a series pre-trained here; the audit compares those of others."""
    is_meant = "same-weights" in study.settings.acknowledged
    return "--compare-weights" if wildcards.series in pretrained_series(study) and not is_meant else ""

"""What the rules of the audit ask of the plan: what is audited, and the files that it is read from. See lookups.py."""

from dataclasses import asdict
from typing import Any

from ripeness.annealed_twins import is_twin
from ripeness.lookups import results, to_json
from ripeness.plan import UNSEEDED, Study, base_probes, datasets_tuned_on, probes_asked
from ripeness.pretraining_steps import place_of, tokens_per_step
from ripeness.series_lookups import fetched_folders, pretrained_series, weights_listed
from ripeness.weight_lookups import weights_known

SAID = {"title": "", "homepage": None, "licence": "", "formats": {}, "rows": None}  # of a task, what no check reads


def audit_plan(study: Study, wildcards: Any) -> str:
    """The plan as the checks read it: series, tasks, probes, methods, seeds, items. See audit_grid.py."""
    config = study.config
    shots = config["methods"]["base"]["shots"]
    probes = [
        {"dataset": name, "format": format_, "shots": max(shots)}
        for name, format_ in base_probes(study)
        if format_ not in UNSEEDED
    ]
    return to_json(
        {
            "series": {name: audited_series(study, name) for name in study.checkpoints},
            "tasks": {name: asdict(task) | SAID for name, task in study.tasks.items()},
            "datasets": datasets_tuned_on(study),
            "methods": {name: settings for name, settings in config["methods"].items() if name != "base"},
            "shots": shots,
            "probes": probes,
            "seeds": config["seeds"],
            "items": config["items"],
            "weights": weights_known(study),
        }
    )


def audited_series(study: Study, series: str) -> dict[str, Any]:
    """Checkpoints, tokenizer and window of a series; `asked` where that is not all that is measured."""
    pairs = [list(pair) for pair in probes_asked(study, series)]
    asked = {} if len(pairs) == len(base_probes(study)) else {"asked": pairs}
    return checkpoints_of(study, series) | asked


def checkpoints_of(study: Study, series: str) -> dict[str, Any]:
    """The checkpoints of a series as far as the plan knows them, its tokenizer, and its window where it is made here.

    The tokenizer of a pre-training is there before it begins.
    """
    entries, settings = study.checkpoints[series], study.config["series"][series]
    if series not in pretrained_series(study):
        folder = f"{results(study)}/checkpoints/{series}"
        points = [
            {"checkpoint": name} | ({} if is_twin(entry) else {"folder": f"{folder}/{name}"}) | facts_of(entry)
            for name, entry in entries.items()
        ]
        tokenizer = next(point["folder"] for point in points if "folder" in point)
        return {"checkpoints": points, "tokenizer": tokenizer, "window": None}
    recipe = settings["pretrain"]
    points = []
    for name, entry in entries.items():
        if is_twin(entry):
            points.append({"checkpoint": name} | facts_of(entry))
            continue
        place = place_of(recipe, entry)
        tokens = place.step * tokens_per_step(recipe)
        points.append({"checkpoint": name, "step": place.step, "tokens": tokens, "phase": place.phase})
    tokenizer = f"{results(study)}/corpus/{series}/tokenizer"
    return {"checkpoints": points, "tokenizer": tokenizer, "window": recipe["sequence_length"]}


def facts_of(entry: dict[str, Any]) -> dict[str, Any]:
    """What the config says of where a checkpoint was taken; the folder's own record says the rest."""
    return {key: entry[key] for key in ("step", "tokens", "phase") if key in entry}


def audited_checkpoints(study: Study, wildcards: Any) -> list[str]:
    """The folders that tokenizers and facts of checkpoints are read from; of pre-training here, only corpora.

    What the hub says of weights comes with them, so that it is asked before the audit.
    """
    made = pretrained_series(study)
    read = [series for series in study.checkpoints if series in made and probes_asked(study, series)]
    corpora = [f"{results(study)}/corpus/{series}" for series in read]
    return [*corpora, *weights_listed(study), *fetched_folders(study)]


def audited_items(study: Study, wildcards: Any) -> list[str]:
    """Rows as published and items of every dataset."""
    return [f"{results(study)}/{part}/{name}" for name in study.tasks for part in ("datasets", "items")]


def audited_examples(study: Study, wildcards: Any) -> list[str]:
    """The examples of every dataset in every format that is measured."""
    pairs = [(name, format_) for name, format_ in base_probes(study) if format_ not in UNSEEDED]
    return [f"{results(study)}/examples/{name}/{format_}" for name, format_ in pairs]


def audited_inputs(study: Study, wildcards: Any) -> list[str]:
    """The remarks on inputs; none where a study has none of its own."""
    return [f"{results(study)}/audit/inputs.parquet"] if study.checkpoints else []


def acknowledged(study: Study, wildcards: Any) -> str:
    """The remarks that the study says are meant, each with its reason."""
    return to_json(study.config["audit"]["acknowledge"])

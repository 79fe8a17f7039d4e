"""Rule inputs and parameters for rules/audit.smk."""

import hashlib
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

from ripeness.study.annealed_twins import is_twin
from ripeness.study.grid import THEORY, UNSEEDED, Study, base_probes, datasets_tuned_on, kind_of, probes_asked
from ripeness.study.pretraining_steps import place_of, tokens_per_step
from ripeness.study.published_runs import same_weights_known, series_facts
from ripeness.workflow.lookups.fetch import fetched_folders
from ripeness.workflow.lookups.pretrain import corpus_recipe, pretraining_settings
from ripeness.workflow.lookups.shared import pretrained_series, results, to_json

SAID = {"title": "", "homepage": None, "licence": "", "formats": {}, "rows": None}  # of a task, what no check reads


def audit_table(study: Study, wildcards: Any) -> list[str]:
    """What the audit saw; a study of the theory has nothing that it could look at."""
    return [] if kind_of(study.config) == THEORY else [f"{results(study)}/tables/audit.parquet"]


def hub_sources(study: Study) -> dict[str, dict[str, dict[str, Any]]]:
    """For each series that has checkpoints on the hub, where these lie."""
    found = {
        series: {
            name: {key: entry.get(key) for key in ("repo", "revision", "commit")}
            for name, entry in entries.items()
            if "repo" in entry and "revision" in entry and not is_twin(entry)
        }
        for series, entries in study.checkpoints.items()
    }
    return {series: sources for series, sources in found.items() if sources}


def weights_listed(study: Study) -> list[str]:
    """What the hub says of weights, before they are fetched; nothing where none come from it."""
    return [f"{results(study)}/audit/weights.json"] if hub_sources(study) else []


def audit_plan(study: Study, wildcards: Any) -> str:
    """The plan as the checks read it: series, tasks, probes, methods, seeds, items. See audit/grid.py."""
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


def weights_known(study: Study) -> dict[str, Any]:
    """For each series its seed of pre-training, what its file knows of equal weights, and recipes of what is made here.

    audit/weights.py compares them, with records of what is fetched in their places.
    """
    return {series: known_of(study, series) for series in study.checkpoints}


def known_of(study: Study, series: str) -> dict[str, Any]:
    """The entry of one series in `weights_known`."""
    settings, entries = study.config["series"][series], study.checkpoints[series]
    if series in pretrained_series(study):
        records = {name: recipe_of(study, series, name) for name, entry in entries.items() if not is_twin(entry)}
        return {"seed": settings["pretrain"]["seed"], "checkpoints": records}
    facts = series_facts(series, settings)
    known = [
        {"names": names, "source": fact["source"]}
        for fact, names in same_weights_known(facts, entries)
        if len(names) > 1
    ]
    return {"seed": settings["seed"], "checkpoints": {}} | ({"known": known} if known else {})


def recipe_of(study: Study, series: str, checkpoint: str) -> dict[str, Any]:
    """A digest of all that the weights of a checkpoint which is pre-trained here depend on.

    How a checkpoint is called does not count, nor whether its end is called decayed or annealed.
    """
    place = SimpleNamespace(series=series, checkpoint=checkpoint)
    where = place_of(study.config["series"][series]["pretrain"], study.checkpoints[series][checkpoint])
    made_of = [
        corpus_recipe(study, place), pretraining_settings(study, place), where.step, where.shared, where.decay_steps
    ]  # fmt: skip
    return {"kind": "recipe", "parts": [hashlib.sha256(to_json(made_of).encode()).hexdigest()], "rest": []}


def listed_sources(study: Study, wildcards: Any) -> str:
    """Where the weights lie that the hub is asked of."""
    return to_json(hub_sources(study))


def listed_plan(study: Study, wildcards: Any) -> str:
    """What is said of the checkpoints that the hub is asked of."""
    asked = hub_sources(study)
    points = {
        series: {
            "checkpoints": [
                {"checkpoint": name} | {key: study.checkpoints[series][name][key] for key in ("step", "tokens")}
                for name in sources
            ]
        }
        for series, sources in asked.items()
    }
    return to_json({"series": points, "weights": {series: known_of(study, series) for series in asked}})

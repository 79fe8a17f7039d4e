"""Give inputs and parameters to the rules of rules/audit.smk."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

from ripeness.study.annealed_twins import is_twin
from ripeness.study.grid import (
    UNSEEDED,
    Study,
    base_probes,
    datasets_tuned_on,
    pretraining_of,
    probes_asked,
    probes_of,
    recipe_on,
    tuned_cells,
)
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import TEXT
from ripeness.study.pictures import patches_before
from ripeness.study.pretraining_steps import place_of, tokens_per_step
from ripeness.study.published_runs import same_weights_known, series_facts
from ripeness.study.study_config import THEORY
from ripeness.study.tasks import as_mapping
from ripeness.workflow.lookups.fetch import fetched_folders
from ripeness.workflow.lookups.pretrain import corpus_recipe, pretraining_settings
from ripeness.workflow.lookups.shared import corpus_folder, pretrained_series, results, to_json

# Keys of a task that no check reads.
UNREAD: dict[str, object] = {"title": "", "homepage": None, "licence": "", "formats": {}, "rows": None}


def audit_table(study: Study) -> list[str]:
    """Return the table of remarks; a study of the theory has none."""
    return [] if study.settings.kind == THEORY else [f"{results(study)}/tables/audit.parquet"]


def hub_sources(study: Study) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the sources of all checkpoints on the hub, by series and name."""
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
    """Return the file with the hub's list of weights; none if no weights come from the hub."""
    return [f"{results(study)}/audit/weights.json"] if hub_sources(study) else []


def audit_plan(study: Study) -> str:
    """Return the plan as the checks read it: series, tasks, probes, methods, seeds, items. See audit/grid.py."""
    config = study.settings
    shots = config.base_shots
    probes = [
        {"dataset": name, "format": format_, "shots": max(shots)}
        for name, format_ in base_probes(study)
        if format_ not in UNSEEDED
    ]
    return to_json(
        {
            "series": {name: audited_series(study, name) for name in study.checkpoints},
            "tasks": {name: as_mapping(task) | UNREAD for name, task in study.tasks.items()},
            "datasets": datasets_tuned_on(study),
            "methods": config.tuning_methods,
            "shots": shots,
            "probes": probes,
            "seeds": config.seeds,
            "items": asdict(config.items),
            "weights": weights_known(study),
        }
    )


def audited_series(study: Study, series: str) -> dict[str, Any]:
    """Describe checkpoints, tokenizer and window of a series.

    `asked` is there if only part of all probes is measured, `virtual_tokens` if some method puts any before prompts.
    """
    pairs = [list(pair) for pair in probes_asked(study, series)]
    asked = {} if len(pairs) == len(base_probes(study)) else {"asked": pairs}
    before = [[*pair, *counts] for pair, counts in virtual_tokens(study, series).items()]
    return checkpoints_of(study, series) | asked | ({"virtual_tokens": before} if before else {})


def virtual_tokens(study: Study, series: str) -> dict[tuple[str, str], list[int]]:
    """Count the most virtual tokens that methods put before prompts of a dataset in a format.

    By these, those of models that are measured on it, and of models that are trained on it.
    """
    found: dict[tuple[str, str], list[int]] = {}
    for cell in tuned_cells(study, series, ""):
        recipe = recipe_on(study, cell.method, cell.dataset)
        before = KINDS[recipe["kind"]].before_text(recipe)
        asked = {(probe.probe, probe.format) for probe in probes_of(study, cell) if probe.format not in UNSEEDED}
        trained = {(cell.dataset, cell.format)} if recipe.get("learns") != TEXT else set()
        for pair in sorted(trained | asked):
            if not (n := before + patches_before(study, cell, pair[0])):
                continue
            counts = found.setdefault(pair, [0, 0])
            counts[0] = max(counts[0], n if pair in asked else 0)
            counts[1] = max(counts[1], n if pair in trained else 0)
    return found


def checkpoints_of(study: Study, series: str) -> dict[str, Any]:
    """Return the checkpoints of a series as the plan knows them, its tokenizer, and its window if it is made here.

    The tokenizer of a pre-training is there before it begins.
    """
    entries, recipe = study.checkpoints[series], study.settings.series[series].pretrain
    if recipe is None:
        folder = f"{results(study)}/checkpoints/{series}"
        points = [
            {"checkpoint": name} | ({} if is_twin(entry) else {"folder": f"{folder}/{name}"}) | facts_of(entry)
            for name, entry in entries.items()
        ]
        tokenizer = next(point["folder"] for point in points if "folder" in point)
        return {"checkpoints": points, "tokenizer": tokenizer, "window": None}
    points = []
    for name, entry in entries.items():
        if is_twin(entry):
            points.append({"checkpoint": name} | facts_of(entry))
            continue
        place = place_of(recipe, entry)
        tokens = place.step * tokens_per_step(recipe)
        points.append({"checkpoint": name, "step": place.step, "tokens": tokens, "phase": place.phase})
    tokenizer = f"{corpus_folder(study, series)}/tokenizer"
    return {"checkpoints": points, "tokenizer": tokenizer, "window": recipe["sequence_length"]}


def facts_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the config says about the place of a checkpoint; the folder's own record has the rest."""
    return {key: entry[key] for key in ("step", "tokens", "phase") if key in entry}


def audited_checkpoints(study: Study) -> list[str]:
    """Return the folders that tokenizers and facts of checkpoints are read from; of pre-training here, only corpora.

    The hub's list of weights is among them, so that it is read before the audit.
    """
    made = pretrained_series(study)
    read = [series for series in study.checkpoints if series in made and probes_asked(study, series)]
    corpora = list(dict.fromkeys(corpus_folder(study, series) for series in read))
    return [*corpora, *weights_listed(study), *fetched_folders(study)]


def audited_items(study: Study) -> list[str]:
    """List the folders with published rows and items of every dataset."""
    return [f"{results(study)}/{part}/{name}" for name in study.tasks for part in ("datasets", "items")]


def audited_examples(study: Study) -> list[str]:
    """Return the examples of every dataset in every format that is measured."""
    pairs = [(name, format_) for name, format_ in base_probes(study) if format_ not in UNSEEDED]
    return [f"{results(study)}/examples/{name}/{format_}" for name, format_ in pairs]


def audited_inputs(study: Study) -> list[str]:
    """Return the remarks on inputs; none if a study has none of its own."""
    return [f"{results(study)}/audit/inputs.parquet"] if study.checkpoints else []


def acknowledged(study: Study) -> str:
    """Return the remarks that the study acknowledges, each with its reason."""
    return to_json(study.settings.acknowledged)


def weights_known(study: Study) -> dict[str, Any]:
    """Return for each series its seed, what its file says about equal weights, and digests of what is made here.

    audit/weights.py compares them, with records of what is fetched in their places.
    """
    return {series: known_of(study, series) for series in study.checkpoints}


def known_of(study: Study, series: str) -> dict[str, Any]:
    """Return the entry of one series in `weights_known`."""
    settings, entries = study.settings.series[series], study.checkpoints[series]
    if settings.pretrain is not None:
        records = {name: recipe_of(study, series, name) for name, entry in entries.items() if not is_twin(entry)}
        return {"seed": settings.pretrain["seed"], "checkpoints": records}
    facts = series_facts(series, settings.mapping)
    known = [
        {"names": names, "source": fact["source"]}
        for fact, names in same_weights_known(facts, entries)
        if len(names) > 1
    ]
    return {"seed": settings.seed, "checkpoints": {}} | ({"known": known} if known else {})


def recipe_of(study: Study, series: str, checkpoint: str) -> dict[str, Any]:
    """Return a digest of all that the weights of a checkpoint which is pre-trained here depend on.

    How a checkpoint is called does not count, nor whether its end is called decayed or annealed.
    """
    place = SimpleNamespace(series=series, checkpoint=checkpoint)
    where = place_of(pretraining_of(study, series), study.checkpoints[series][checkpoint])
    made_of = [
        corpus_recipe(study, place), pretraining_settings(study, place), where.step, where.shared, where.decay_steps
    ]  # fmt: skip
    return {"kind": "recipe", "parts": [hashlib.sha256(to_json(made_of).encode()).hexdigest()], "rest": []}


def listed_sources(study: Study) -> str:
    """Return the sources of the weights that the hub is asked to list."""
    return to_json(hub_sources(study))


def listed_plan(study: Study) -> str:
    """Describe the checkpoints whose weights the hub is asked to list."""
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

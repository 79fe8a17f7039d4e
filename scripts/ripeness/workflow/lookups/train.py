"""Rule inputs and parameters for rules/train.smk."""

import shlex
from collections.abc import Mapping
from typing import Any

from ripeness.study.grid import Study, recipe_on
from ripeness.study.methods.reading import on_dataset
from ripeness.workflow.lookups.shared import made_for, results, text_file, to_json

APART = ("gpu", "datasets", "choose_by")  # of a method's settings, what no training depends on


def training_settings(study: Study, wildcards: Any) -> Mapping[str, Any]:
    """Return settings of the method of a training: that of a cell, or of the best model that is tuned again."""
    if hasattr(wildcards, "tuning"):
        return on_dataset(study.settings.methods[wildcards.tuning], wildcards.dataset)
    return recipe_on(study, wildcards.method, wildcards.dataset)


def method_settings(study: Study, wildcards: Any) -> str:
    """Return the recipe of a cell, with its seed."""
    recipe = {**recipe_on(study, wildcards.method, wildcards.dataset), "seed": int(wildcards.seed)}
    return to_json(of_training(recipe, "method", "is_grid"))


def modules_of(kind: str) -> list[str]:
    """Return the modules that decide what a kind of tuning does to a model, below scripts/."""
    return [f"ripeness/models/methods/{kind}.py"]


def kind_modules(study: Study, wildcards: Any) -> list[str]:
    """Return the modules of the kind of a training."""
    return modules_of(training_settings(study, wildcards)["kind"])


def modules_of_full(study: Study, wildcards: Any) -> list[str]:
    """Return the modules of the kind by which checkpoints are annealed."""
    return modules_of("full")


def of_training(settings: Mapping[str, Any], *others: str) -> dict[str, Any]:
    """Those of a method's settings that a training depends on, without `others`; of replay the share, not the file."""
    kept = {key: value for key, value in settings.items() if key not in (*others, *APART)}
    return kept | ({"replay": kept["replay"]["share"]} if "replay" in kept else {})


def replay_file(study: Study, wildcards: Any) -> str | None:
    """Return the text that a training reads again: the tokens that its series learned from, or a file."""
    replay = training_settings(study, wildcards).get("replay")
    if replay is None:
        return None
    is_corpus = study.settings.series[wildcards.series].pretrain is not None
    return f"{results(study)}/corpus/{wildcards.series}/train.npy" if is_corpus else replay["text"]


def replay_inputs(study: Study, wildcards: Any) -> list[str]:
    """Return the folder or file of the text that is replayed; none for most methods."""
    path = replay_file(study, wildcards)
    return [] if path is None else [path.removesuffix("/train.npy")]


def replay_option(study: Study, wildcards: Any) -> str:
    """Return the option that names the text that is replayed; nothing for most methods."""
    path = replay_file(study, wildcards)
    return "" if path is None else f"--replay-text {shlex.quote(path)}"


def curvature_file(study: Study, wildcards: Any) -> str | None:
    """Return the first text if the study measures the curvature along a training's displacement."""
    settings = study.config.get("sensitivity") or {}
    return text_file(study, wildcards.series, settings["texts"][0]) if settings.get("curvature") else None


def curvature_inputs(study: Study, wildcards: Any) -> list[str]:
    """Return the folder or file of that text."""
    path = curvature_file(study, wildcards)
    return [] if path is None else made_for(study, [path])


def curvature_option(study: Study, wildcards: Any) -> str:
    """Return the option that names that text; nothing for most studies."""
    path = curvature_file(study, wildcards)
    return "" if path is None else f"--curvature-text {shlex.quote(path)}"

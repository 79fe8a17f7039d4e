"""Make a method of every dose: of so many training examples, each of which begins with the smaller ones."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.wording import hint
from ripeness.study.grid import Study
from ripeness.study.tasks import sizes_of

MOST_EPOCHS = 100_000  # of a dose whose steps are fixed
TAUGHT = ("form", "knowledge")  # keys of `findings`: what datasets teach


def with_doses(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config in which each dose of a method is a method of its own, such as `form-n8`, also in lists of them.

    `doses_of` names the method that has the list. A list of one dose leaves the method its name.
    """
    names: dict[str, list[str]] = {}
    methods: dict[str, dict[str, Any]] = {}
    for method, settings in config["methods"].items():
        doses = settings.get("examples", [])
        doses = doses if isinstance(doses, list) else [doses]
        parts: dict[str, dict[str, Any]] = {method: {"examples": doses[0]} if doses else {}}
        if len(doses) > 1:
            parts = {f"{method}-n{dose}": {"examples": dose, "doses_of": method} for dose in doses}
        for name, part in parts.items():
            if name in methods or (name != method and name in config["methods"]):
                raise UserError(
                    f"methods.{method}.examples: a dose makes a second method named {name!r}\n"
                    "hint: rename one of the methods"
                )
            methods[name] = {**settings, **part}
        names[method] = list(parts)
    series = {
        name: {**one, "methods": [part for method in one["methods"] for part in names.get(method, [method])]}
        if "methods" in one
        else one
        for name, one in config["series"].items()
    }
    return {**config, "methods": methods, "series": series}


def with_fixed_steps(settings: dict[str, Any]) -> dict[str, Any]:
    """Return a method's settings with as many passes over its dose as its `steps` take, if it has both."""
    if "examples" not in settings or "steps" not in settings:
        return settings
    batches = math.ceil(settings["examples"] / settings["batch_size"])
    return settings | {"epochs": math.ceil(settings["steps"] / batches)}


def check_doses(study: Study) -> None:
    """Refuse a dose of more examples than a dataset has, or more passes over it than anyone means."""
    for name, by_dataset in study.recipes.items():
        for dataset, settings in by_dataset.items():
            if "examples" not in settings:
                continue
            task = study.tasks[dataset]
            wanted = sizes_of(task, asdict(study.settings.items))["train"]
            most = min(wanted, (task.rows or {}).get("train", wanted))
            where = f"methods.{settings.get('doses_of', settings['method'])}"
            if settings["examples"] > most:
                raise UserError(
                    f"{where}.examples: {settings['examples']} examples, but models are tuned on {most} of {dataset}\n"
                    "hint: raise items.train, or leave the dose out"
                )
            if settings.get("epochs", 0) > MOST_EPOCHS:
                raise UserError(
                    f"{where}.steps: {settings['steps']} steps of {name} are {settings['epochs']} passes over "
                    f"{settings['examples']} examples\nhint: fewer steps, or larger doses"
                )


def check_taught(study: Study) -> None:
    """Refuse datasets of form and knowledge that the study does not have, or that it has in one of both, or in two."""
    findings, known = study.config["findings"], list(study.config["datasets"])
    named = {key: findings[key] for key in TAUGHT if key in findings}
    for key, names in named.items():
        if wrong := [name for name in names if name not in known]:
            near = hint(wrong[0], known, otherwise="models are tuned on the datasets of a study")
            raise UserError(
                f"findings.{key}: no dataset {wrong[0]!r} is tuned on; known are {', '.join(known) or 'none'}\n{near}"
            )
    if len(named) == 1:
        raise UserError(
            f"findings: {next(iter(named))} is given without the other one\n"
            "hint: form and knowledge are compared; give both"
        )
    if both := sorted(set(named.get("form", [])) & set(named.get("knowledge", []))):
        raise UserError(
            f"findings: {both[0]!r} is listed as form and as knowledge\nhint: name it in one of the two lists"
        )

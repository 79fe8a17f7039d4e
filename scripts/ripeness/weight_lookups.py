"""What the rules ask of the plan about weights: what is known of them before they are there. See lookups.py."""

import hashlib
from types import SimpleNamespace
from typing import Any

from ripeness.annealed_twins import is_twin
from ripeness.lookups import to_json
from ripeness.plan import Study
from ripeness.pretraining_steps import place_of
from ripeness.series_files import same_weights_known, series_facts
from ripeness.series_lookups import corpus_recipe, hub_sources, pretrained_series, pretraining_settings


def weights_known(study: Study) -> dict[str, Any]:
    """For each series its seed of pre-training, what its file knows of equal weights, and recipes of what is made here.

    audit_weights.py compares them, with records of what is fetched in their places.
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


def compare_option(study: Study, wildcards: Any) -> str:
    """Says that the weights of a series which is pre-trained here are compared; those of others the audit compares."""
    is_meant = "same-weights" in study.config["audit"]["acknowledge"]
    return "--compare-weights" if wildcards.series in pretrained_series(study) and not is_meant else ""

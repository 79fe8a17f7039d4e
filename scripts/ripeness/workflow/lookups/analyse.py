"""Rule inputs and parameters for rules/analyse.smk."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Template

from ripeness.runtime.project import ROOT
from ripeness.study.grid import Study, datasets_tuned_on
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import ANSWERS, POLICY, PREFERENCES
from ripeness.study.own_claims import own_claims, settings_alone
from ripeness.study.seed_repeats import repeats
from ripeness.study.study_config import MODELS, PUBLISHED, THEORY
from ripeness.study.written_claims import FILE, LOOKS
from ripeness.workflow.figure_declarations import declared_figures
from ripeness.workflow.lookups.shared import results, runs_models, to_script

CAPTIONS = ROOT / "reports"


def finding_settings(study: Study, wildcards: Any) -> str:
    """How claims are tested: at the fewest shots with which tuned models are asked, unless that is none.

    For published numbers with the groups and types that the study names; for several series with what they share.
    """
    suites = study.config.get("suites", {}).values()
    shots = min((n for suite in suites if "datasets" in suite for n in suite["shots"]), default=0)
    published = study.config.get("published", {})
    named = {key: published[key] for key in ("learned", "not_learned") if key in published}
    if tuned_on := published.get("tuned_on"):
        named["kinds"] = {name: entry["kind"] for name, entry in tuned_on.items() if "kind" in entry}
    if published and "perhaps-one-label" in study.config.get("audit", {}).get("acknowledge", {}):
        named["is_one_label_meant"] = True
    if views := views_of(study):
        named["views"] = views
    settings = settings_alone(study.config["findings"])
    return to_script(settings | named | repeats(study.config) | ({"shots": shots} if shots else {}))


def views_of(study: Study) -> dict[str, str]:
    """Say of each dataset that is a view of another what it shows: exchanged or blank pictures, or a part."""
    return {name: task.pictures or "part" for name, task in study.tasks.items() if task.view_of}


def claims_of_its_own(study: Study, wildcards: Any) -> str:
    """Give the study's own claims."""
    return to_script(own_claims(study.config))


def claims_file(study: Study, wildcards: Any) -> str:
    """Name the file that says when the study's own claims were written: a parameter, since no rule makes it."""
    return f"{results(study)}/{FILE}"


def looks_file(study: Study, wildcards: Any) -> str:
    """Name the file that keeps how often results were looked at: a parameter, since a run adds to it."""
    return f"{results(study)}/{LOOKS}"


def has_texts(study: Study) -> bool:
    """Say whether running text is read by tuned models."""
    return any("texts" in suite for suite in study.config.get("suites", {}).values())


def has_linear_reading(study: Study) -> bool:
    """Say whether a method reads the states of untouched models."""
    methods = study.config.get("methods", {}).values()
    return any(method.get("kind") == "features" and "from" not in method for method in methods)


def has_doses(study: Study) -> bool:
    """Say whether a method that starts from the checkpoint has several doses of examples."""
    return any("doses_of" in method and "from" not in method for method in study.config.get("methods", {}).values())


def has_alignment(study: Study) -> bool:
    """Say whether a method learns preferences or from rewards."""
    methods = study.config.get("methods", {}).values()
    return any(method.get("learns") in (PREFERENCES, POLICY) for method in methods)


def has_policies(study: Study) -> bool:
    """Say whether a method learns from rewards, and draws texts that are then measured."""
    methods = study.config.get("methods", {}).values()
    return any(method.get("learns") == POLICY and method.get("tries") != 0 for method in methods)


def has_several_ways(study: Study) -> bool:
    """Say whether several methods tune the same start on as many examples."""
    ways = [method for method in study.config.get("methods", {}).values() if moves_model(method)]
    tasks = [(repr(way.get("from")), way.get("learns", ANSWERS), way.get("examples")) for way in ways]
    return max(Counter(tasks).values(), default=0) > 1


def moves_model(method: Mapping[str, Any]) -> bool:
    """Say whether a method changes what the model makes of a text."""
    return "kind" in method and not KINDS[method["kind"]].leaves_model(method)


def has_rate_grid(study: Study) -> bool:
    """Say whether a method has a list of learning rates."""
    return any(on["is_grid"] for recipe in study.recipes.values() for on in recipe.values())


# What a figure may need of a study: by the name that figures/<id>.py gives it in `needs`.
NEEDS: Mapping[str, Callable[[Study], bool]] = {
    "measurements": lambda study: study.settings.kind in (MODELS, PUBLISHED),
    "models": runs_models,
    "simulations": lambda study: study.settings.kind == THEORY,
    "sensitivity": lambda study: "sensitivity" in study.config,
    "texts": has_texts,
    "a linear reading": has_linear_reading,
    "doses": has_doses,
    "alignment": has_alignment,
    "policies": has_policies,
    "pictures": lambda study: "pictures" in study.config,
    "several ways": has_several_ways,
    "several datasets": lambda study: not runs_models(study) or len(datasets_tuned_on(study)) > 1,
    "several rates": has_rate_grid,
    "several recipes": lambda study: len(study.recipes) > 1,
}


def figures_of(study: Study) -> dict[str, str]:
    """List the figures that a study has, each with the section of Snakemake's report that it stands in."""
    return {
        figure.id: figure.section for figure in declared_figures() if all(NEEDS[need](study) for need in figure.needs)
    }


def figure_caption(study: Study, wildcards: Any) -> str:
    """Return the caption of a figure (reports/<figure>.rst) with the study's numbers, for Snakemake's own report."""
    text = (CAPTIONS / f"{wildcards.figure}.rst").read_text(encoding="utf-8")
    return Template(text).render(snakemake={"config": study.config})

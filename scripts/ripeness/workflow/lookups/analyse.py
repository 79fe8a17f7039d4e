"""Rule inputs and parameters for rules/analyse.smk."""

from typing import Any

from jinja2 import Template

from ripeness.runtime.project import ROOT
from ripeness.study.grid import Study, datasets_tuned_on
from ripeness.study.seed_repeats import repeats
from ripeness.workflow.lookups.shared import runs_models, to_script

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
    return to_script(study.config["findings"] | named | repeats(study.config) | ({"shots": shots} if shots else {}))


def figures_without_data(study: Study) -> set[str]:
    """Figures of studies of models that this one has no data for.

    Nothing is perturbed, no text is read of tuned models, there are no several ways of tuning, or rates, to compare, or
    no two datasets, so that none could be learned and another not.
    """
    config = study.config
    is_read = any("texts" in suite for suite in config.get("suites", {}).values())
    is_grid = any(on["is_grid"] for recipe in study.recipes.values() for on in recipe.values())
    lacks = set() if "sensitivity" in config else {"sensitivity"}
    lacks |= {"gain-by-group"} if runs_models(study) and len(datasets_tuned_on(study)) < 2 else set()
    lacks |= set() if is_read else {"tuning-loss"}
    lacks |= set() if is_read and len(study.recipes) > 1 else {"pareto"}
    return lacks | (set() if is_read and is_grid else {"four-readings"})


def figure_caption(study: Study, wildcards: Any) -> str:
    """The caption of a figure (reports/<figure>.rst) with the study's numbers, for Snakemake's own report."""
    text = (CAPTIONS / f"{wildcards.figure}.rst").read_text(encoding="utf-8")
    return Template(text).render(snakemake={"config": study.config})

"""What the rules ask of the plan about the report: its figures, and the prompts that it shows. See lookups.py."""

from pathlib import Path
from typing import Any

from jinja2 import Template

from ripeness.lookups import probe_rows, results, runs_models, to_json
from ripeness.plan import UNSEEDED, Cell, Study, cells_at, datasets_tuned_on, probes_asked

CAPTIONS = Path(__file__).parents[2] / "reports"


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


def shown_series(study: Study) -> str:
    """The series whose prompts the report shows: the first that is asked as much as any."""
    return max(study.checkpoints, key=lambda series: len(probes_asked(study, series)))


def shown_cells(study: Study) -> list[Cell]:
    """The untouched cells whose prompts the report shows: those of the first checkpoint and seed."""
    if not runs_models(study):
        return []
    series, seed = shown_series(study), study.config["seeds"][0]
    cells = cells_at(study, series, next(iter(study.checkpoints[series])))
    return [c for c in cells if c.method == "base" and c.seed == seed and c.format not in UNSEEDED]


def shown_probes(study: Study, wildcards: Any) -> str:
    """The probes whose prompts the report shows."""
    return to_json([row for cell in shown_cells(study) for row in probe_rows(study, cell)])


def shown_files(study: Study, wildcards: Any) -> list[str]:
    """The examples that the shown prompts are taken from."""
    return [f"{results(study)}/examples/{cell.dataset}/{cell.format}" for cell in shown_cells(study)]


def shown_checkpoint(study: Study, wildcards: Any) -> str:
    """The checkpoint whose tokenizer reads the shown prompts."""
    series = shown_series(study)
    return f"{results(study)}/checkpoints/{series}/{next(iter(study.checkpoints[series]))}"


def shown_seed(study: Study, wildcards: Any) -> int:
    """The seed that draws the shots of the shown prompts."""
    return study.config["seeds"][0]


def prompts_file(study: Study, wildcards: Any) -> list[str]:
    """The shown prompts; without models there are none."""
    return [f"{results(study)}/prompts.json"] if runs_models(study) else []

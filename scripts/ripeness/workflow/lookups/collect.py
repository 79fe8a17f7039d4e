"""Give inputs and parameters to the rules of rules/collect.smk."""

from ripeness.study.grid import Study, cells_at, tuned_series
from ripeness.study.study_config import THEORY
from ripeness.workflow.lookups.shared import is_published, results, runs_models, to_json
from ripeness.workflow.wildcards import Wildcards


def chosen_by(study: Study) -> str:
    """Return what chooses among the trainings of every method: its score, or its loss."""
    return to_json({name: settings["choose_by"] for name, settings in study.settings.tuning_methods.items()})


def scores_at(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the measurements of all cells of one checkpoint."""
    return [
        f"{results(study)}/cells/{cell.path}/measurements.parquet"
        for cell in cells_at(study, wildcards.series, wildcards.checkpoint)
    ]


def checkpoint_tables(study: Study) -> list[str]:
    """Return the collected measurements of every checkpoint."""
    return tables_of_checkpoints(study, "measurements")


def status_tables(study: Study) -> list[str]:
    """Return the collected cells of every checkpoint."""
    return tables_of_checkpoints(study, "cells")


def item_tables(study: Study) -> list[str]:
    """Return the collected items of every checkpoint; published numbers have none."""
    return tables_of_checkpoints(study, "items") if runs_models(study) else []


def measurements_table(study: Study) -> list[str]:
    """Return all measurements; a study of the theory has none."""
    return [] if study.settings.kind == THEORY else [f"{results(study)}/tables/measurements.parquet"]


def cells_table(study: Study) -> list[str]:
    """Return all cells; a study of the theory has none."""
    return [] if study.settings.kind == THEORY else [f"{results(study)}/tables/cells.parquet"]


def tables_of_checkpoints(study: Study, name: str) -> list[str]:
    """Return one of the tables that collect_checkpoint writes, for every checkpoint with cells.

    Published numbers have one.
    """
    if is_published(study):
        return [f"{results(study)}/tables/{name}/published.parquet"]
    return [
        f"{results(study)}/tables/{name}/{series}/{checkpoint}.parquet"
        for series in tuned_series(study)
        for checkpoint in study.checkpoints[series]
    ]


def published_tables(study: Study) -> list[str]:
    """Return the tables of published numbers."""
    return study.settings.published_tables


def published_settings(study: Study) -> str:
    """Return the settings for reading published tables."""
    return to_json(study.settings.published)

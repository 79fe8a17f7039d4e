"""Models of a study that read pictures: the stages of their tuning, and their scores with their own and other pictures.

The first stage trains a projector alone, the second the projector and the model (Liu et al., arXiv 2310.03744).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from ripeness.findings.finding import Settings
from ripeness.findings.scores import Block, Row, Scores, codes, in_order, matrix_of, outline, partitioned
from ripeness.findings.study_tables import Tables
from ripeness.study.grid import VIEWS
from ripeness.study.methods.settings import ANSWERS
from ripeness.tables.columns import REPORTED
from ripeness.tables.ways_of_tuning import FULL, Way, ways_of

EXCHANGED, BLANK, PART = "exchanged", "blank", "part"  # what a view is, by what it shows
SKIPPED = 0.02  # of the steps of the longest first stage: one this short leaves the projector as it began


class Stages(NamedTuple):
    """Two methods of which the second starts from the first, and the optimiser's steps of the first."""

    first: str
    second: str
    steps: float


def stages_of(cells: pl.DataFrame) -> list[Stages]:
    """List the trainings of projector and model, those with the longest first stage first; of kind full before others.

    A first stage whose steps are not known counts as one of no steps.
    """
    ways = ways_of(cells)
    steps = dict(cells.group_by("method").agg(pl.col("steps").max()).iter_rows())
    found = [
        Stages(way.start, name, float(steps.get(way.start) or 0))
        for name, way in ways.items()
        if way.start is not None and way.start in ways and ways[way.start].sees
    ]
    return sorted(found, key=lambda one: (-one.steps, ways[one.second].kind != FULL, one.second))


def judged_stages(cells: pl.DataFrame, settings: Settings) -> Stages | None:
    """Choose the training that stands for a study: that of the settings, else the first; None where there is none."""
    found = stages_of(cells)
    return next((one for one in found if one.second == settings.method), found[0] if found else None)


def without_first(cells: pl.DataFrame, stages: Stages) -> Stages | None:
    """Find the same kind of training with no first stage worth the name; None where there is none."""
    ways = ways_of(cells)
    kind = ways[stages.second].kind
    short = [one for one in stages_of(cells) if one.steps <= SKIPPED * stages.steps]
    return next((one for one in short if ways[one.second].kind == kind), None)


def blind_methods(cells: pl.DataFrame) -> list[str]:
    """List plain trainings of the datasets that have pictures: they read the questions alone."""
    ways = ways_of(cells)
    datasets = cells.filter(pl.col("method").is_in([name for name, way in ways.items() if way.sees]))[
        "dataset"
    ].unique()
    theirs = cells.filter(pl.col("dataset").is_in(datasets.to_list()))["method"].unique()
    return [name for name, way in ways.items() if way == Way(FULL, None, ANSWERS, None) and name in set(theirs)]


def named(method: str, view: str) -> str:
    """Name a method that is asked with the pictures of a view."""
    return f"{method}, {view}"


def scores_with_views(tables: Tables, method: str, views: Mapping[str, str], shots: int) -> Scores:
    """Collect scores of a method on the dataset tuned on, with its pictures and with those of views.

    A view has the items of the dataset: its rows stand for another method (`named`) on the same items, so that both are
    paired. `views` says of probes what they are.
    """
    tables_of_points = []
    own = pl.col("probe") == pl.col("dataset")
    shown = pl.col("probe").replace_strict(dict(views), default=None, return_dtype=pl.String)
    for table in tables.all_items:
        rows = table.filter(
            pl.col("is_chosen"), pl.col("split") == "test", pl.col("shots") == shots, pl.col("method") == method
        )
        others = rows.filter(pl.col("suite") == VIEWS, shown.is_in([EXCHANGED, BLANK]))
        as_method = pl.concat_str(pl.col("method"), pl.lit(", "), shown).alias("method")
        others = others.with_columns(as_method).with_columns(probe=pl.col("dataset"))
        both = pl.concat([rows.filter(REPORTED, own), others]).drop_nulls("score")
        if not both.head(1).collect().is_empty():
            tables_of_points.append(both.with_columns(pl.col("score").cast(pl.Float64)))
    return in_memory(tables_of_points)


def in_memory(tables: list[pl.LazyFrame]) -> Scores:
    """Arrange the scores of tables, one a checkpoint, as matrices in memory."""
    points, columns = outline(tables)
    rows: dict[tuple[str, str], list[Row]] = {key: [] for key in sorted(columns)}
    values: dict[tuple[str, str], list[np.ndarray]] = {key: [] for key in rows}
    for table in tables:
        for key, part in partitioned(table.collect()).items():
            models, matrix = matrix_of(part, columns[key])
            rows[key] += models
            values[key].append(matrix)
    blocks = {}
    for (probe, split), models in rows.items():
        items = columns[probe, split]
        clusters, gold = codes(items["cluster"].fill_null(items["item"])), codes(items["gold"].fill_null(""))
        matrix = np.concatenate(values[probe, split])
        blocks[probe, split] = Block(probe, items["probe_kind"][0], models, matrix, clusters, gold)
    return Scores(in_order(points), blocks)

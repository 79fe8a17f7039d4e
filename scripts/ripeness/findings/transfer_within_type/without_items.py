"""Transfer within a type of task where there are measurements and no items, as in published tables."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from ripeness.findings.caveats import most_checkpoints
from ripeness.findings.finding import Finding, Settings, on_enough, undecided
from ripeness.findings.scores import Row, Scores
from ripeness.findings.study_tables import Tables
from ripeness.findings.trajectories import points_of
from ripeness.findings.transfer_within_type.carried import (
    HALVES,
    UNLIKE,
    Carried,
    Change,
    halves_of,
    pair_rows,
    sentence,
)
from ripeness.findings.transfer_within_type.datasets import FEW, halved
from ripeness.findings.two_estimates import OF_CHANGES, alone, both_of, two_lines, with_both
from ripeness.findings.without_items import (
    MANY,
    caveats_of,
    covers_of,
    estimated,
    kinds_of,
    method_caveats,
    missing_caveats,
    pairs_of,
)
from ripeness.stats.at_large import Sources
from ripeness.stats.random_levels import Component
from ripeness.tables.intervals import mean_or_null


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare later with earlier checkpoints; see claim.py.

    Both halves are taken as independent, and the standard error of a mean as at most the mean of the standard errors,
    which is conservative since they share items.
    """
    measurements = tables.reported
    points = Scores(points_of(measurements))
    pairs = alike_of(measurements, points, settings)
    caveats = (*caveats_of(measurements, settings), *method_caveats(measurements), *missing_caveats(pairs), UNLIKE)
    if pairs.is_empty():
        models = "a tuned model and its untouched checkpoint"
        reason = f"no pair of {models} was measured on another dataset of the type tuned on"
        return undecided(Finding(caveats=caveats), reason)
    carried = Carried([change_of(pair) for pair in pairs.iter_rows(named=True)])
    finding = Finding(
        covers=covers_of(measurements, is_tuned=True),
        n_seeds=measurements.filter(pl.col("method") != "base")["seed"].drop_nulls().n_unique(),
        n_checkpoints=pairs.select("series", "checkpoint").unique().height,
        caveats=caveats,
        details=tuple(pair_rows(carried, points)),
    )
    means = means_of_halves(pairs)
    if len(means) < len(HALVES):
        return undecided(finding, "one half of the checkpoints has no such pair of datasets")
    (earlier, se_earlier), (later, se_later) = (means[half] for half in HALVES)
    result = estimated(later - earlier, float(np.hypot(se_earlier, se_later)), settings)
    if np.isnan(result.low):
        statement = f"Cannot be decided: some numbers have no standard error. {sentence(carried, alone(result))}"
        return replace(finding, statement=statement, effect=result.effect)
    table = halved(carried.comparisons(), halves_of(points), kinds_of(measurements, settings))
    early, late = table.means()
    sources = Sources(Component(result.se**2, MANY))
    datasets = table.over_datasets(late - early)
    both = both_of(result.effect, datasets, sources, settings, n_datasets=table.pairs.n_datasets, most=OF_CHANGES)
    finding = replace(finding, statement=sentence(carried, two_lines(both)))
    finding = with_both(finding, both, settings, too_few=FEW, is_tuned=False)
    return on_enough(finding, most_checkpoints(carried.rows), settings)


def means_of_halves(pairs: pl.DataFrame) -> dict[str, tuple[float, float]]:
    """Average the changes of each half of the checkpoints, with the standard error; NaN where one is missing."""
    means = pairs.group_by("half").agg(pl.col("change").mean(), se=mean_or_null("se"))
    return {half: (change, np.nan if se is None else se) for half, change, se in means.iter_rows()}


def change_of(pair: Mapping[str, Any]) -> Change:
    """Make a change of one row of the table of pairs; format, method and seed are averaged there."""
    row = Row(pair["series"], pair["checkpoint"], pair["dataset"], "", "", 0, "")
    return Change(row, pair["probe"], pair["half"], pair["change"], pair["before"])


def alike_of(measurements: pl.DataFrame, points: Scores, settings: Settings) -> pl.DataFrame:
    """Select pairs of datasets of one type at the checkpoints of the trend, each with its half of them."""
    kinds = kinds_of(measurements, settings)
    halves = [(point.series, point.checkpoint, half) for point, half in halves_of(points).items()]
    places = pl.DataFrame(halves, schema=dict.fromkeys(["series", "checkpoint", "half"], pl.String), orient="row")
    kind = pl.col("dataset").replace_strict(kinds, default=None, return_dtype=pl.String)
    pairs = pairs_of(measurements).filter(~pl.col("is_own"), kind == pl.col("probe_kind"))
    return pairs.join(places, on=["series", "checkpoint"]).sort("series", "tokens", "dataset", "probe")

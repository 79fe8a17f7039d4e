"""Average what a treatment changes over late checkpoints, with the error of runs, checkpoints, datasets and seeds.

Or over early ones, or compare both (`Halves`).
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from ripeness.findings.caveats import MIN_RUNS
from ripeness.findings.over_checkpoints import LEAST_POINTS, MANY, Course, Over, neighbours_of
from ripeness.stats.neighbours import Neighbours
from ripeness.stats.random_levels import (
    Component,
    combined,
    larger,
    left_of_cells,
    over_checkpoints,
    over_units,
)
from ripeness.stats.resampling import with_interval

MANY_DATASETS = 3  # from which datasets are a sample


class Halves(NamedTuple):
    """How the means over late and over early checkpoints are summed."""

    late: float
    early: float

    def sums(self, pairs: pl.DataFrame, by: str) -> np.ndarray:
        """Sum the means of `change` over both halves, for each member of a column, in order."""
        halves = ((self.late, pl.col("is_late")), (self.early, ~pl.col("is_late")))
        terms = [factor * pl.col("change").filter(half).mean() for factor, half in halves if factor]
        found = self.used(pairs).group_by(by).agg(value=pl.sum_horizontal(terms, ignore_nulls=False))
        return found.sort(by)["value"].drop_nulls().to_numpy()

    def used(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Keep the checkpoints that count."""
        return pairs.filter(pl.when("is_late").then(self.late != 0).otherwise(self.early != 0))

    def weights(self, is_late: np.ndarray) -> np.ndarray:
        """Return the weights [points] under which values of checkpoints sum up to this."""
        halves = ((self.late, is_late), (self.early, ~is_late))
        return np.sum([factor * half / half.sum() for factor, half in halves if factor], axis=0)


LATE, EARLY, RISE = Halves(1.0, 0.0), Halves(0.0, 1.0), Halves(1.0, -1.0)


def over_late(pairs: pl.DataFrame, confidence: float, *, halves: Halves = LATE, items: float = 0.0) -> Over:
    """Estimate the mean `change` over the late checkpoints of all runs, or another sum of `halves`.

    `pairs` has a row for every series, checkpoint (tokens), dataset, format and seed, and `is_late`. `items` is the
    variance that the sum has from test items, where those are not in what varies between checkpoints.
    """
    runs = {str(name): own for (name,), own in sorted(pairs.group_by("series"), key=str)}
    means = halves.sums(pairs, "series")
    datasets = error_of_datasets(pairs, halves)
    if len(runs) >= MIN_RUNS:
        whole, near = over_units(means), Neighbours()
    else:
        parts = [error_of_run(own, halves) for own in runs.values()]
        near = max((neighbours for _, neighbours in parts), default=Neighbours())
        known = [part for part, _ in parts if part]
        if not known or len(known) < len(parts):
            return Over(None, near)
        summed = combined(known)
        whole = Component(summed.variance / len(runs) ** 2, summed.df)
    if whole is None:
        return Over(None, near)
    if datasets:
        whole = crossed(whole, datasets, error_of_cells(pairs, halves))  # the scatter of datasets holds that of items
    elif items:
        whole = combined([whole, Component(items, MANY)])
    return Over(with_interval(float(means.mean()), whole.variance**0.5, df=whole.df, confidence=confidence), near)


def crossed(shared: Component, datasets: Component, cells: float) -> Component:
    """Add to the scatter of datasets what checkpoints, or runs, do to all of them alike.

    The scatter of datasets holds that of single cells already, so that it is taken out of that of checkpoints.
    """
    return combined([datasets, Component(max(shared.variance - cells, 0.0), shared.df)])


def error_of_run(pairs: pl.DataFrame, halves: Halves) -> tuple[Component | None, Neighbours]:
    """Compute the variance of the sum of one run, from the scatter of checkpoints about a smooth curve.

    Or that over seeds where it is more. The scatter is that of all checkpoints: late ones alone are few, and a curve
    through few takes the level along that all of them share by chance. None for one seed. Below LEAST_POINTS it is that
    about the mean, for numbers on which nothing is decided.
    """
    seeds = over_units(halves.sums(pairs, "seed"))
    means = pairs.group_by("tokens", "is_late").agg(pl.col("change").mean()).sort("tokens")
    if seeds is None:
        return None, Neighbours()
    if means.height < LEAST_POINTS:
        scatter = over_units(halves.used(means)["change"].to_numpy())
        return (larger(scatter, seeds) if scatter else seeds), Neighbours()
    course = Course("", np.log2(means["tokens"].to_numpy().astype(float)), means["change"].to_numpy()[:, None])
    near = neighbours_of([course])
    scatter = over_checkpoints(course.place, course.values, halves.weights(means["is_late"].to_numpy()), near.rho)
    return (larger(scatter, seeds) if scatter else seeds), near


def error_of_datasets(pairs: pl.DataFrame, halves: Halves) -> Component | None:
    """Compute the variance of the sum over datasets; None for fewer than MANY_DATASETS."""
    sums = halves.sums(pairs, "dataset")
    return over_units(sums) if len(sums) >= MANY_DATASETS else None


def error_of_cells(pairs: pl.DataFrame, halves: Halves) -> float:
    """Estimate the variance that single cells of a checkpoint and a dataset leave in the sum."""
    used = halves.used(pairs).group_by("series", "tokens", "is_late", "dataset").agg(pl.col("change").mean())
    cells = used.sort("series", "tokens", "dataset")
    points = cells.select(pl.struct("series", "tokens").rank("dense") - 1).to_series().to_numpy().astype(int)
    datasets = cells["dataset"].rank("dense").to_numpy().astype(int) - 1
    n_late = int(cells["is_late"].sum())
    shares = [factor**2 / n for factor, n in ((halves.late, n_late), (halves.early, cells.height - n_late)) if factor]
    return left_of_cells(cells["change"].to_numpy(), points, datasets) * sum(shares)

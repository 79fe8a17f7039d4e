"""Average what a treatment changes over late checkpoints, with the error of runs, checkpoints, datasets and seeds."""

import numpy as np
import polars as pl

from ripeness.findings.caveats import MIN_RUNS
from ripeness.findings.over_checkpoints import LEAST_POINTS, Course, Over, neighbours_of
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


def over_late(pairs: pl.DataFrame, confidence: float) -> Over:
    """Estimate the mean `change` over the late checkpoints of all runs.

    `pairs` has a row for every series, checkpoint (tokens), dataset, format and seed, and `is_late`.
    """
    late = pairs.filter("is_late")
    runs = {str(name): own for (name,), own in sorted(pairs.group_by("series"), key=str)}
    means = late.group_by("series").agg(pl.col("change").mean()).sort("series")["change"].to_numpy()
    datasets = error_of_datasets(late)
    if len(runs) >= MIN_RUNS:
        whole, near = over_units(means), Neighbours()
    else:
        parts = [error_of_run(own) for own in runs.values()]
        near = max((neighbours for _, neighbours in parts), default=Neighbours())
        known = [part for part, _ in parts if part]
        if not known or len(known) < len(parts):
            return Over(None, near)
        summed = combined(known)
        whole = Component(summed.variance / len(runs) ** 2, summed.df)
    if whole is None:
        return Over(None, near)
    whole = crossed(whole, datasets, error_of_cells(late)) if datasets else whole
    return Over(with_interval(float(means.mean()), whole.variance**0.5, df=whole.df, confidence=confidence), near)


def crossed(shared: Component, datasets: Component, cells: float) -> Component:
    """Add to the scatter of datasets what checkpoints, or runs, do to all of them alike.

    The scatter of datasets holds that of single cells already, so that it is taken out of that of checkpoints.
    """
    return combined([datasets, Component(max(shared.variance - cells, 0.0), shared.df)])


def error_of_run(pairs: pl.DataFrame) -> tuple[Component | None, Neighbours]:
    """Compute the variance of the mean change over late checkpoints of one run, from the scatter about a smooth curve.

    Or that over seeds where it is more. The scatter is that of all checkpoints: late ones alone are few, and a curve
    through few takes the level along that all of them share by chance. None for one seed. Below LEAST_POINTS it is that
    about the mean, for numbers on which nothing is decided.
    """
    late = pairs.filter("is_late")
    seeds = over_units(late.group_by("seed").agg(pl.col("change").mean())["change"].to_numpy())
    means = pairs.group_by("tokens", "is_late").agg(pl.col("change").mean()).sort("tokens")
    if seeds is None:
        return None, Neighbours()
    if means.height < LEAST_POINTS:
        scatter = over_units(means.filter("is_late")["change"].to_numpy())
        return (larger(scatter, seeds) if scatter else seeds), Neighbours()
    course = Course("", np.log2(means["tokens"].to_numpy().astype(float)), means["change"].to_numpy()[:, None])
    weights = means["is_late"].to_numpy() / means["is_late"].sum()
    near = neighbours_of([course])
    scatter = over_checkpoints(course.place, course.values, weights, near.rho)
    return (larger(scatter, seeds) if scatter else seeds), near


def error_of_datasets(late: pl.DataFrame) -> Component | None:
    """Compute the variance of the mean over datasets; None for fewer than MANY_DATASETS."""
    means = late.group_by("dataset").agg(pl.col("change").mean())["change"].to_numpy()
    return over_units(means) if len(means) >= MANY_DATASETS else None


def error_of_cells(late: pl.DataFrame) -> float:
    """Estimate the variance that single cells of a checkpoint and a dataset leave in their mean."""
    cells = (
        late.group_by("series", "tokens", "dataset").agg(pl.col("change").mean()).sort("series", "tokens", "dataset")
    )
    points = cells.select(pl.struct("series", "tokens").rank("dense") - 1).to_series().to_numpy().astype(int)
    datasets = cells["dataset"].rank("dense").to_numpy().astype(int) - 1
    return left_of_cells(cells["change"].to_numpy(), points, datasets) / cells.height

"""Differences of two studies on the same items, model by model: mean, interval, corrected p, verdict."""

import polars as pl

from ripeness.outputs.paired_models import ASKED, MODEL, Pairs
from ripeness.stats.verdicts import holm
from ripeness.tables.intervals import Z, least_variance

LEVEL = 0.05
BETTER, WORSE, ALIKE, OPEN = "B is better", "B is worse", "alike", "undecided"


def differences(pairs: Pairs, smallest: float) -> pl.DataFrame:
    """Compute B minus A for each model and probe, with a 95 % interval and a verdict.

    The interval covers the sampling of items, paired and clustered, and where a study has two seeds or more, seeds. The
    verdict is better or worse where p, after Holm's correction for all rows, is below 0.05; alike where the interval
    lies within `smallest` of 0; else undecided.
    """
    if pairs.rows.is_empty():
        return pairs.rows
    by = [*MODEL, *ASKED]
    rows = pairs.rows.with_columns(difference=pl.col("score_b") - pl.col("score"))
    means = rows.group_by(by, maintain_order=True).agg(
        pl.len().alias("n_items"),
        pl.col("score").mean().alias("a"),
        pl.col("score_b").mean().alias("b"),
        pl.col("difference").mean(),
        (pl.col("difference") > 0).sum().alias("won"),
        (pl.col("difference") < 0).sum().alias("lost"),
        pl.col("n_seeds").max().alias("seeds_a"),
        pl.col("n_seeds_b").max().alias("seeds_b"),
        (pl.col("seed_variance").first() + pl.col("seed_variance_b").first()).alias("of_seeds"),
    )
    found = means.join(item_variances(rows, by), on=by, how="left", maintain_order="left")
    variance = pl.max_horizontal("item_variance", least_variance()) + pl.col("of_seeds")
    found = found.with_columns(se=pl.when(pl.col("item_variance").is_not_null()).then(variance.sqrt()))
    found = found.with_columns(
        low=pl.col("difference") - Z * pl.col("se"), high=pl.col("difference") + Z * pl.col("se")
    )
    return (
        judged(found, smallest)
        .drop("item_variance", "of_seeds")
        .sort(pl.col("difference").abs(), descending=True, maintain_order=True)
    )


def item_variances(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Compute the variance of each mean difference over clusters of items; null for a single cluster."""
    deviation = pl.col("difference") - pl.col("difference").mean().over(by)
    return (
        rows.with_columns(deviation=deviation)
        .group_by(*by, "cluster", maintain_order=True)
        .agg(pl.col("deviation").sum(), pl.len().alias("n"))
        .group_by(by, maintain_order=True)
        .agg(
            pl.when(pl.len() > 1)
            .then((pl.col("deviation") ** 2).sum() / pl.col("n").sum() ** 2 * pl.len() / (pl.len() - 1))
            .alias("item_variance")
        )
    )


def judged(found: pl.DataFrame, smallest: float) -> pl.DataFrame:
    """Add p, p after Holm's correction, and the verdict of each row."""
    from scipy.stats import norm

    z = (found["difference"] / found["se"]).fill_null(0.0).to_numpy()
    p_values = (2 * norm.sf(abs(z))).tolist()
    p = pl.Series("p_holm", holm(p_values) if p_values else [], dtype=pl.Float64)
    is_decided = pl.col("p_holm") < LEVEL
    verdict = (
        pl.when(is_decided & (pl.col("difference") > 0))
        .then(pl.lit(BETTER))
        .when(is_decided)
        .then(pl.lit(WORSE))
        .when((pl.col("low") > -smallest) & (pl.col("high") < smallest))
        .then(pl.lit(ALIKE))
        .otherwise(pl.lit(OPEN))
    )
    return found.with_columns(p).with_columns(verdict=verdict)

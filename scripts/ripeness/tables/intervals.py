"""Compute points of a figure with their intervals: averages over seeds and formats, and changes by tuning.

An interval is of 95 %. It covers the sampling of test items, which averaging over seeds or formats does not
reduce since they share the items, and the variation between seeds.
"""

from collections.abc import Iterable

import polars as pl

from ripeness.tables.columns import HAS_VALUE, IS_PRIMARY

UNTUNED = ["text", "lm_eval"]  # "formats" in which nothing is tuned
POINT = ["series", "checkpoint", "step", "tokens", "phase"]
Z = 1.959964  # two-sided 95 % of a normal


def scores(measurements: pl.DataFrame) -> pl.DataFrame:
    """Keep rows of the primary metric of each probe on test items (running text has no split).

    Measurements without a number are left out, as those of a training that diverged are.
    """
    return measurements.filter(HAS_VALUE, IS_PRIMARY, (pl.col("split") == "test") | (pl.col("probe_kind") == "text"))


def mean_or_null(name: str) -> pl.Expr:
    """Compute the mean of a column, null if any value is: a mean of the known ones would claim too much."""
    return pl.when(pl.col(name).null_count() == 0).then(pl.col(name).mean()).alias(name)


def compared(rows: pl.DataFrame) -> pl.DataFrame:
    """Keep the number of shots at which tuned and untouched models are compared, probe by probe.

    The fewest with which tuned models were measured: 0 in a study of our own; else the fewest of untouched ones.
    """
    tuned = pl.col("shots").filter(pl.col("method") != "base").min()
    return rows.filter(pl.col("shots") == pl.coalesce(tuned, pl.col("shots").min()).over("probe"))


def pooled(frame: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Average `value` over what is not in `by` within each seed, then over seeds.

    Returns one row per `by` with value, item_variance (mean of se squared: an upper bound for an average over
    shared items), seed_variance (of the mean over seeds; 0 for one seed), n_items, n_seeds, chance and
    majority. Where no standard error is known item_variance is null, and there is no interval.
    """
    seeds = frame.group_by(*by, "seed").agg(
        pl.col("value").mean(),
        (pl.col("se") ** 2).mean().alias("item_variance"),
        pl.col("n_items", "chance", "majority").max(),
    )
    return seeds.group_by(by).agg(
        pl.col("value").mean(),
        pl.col("item_variance").mean(),
        (pl.col("value").var() / pl.len()).fill_null(0.0).alias("seed_variance"),
        pl.col("n_items", "chance", "majority").max(),
        pl.col("seed").n_unique().alias("n_seeds"),
    )


def with_interval(frame: pl.DataFrame, *, is_share: bool) -> pl.DataFrame:
    """Add `low` and `high` from item_variance and seed_variance, which are dropped.

    A share (0 to 1) has Wilson's interval at the number of items that would give this variance: it stays
    within 0 to 1 and does not vanish when every item is right. Anything else has the normal interval.
    """
    variance = pl.col("item_variance") + pl.col("seed_variance")
    value = pl.when(variance.is_not_null()).then("value")
    if is_share:
        spread = value * (1 - value)
        # Where all items score the same, the least variance that plus-four allows, or that of n_items if it is less.
        alike = pl.max_horizontal("n_items", spread / least_variance())
        n = pl.max_horizontal(pl.when((spread > 0) & (variance > 0)).then(spread / variance).otherwise(alike), 1.0)
        centre = (value + Z**2 / (2 * n)) / (1 + Z**2 / n)
        half = Z / (1 + Z**2 / n) * (spread / n + Z**2 / (4 * n**2)).clip(lower_bound=0).sqrt()
    else:
        centre, half = value, Z * variance.sqrt()
    return frame.with_columns((centre - half).alias("low"), (centre + half).alias("high")).drop(
        "item_variance", "seed_variance"
    )


def least_variance() -> pl.Expr:
    """Compute the variance of a share of n_items with plus-four, for two that differ (Agresti and Coull 1998)."""
    share = 2 / (pl.col("n_items") + 4)
    return share * (1 - share) / pl.col("n_items")


def changes(
    measurements: pl.DataFrame, by: list[str], paired: pl.DataFrame | None = None, *, kinds: list[str]
) -> pl.DataFrame:
    """Compute tuned minus untouched (same probe, format and shots), pooled to one row per `by` with its interval.

    Where `paired` (see `paired_variance`, for the same `by`) has the row, the sampling of items is that of
    paired differences; elsewhere the two are taken as independent, which is conservative since they share the
    items.
    """
    rows = compared(scores(measurements)).filter(pl.col("probe_kind").is_in(kinds))
    probe = ["series", "checkpoint", "probe", "probe_format", "metric"]
    base = rows.filter(pl.col("method") == "base").group_by(probe).agg(pl.col("value", "se").mean())
    differences = (
        rows.filter(pl.col("method") != "base")
        .join(base, on=probe, suffix="_base")
        .with_columns(
            (pl.col("value") - pl.col("value_base")).alias("value"),
            (pl.col("se") ** 2 + pl.col("se_base") ** 2).sqrt().alias("se"),
        )
    )
    change = pooled(differences, by).with_columns(pl.lit("independent").alias("items"))
    if paired is not None:
        found = pl.col("paired_variance").is_not_null()
        change = change.join(paired, on=[name for name in by if name in paired.columns], how="left").with_columns(
            pl.when(found).then("paired_variance").otherwise("item_variance").alias("item_variance"),
            pl.when(found).then(pl.lit("paired")).otherwise("items").alias("items"),
        )
    if kinds != ["text"]:
        # Where no item changed its answer nothing varies, yet the interval must not vanish.
        least = pl.max_horizontal("item_variance", least_variance())
        change = change.with_columns(pl.when(pl.col("item_variance").is_not_null()).then(least).alias("item_variance"))
    return with_interval(change.drop("paired_variance", strict=False), is_share=False)


def paired_variance(items: Iterable[pl.LazyFrame], by: list[str]) -> pl.DataFrame:
    """Estimate the sampling variance of the mean paired difference, tuned minus untouched, one row per `by`.

    `items` are those of one checkpoint after the other, and `by` tells checkpoints apart.
    """
    return pl.concat([paired_variance_at(part, by).collect() for part in items])


def paired_variance_at(items: pl.LazyFrame, by: list[str]) -> pl.LazyFrame:
    """Take the variance at one checkpoint.

    Differences are averaged per item over seeds and whatever else is not in `by`, then summed by cluster
    (items that share a passage), as in the cluster-robust variance of a mean (Miller 2024, arXiv 2411.00640,
    equation 4).
    """
    rows = items.filter(
        pl.col("shots") == 0, pl.col("split") == "test", pl.col("probe_kind").is_in(["choice", "generation"])
    )
    rows = rows.drop_nulls("score")
    item = ["series", "checkpoint", "probe", "probe_format", "item"]
    base = rows.filter(pl.col("method") == "base").group_by(item).agg(pl.col("score").mean().alias("base"))
    difference = pl.col("score") - pl.col("base")
    of_items = (
        rows.filter(pl.col("method") != "base")
        .join(base, on=item)
        .group_by(*by, "item", "cluster")
        .agg(difference.mean().alias("difference"))
    )
    of_clusters = (
        of_items.with_columns((pl.col("difference") - pl.col("difference").mean().over(by)).alias("deviation"))
        .group_by(*by, "cluster")
        .agg(pl.col("deviation").sum(), pl.len().alias("n"))
    )
    clusters = pl.len()
    variance = (pl.col("deviation") ** 2).sum() / pl.col("n").sum() ** 2 * clusters / (clusters - 1)
    return of_clusters.group_by(by).agg(pl.when(clusters > 1).then(variance).alias("paired_variance"))

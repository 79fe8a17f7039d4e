"""Changes of several sizes, as by noise or by tuning at several rates: means over repeats, and a colour a size."""

import altair as alt
import numpy as np
import polars as pl
from scipy import special

from ripeness.figures.colours import METHOD_COLOURS
from ripeness.findings.caveats import MIN_RUNS
from ripeness.findings.finding import Settings
from ripeness.findings.treated_curves import PLACE
from ripeness.tables.columns import HAS_VALUE

NONE = "none"  # the size of no change, and the recipe of the untouched model


def over_repeats(rows: pl.DataFrame, by: list[str], repeat: str, settings: Settings) -> pl.DataFrame:
    """Average `value` by checkpoint and `by`, with `low` and `high`; series become the name that their runs share.

    Repeats without a number are left out.
    """
    rows = rows.filter(HAS_VALUE)
    keys = [*PLACE, *by]
    run = pl.col("series").replace_strict(dict(settings.runs), default=pl.col("series"))
    repeats = rows.group_by(*keys, repeat).agg(pl.col("value").mean())
    series = repeats.group_by(keys).agg(pl.col("value").mean(), within=pl.col("value").var() / pl.len(), n=pl.len())
    points = (
        series.with_columns(series=run)
        .group_by(keys)
        .agg(
            pl.col("value").mean(),
            n_runs=pl.len(),
            n_seeds=pl.col("n").sum(),
            between=pl.col("value").var() / pl.len(),
            within=pl.col("within").sum() / pl.len() ** 2,
        )
    )
    has_runs = pl.col("n_runs") >= MIN_RUNS
    df = pl.when(has_runs).then(pl.col("n_runs") - 1).otherwise(pl.col("n_seeds") - pl.col("n_runs"))
    points = points.with_columns(df=df, se=pl.when(has_runs).then("between").otherwise("within").sqrt())
    quantile = special.stdtrit(np.maximum(points["df"].to_numpy(), 1).astype(float), 0.975)
    reach = pl.lit(pl.Series(quantile)) * pl.col("se")
    return points.with_columns(low=pl.col("value") - reach, high=pl.col("value") + reach).drop(
        "df", "se", "between", "within"
    )


def by_size(names: pl.Series) -> alt.Color:
    """Colour by the size of a change, in the order given, from light to dark; NONE is the untouched model."""
    sizes = [name for name in names.unique(maintain_order=True) if name != NONE]
    shares = [k / max(len(sizes) - 1, 1) for k in range(len(sizes))]
    colour_of = dict(zip(sizes, (f"hsl({28 - 20 * s:.0f}, 80%, {68 - 40 * s:.0f}%)" for s in shares), strict=True))
    if NONE in set(names):
        colour_of = {NONE: METHOD_COLOURS["base"], **colour_of}
    scale = alt.Scale(domain=list(colour_of), range=list(colour_of.values()))
    return alt.Color(
        f"{names.name}:N", scale=scale, legend=alt.Legend(title=names.name, symbolType="circle", symbolOpacity=1)
    )

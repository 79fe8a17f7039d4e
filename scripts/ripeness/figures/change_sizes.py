"""Changes of several sizes, as by noise or by tuning at several rates: means over repeats, and a colour a size."""

import altair as alt
import numpy as np
import polars as pl
from scipy import special

from ripeness.figures.colours import METHOD_COLOURS, SIZE_COLOURS
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
    value = pl.col("value")
    series = repeats.group_by(keys).agg(
        value.mean(), within=value.var() / pl.len(), n=pl.len(), low=value.min(), high=value.max()
    )
    points = (
        series.with_columns(series=run)
        .group_by(keys)
        .agg(
            pl.col("value").mean(),
            least=pl.when(pl.len() > 1).then(pl.col("value").min()).otherwise(pl.col("low").min()),
            most=pl.when(pl.len() > 1).then(pl.col("value").max()).otherwise(pl.col("high").max()),
            n_runs=pl.len(),
            n_seeds=pl.col("n").sum(),
            between=pl.col("value").var() / pl.len(),
            within=pl.col("within").sum() / pl.len() ** 2,
        )
    )
    has_runs = pl.col("n_runs") >= MIN_RUNS
    n = pl.when(has_runs).then("n_runs").otherwise(pl.col("n_seeds") - pl.col("n_runs") + 1)
    return over_few(
        points.with_columns(n_repeats=n, se=pl.when(has_runs).then("between").otherwise("within").sqrt()), "n_repeats"
    ).drop("between", "within", "n_repeats")


def over_few(points: pl.DataFrame, n: str = "n_seeds") -> pl.DataFrame:
    """Add `low` and `high`, 95 %, from `se` over `n` repeats, and drop what they are made of.

    Positive quantities have the interval on the logarithm, so that it stays above 0. Two repeats are too few for an
    interval (Student's quantile is 12.7): `low` and `high` are then the two themselves (`least`, `most`), and
    `is_range` is true.
    """
    df = points[n].to_numpy().astype(float) - 1
    reach = pl.lit(pl.Series(special.stdtrit(np.maximum(df, 1), 0.975))) * pl.col("se")
    value = pl.col("value")
    # the logarithm of a mean has the standard error se / mean (delta method)
    factor = (reach / value).exp()
    is_range, is_known = pl.col(n) == 2, pl.col(n) > 1
    low = pl.when(value > 0).then(value / factor).otherwise(value - reach)
    high = pl.when(value > 0).then(value * factor).otherwise(value + reach)
    return points.with_columns(
        low=pl.when(is_range).then("least").when(is_known).then(low),
        high=pl.when(is_range).then("most").when(is_known).then(high),
        is_range=is_range,
    ).drop("se", "least", "most")


def by_size(names: pl.Series) -> alt.Color:
    """Colour by the size of a change, in the order given, from light to dark; NONE is the untouched model.

    There is no legend: lines are named at their ends.
    """
    sizes = [name for name in names.unique(maintain_order=True) if name != NONE]
    last = len(SIZE_COLOURS) - 1
    colour_of = {name: SIZE_COLOURS[round(last * place / max(len(sizes) - 1, 1))] for place, name in enumerate(sizes)}
    if NONE in set(names):
        colour_of = {NONE: METHOD_COLOURS["base"], **colour_of}
    scale = alt.Scale(domain=list(colour_of), range=list(colour_of.values()))
    return alt.Color(f"{names.name}:N", scale=scale, legend=None)

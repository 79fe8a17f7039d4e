"""What the tidy frames behind figures share: what a figure's CSV holds and its chart draws.

Every frame has a column `row` (which strip of the figure) and `panel` (which small multiple of the strip),
the identity of the point, `value`, and `low` to `high`, a 95 % interval (tables/intervals.py says what it covers).
"""

from collections.abc import Sequence

import polars as pl
from polars import selectors

from ripeness.runtime.wording import human
from ripeness.tables.intervals import POINT

Items = Sequence[pl.LazyFrame]  # a table a checkpoint, so that all of them need not be in memory


def with_labels(frame: pl.DataFrame, panel: str) -> pl.DataFrame:
    """Add `panel` (the column of that name; with the series where there are several) and checkpoint labels.

    `label` names a checkpoint by its tokens, `order` sorts the labels, and `is_alone` marks an annealed checkpoint, or
    the one of its phase in a series, which no line connects to: it differs from the others in more than tokens.
    """
    series = [pl.col("series"), pl.lit(": ")] if frame["series"].n_unique() > 1 else []
    points = frame.select("series", "checkpoint", "tokens", "phase").unique()
    points = points.with_columns(
        ((pl.col("phase") == "annealed") | (pl.len().over("series", "phase") == 1)).alias("is_alone"),
        pl.struct("tokens", "phase")
        .map_elements(
            lambda point: human(point["tokens"]) + (" " + point["phase"] if point["phase"] != "stable" else ""),
            return_dtype=pl.String,
        )
        .alias("label"),
    )
    repeated = pl.len().over("series", "label") > 1
    points = points.with_columns(
        pl.when(repeated).then("checkpoint").otherwise("label").alias("label"),
        pl.struct("tokens", pl.col("phase") != "stable", "checkpoint").rank("dense").cast(pl.Int64).alias("order"),
    )
    return frame.with_columns(pl.concat_str(*series, pl.col(panel)).alias("panel")).join(
        points.drop("tokens", "phase"), on=["series", "checkpoint"]
    )


def bounded(frame: pl.DataFrame, lowest: float | None, highest: float | None) -> pl.DataFrame:
    """Cut intervals off at what is possible, such as 0 and 1 for a share: nothing beyond can be true."""
    return frame.with_columns(pl.col("low", "high").clip(lowest, highest))


def tidy(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Put the identity first, sort by it and round, so that the CSV is the same in every run."""
    first = [name for name in ("row", "panel", *POINT, "label", *keys, "value", "low", "high") if name in frame.columns]
    rounded = frame.select(*first, pl.exclude(first)).with_columns(selectors.float().round(5))
    keys = [name for name in first if name not in ("value", "low", "high", "label")]
    return rounded.sort([*keys, *(name for name in rounded.columns if name not in keys)])  # no two rows tie

"""The main score of each model on what it was tuned on, before and after tuning."""

import polars as pl

from ripeness.tables.columns import IS_OWN, REPORTED
from ripeness.tables.intervals import compared, scores

MODEL = ("series", "checkpoint", "step", "tokens", "phase", "dataset", "format", "method", "seed")


def main_scores(measurements: pl.DataFrame) -> pl.DataFrame:
    """Give a row for each tuned model at its chosen rate: the score after and before tuning, and the gain.

    `after` is that of the primary metric on test items, in the format of the tuning; `before` is the mean over seeds of
    the untouched checkpoint on the same items with as many shots; `se` is the standard error of `after` over items.
    """
    own = compared(scores(measurements.filter(REPORTED))).filter(
        IS_OWN, pl.col("format") == pl.col("probe_format"), pl.col("probe_kind") != "text"
    )
    place = ["series", "checkpoint", "probe", "probe_format", "metric"]
    before = own.filter(method="base").group_by(place).agg(before=pl.col("value").mean())
    tuned = own.filter(pl.col("method") != "base").join(before, on=place, how="left", maintain_order="left")
    return tuned.select(
        *MODEL,
        "metric",
        "before",
        pl.col("value").alias("after"),
        (pl.col("value") - pl.col("before")).alias("gain"),
        "se",
        "n_items",
        "chance",
    ).sort("dataset", "format", "method", "series", "tokens", "seed", maintain_order=True)

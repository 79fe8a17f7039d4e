"""The primary score of every model by seed and format, for the page to look up, in little space.

Each row says on how many items the tuned model is better than the untouched one in the same format (won), worse (lost),
or equally good or bad (both, neither).
"""

from collections.abc import Iterable
from typing import Any

import polars as pl

from ripeness.study.study_config import BASE
from ripeness.tables.columns import IS_OWN, IS_PRIMARY, REPORTED

NAMED = ["series", "checkpoint", "dataset", "format", "method", "probe", "probe_format"]
COUNTS = ["won", "lost", "both", "neither"]
MOST_ROWS = 40_000  # of a page
ALIKE = 1e-9


def embedded_values(measurements: pl.DataFrame, items: Iterable[pl.LazyFrame]) -> dict[str, Any]:
    """Lay the scores out by column; names are places in `names`. Of more than MOST_ROWS those as tuned are kept."""
    rows = measurements.filter(REPORTED, IS_PRIMARY, (pl.col("split") == "test") | (pl.col("probe_kind") == "text"))
    kept = rows if rows.height <= MOST_ROWS else rows.filter(IS_OWN, pl.col("format") == pl.col("probe_format"))
    kept = kept.head(MOST_ROWS)
    counts = [found for table in items if (found := counts_of(table)) is not None]
    if counts:
        keys = [*NAMED, "seed", "shots"]
        kept = kept.join(pl.concat(counts), on=keys, how="left", nulls_equal=True, maintain_order="left")
    else:
        kept = kept.with_columns(pl.lit(None, pl.Int64).alias(name) for name in COUNTS)
    names = sorted({name for column in NAMED for name in kept[column].unique() if name is not None})
    places = {name: place for place, name in enumerate(names)}
    columns = {name: kept[name].replace_strict(places, default=None, return_dtype=pl.Int64) for name in NAMED}
    columns |= {name: kept[name] for name in ("seed", "shots", "metric", "n_items", *COUNTS)}
    columns |= {name: kept[name].round(4) for name in ("value", "se")}
    return {
        "names": names,
        "columns": {name: packed(column) for name, column in columns.items()},
        "n": kept.height,
        "n_left_out": rows.height - kept.height,
    }


def packed(column: pl.Series) -> Any:
    """Write a column that has one value as that value, and any other as a list."""
    return column[0] if column.n_unique() == 1 else column.to_list()


def counts_of(table: pl.LazyFrame) -> pl.DataFrame | None:
    """Count items won and lost by tuning, of one checkpoint; None without items."""
    keys = [*NAMED, "seed", "shots"]
    asked = ["probe", "probe_format", "shots", "item"]
    scored = table.filter(REPORTED, pl.col("split") == "test").drop_nulls("score")
    base = scored.filter(method=BASE).group_by(asked).agg(pl.col("score").mean().alias("before"))
    tuned = scored.filter(pl.col("method") != BASE).select(*keys, "item", "score").unique([*keys, "item"])
    change = pl.col("score") - pl.col("before")
    is_alike, is_good = change.abs() <= ALIKE, pl.col("score") > ALIKE
    said = {
        "won": change > ALIKE,
        "lost": change < -ALIKE,
        "both": is_alike & is_good,
        "neither": is_alike & ~is_good,
    }
    found = (
        tuned.join(base, on=asked).group_by(keys).agg(flag.sum().cast(pl.Int64).alias(n) for n, flag in said.items())
    )
    counted = found.collect()
    return None if counted.is_empty() else counted

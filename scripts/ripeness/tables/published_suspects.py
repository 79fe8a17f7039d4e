"""Suspect what published numbers may hide: one label for all answers, one tuning for all numbers."""

from collections.abc import Iterator

import polars as pl

from ripeness.tables.intervals import scores

HIGH = 0.98  # of an untouched model: rather one label for all answers than a task solved before it is taught
Z = 1.645  # one-sided 95 %: no number is below HIGH that the sampling of items alone may have brought there
ROUNDED = 0.005  # what rounding to two digits takes away
APART = 0.75  # between two formats of one model: it says the one label in the one and another in the other
BELOW = 0.1  # chance: as far below it no model guesses
ASKED = ["series", "checkpoint", "probe", "shots"]


def one_label(measurements: pl.DataFrame) -> dict[str, str]:
    """List probes whose answers may all be one label, each with the evidence.

    An untouched accuracy not clearly below HIGH at the first checkpoint that has learned anything, or before; or in one
    format, where another has next to nothing.
    """
    rows = scores(measurements).filter(probe_kind="choice", method="base")
    of_items = pl.coalesce("se", (HIGH * (1 - HIGH) / pl.col("n_items")).sqrt(), pl.lit(0.0))
    is_high = pl.col("value") + pl.max_horizontal(Z * of_items, pl.lit(ROUNDED)) >= HIGH
    tokens = pl.col("tokens")
    is_first = tokens <= tokens.filter(tokens > 0).min().over("series", "probe")
    found: dict[str, str] = {}
    for row in in_order(rows.filter(is_first | (tokens <= 0), is_high)):
        found.setdefault(row["probe"], f"{row['value']:.2f} untouched at the first checkpoint, {row['checkpoint']}")
    low = pl.col("value").min().over(ASKED)
    is_low = (pl.col("value") - low >= APART) | (low <= pl.col("chance") - BELOW).fill_null(False)
    for row in in_order(rows.with_columns(low=low).filter(is_high, is_low)):
        seen = f"{row['value']:.2f} in one format and {row['low']:.2f} in another, untouched at {row['checkpoint']}"
        found.setdefault(row["probe"], seen)
    return dict(sorted(found.items()))


def in_order(rows: pl.DataFrame) -> Iterator[dict]:
    """Return the rows in order of tokens."""
    return rows.sort("tokens", "checkpoint", "probe_format", "shots").iter_rows(named=True)


def tuned_once(measurements: pl.DataFrame) -> str:
    """Describe tuned models with only one seed, or with none named; an empty list if each has several."""
    tuned = measurements.filter(pl.col("method") != "base")
    model = ["series", "checkpoint", "dataset", "format", "method", "learning_rate"]
    seeds = tuned.group_by(model).agg(n=pl.col("seed").drop_nulls().n_unique(), seed=pl.col("seed").min())
    once = seeds.filter(pl.col("n") < 2)
    if once.is_empty():
        return ""
    named = once["seed"].drop_nulls().unique().sort().to_list()
    which = f"with seed {', '.join(map(str, named))}" if named else "as far as the table says, which names no seed"
    if once.height == seeds.height:
        return f"every model is tuned once, {which}"
    return f"{once.height:,} of {seeds.height:,} models are tuned once, {which}"

"""Suspect what published numbers may hide: one label for all answers, one tuning for all numbers."""

from collections.abc import Iterator

import polars as pl

from ripeness.tables.intervals import scores

HIGH = 0.98  # of an untouched model: rather one label for all answers than a task solved before it is taught
APART = 0.75  # between two formats of one model: it says the one label in the one and another in the other
BELOW = 0.1  # chance: as far below it no model guesses
ASKED = ["series", "checkpoint", "probe", "shots"]


def one_label(measurements: pl.DataFrame) -> dict[str, str]:
    """List probes whose answers may all be one label, each with the evidence.

    An untouched accuracy of HIGH or more at the first checkpoint; or in one format, where another has next to nothing.
    """
    rows = scores(measurements).filter(probe_kind="choice", method="base")
    first = rows.filter(pl.col("tokens") == pl.col("tokens").min().over("series", "probe"), pl.col("value") >= HIGH)
    found: dict[str, str] = {}
    for row in in_order(first):
        found.setdefault(row["probe"], f"{row['value']:.2f} untouched at the first checkpoint, {row['checkpoint']}")
    low = pl.col("value").min().over(ASKED)
    is_low = (pl.col("value") - low >= APART) | (low <= pl.col("chance") - BELOW).fill_null(False)
    for row in in_order(rows.with_columns(low=low).filter(pl.col("value") >= HIGH, is_low)):
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

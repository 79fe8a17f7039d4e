"""Measure from a small finished study how much items, seeds and datasets scatter, for the plan of a larger one.

A pilot of one checkpoint is enough for these; it cannot show how much checkpoints scatter.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from ripeness.runtime.errors import UserError
from ripeness.storage.parquet import read_table
from ripeness.study.study_config import BASE
from ripeness.tables.columns import CELLS, IS_CHOSEN, IS_OWN, REPORTED, by_checkpoint
from ripeness.tables.ways_of_tuning import plain_way

PLAIN = "full"
MODEL = ["series", "checkpoint", "dataset", "format", "method", "seed"]


def pilot_deviations(results: Path) -> tuple[dict[str, float], str, int]:
    """Estimate the standard deviations of an item's paired gain, a seed and a dataset.

    Returns them by name, what they are of in words, and the number of datasets.

    Gains are those of one way of tuning on the dataset tuned on, in the format tuned in. A deviation that the pilot
    cannot tell, since it has one seed or one dataset, is left out. UserError where no model was tuned.
    """
    gains = gains_of(list(by_checkpoint([results / "tables" / "items"]).values()))
    if gains.is_empty():
        raise UserError(
            f"--pilot: {results} has no tuned model with its untouched checkpoint\nhint: name another study"
        )
    methods = gains["method"].unique().sort().to_list()
    name = standing_for(results, methods)
    own = gains.filter(method=name)
    means = own.group_by(MODEL).agg(gain=pl.col("gain").mean(), items=pl.col("gain").var(), n=pl.len())
    found = {"items": float(np.sqrt(mean_of(means["items"])))}
    error = mean_of(means["items"] / means["n"])
    place = [column for column in MODEL if column != "seed"]
    seeds = means.group_by(place).agg(variance=pl.col("gain").var(), n=pl.len()).filter(pl.col("n") > 1)
    if seeds.height:
        found["seeds"] = float(np.sqrt(mean_of(seeds["variance"])))
        error += mean_of(seeds["variance"] / seeds["n"]) * means["dataset"].n_unique() / seeds.height
    datasets = means.group_by("dataset").agg(pl.col("gain").mean())["gain"].to_numpy()
    if len(datasets) > 1:
        found["datasets"] = float(np.sqrt(max(float(np.var(datasets, ddof=1)) - error, 0.0)))
    counts = [counted(means[column].n_unique(), column) for column in ("dataset", "checkpoint")]
    return found, f"gains of {name} in {results} ({', '.join(counts)})", len(datasets)


def standing_for(results: Path, methods: Sequence[str]) -> str:
    """Name the way of tuning that stands for the pilot, among those that were measured."""
    path = results / "tables" / "cells.parquet"
    cells = read_table(path, schema=CELLS | IS_CHOSEN) if path.is_file() else pl.DataFrame(schema=CELLS)
    found = plain_way(cells.filter(pl.col("method").is_in(methods)), PLAIN)
    return PLAIN if PLAIN in methods else found or methods[0]


def counted(n: int, noun: str) -> str:
    """Write a number of things."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def gains_of(tables: Sequence[pl.LazyFrame]) -> pl.DataFrame:
    """Pair the items of tuned models with those of their untouched checkpoints: a row for each, with its `gain`."""
    parts = []
    for table in tables:
        rows = table.filter(REPORTED, IS_OWN, pl.col("probe_format") == pl.col("format"), split="test")
        kept = rows.select(*MODEL, "probe", "probe_format", "shots", "item", "score").collect().drop_nulls("score")
        keys = ["series", "checkpoint", "probe", "probe_format", "shots", "item"]
        base = kept.filter(method=BASE).group_by(keys).agg(before=pl.col("score").mean())
        both = kept.filter(pl.col("method") != BASE).join(base, on=keys)
        fewest = both.filter(pl.col("shots") == pl.col("shots").min().over("probe"))
        unique = fewest.unique([*MODEL, "item"], keep="any")  # several suites may ask the same
        parts.append(unique.with_columns(gain=pl.col("score") - pl.col("before")))
    return pl.concat(parts) if parts else pl.DataFrame(schema={"method": pl.String})


def mean_of(values: pl.Series) -> float:
    """Average the known values."""
    known = values.drop_nulls().drop_nans()
    return float(np.mean(known.to_numpy())) if len(known) else 0.0


def in_words(deviations: Mapping[str, float], measured: Sequence[str]) -> str:
    """Say each deviation, and which of them were measured."""
    return ", ".join(
        f"{name} {value:.3g}{'' if name in measured else ' (stated)'}" for name, value in deviations.items()
    )

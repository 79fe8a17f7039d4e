"""What the frames of simulated networks share: means over seeds with 95 % intervals.

A row is a point: `panel` and `row` say where it stands, `line` what it belongs to, `time` or `n_learned` its place.
"""

import numpy as np
import polars as pl
from scipy import special

CONFIDENCE = 0.95
RISE = 0.01
BASE = "no noise"
LOSSES = {"loss": "pre-training loss", "task_loss": "loss on the task"}


def over_seeds(rows: pl.DataFrame, key: list[str], value: str, *more: str) -> pl.DataFrame:
    """Average `value` by key with Student's interval over seeds (null for one seed), and average `more`."""
    found = rows.group_by(key).agg(
        pl.col(value).mean().alias("value"), pl.col(value).std().alias("std"), pl.len().alias("n_seeds"),
        *[pl.col(name).mean() for name in more],
    )  # fmt: skip
    free = found["n_seeds"].to_numpy() - 1
    quantile = np.where(free > 0, special.stdtrit(np.maximum(free, 1), (1 + CONFIDENCE) / 2), np.nan)
    reach = pl.Series(quantile, nan_to_null=True) * found["std"] / found["n_seeds"].sqrt()
    return found.with_columns(low=found["value"] - reach, high=found["value"] + reach).drop("std").sort(key)


def labelled(prefix: str, name: str) -> pl.Expr:
    """Write a number as the label of a line, such as γ = 0.1."""
    return pl.format(prefix + " = {}", pl.col(name).map_elements(lambda value: f"{value:g}", return_dtype=pl.String))


def tuned(rows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Collect both losses after fine-tuning over time, one row of panels each; leave out diverged fine-tunings."""
    rows = rows.filter(pl.col("loss").is_not_null())
    parts = [
        over_seeds(rows, [*key, "time"], loss, "n_learned", untouched).rename({untouched: "untouched"}).with_columns(
            row=pl.lit(name)
        )
        for (loss, name), untouched in zip(LOSSES.items(), ("base_loss", "task_base_loss"), strict=True)
    ]  # fmt: skip
    return pl.concat(parts)


def turned(frame: pl.DataFrame) -> str:
    """Say in how many lines the loss has risen again at the end, by more than RISE of its least value."""
    lines = frame.sort("time").group_by("row", "panel", "line").agg(
        last=pl.col("value").last(), least=pl.col("value").min()
    )  # fmt: skip
    risen = lines.filter(pl.col("last") > (1 + RISE) * pl.col("least")).height
    return f"In {risen} of {lines.height} lines the loss after fine-tuning has risen again by the end of pre-training"

"""Indicators that do not look at the items of a dataset."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from ripeness.findings.indicators.readings import RATE, TEXT_LOSS, TOKENS, Indicator, Values
from ripeness.tables.intervals import scores
from ripeness.tables.single_numbers import as_number

PLACE = ["series", "checkpoint"]
LESS = "less is better"


def of_checkpoints(rows: pl.DataFrame) -> dict[str, list[str]]:
    """List the checkpoints of every series in order of tokens, without those before the first token."""
    points = rows.select(*PLACE, "step", "tokens").unique().filter(pl.col("tokens").is_null() | (pl.col("tokens") > 0))
    found: dict[str, list[str]] = {}
    for series, checkpoint in points.sort("series", "tokens", "step", "checkpoint").select(PLACE).iter_rows():
        found.setdefault(series, []).append(checkpoint)
    return found


def values_of(rows: pl.DataFrame, column: str, sign: float = 1.0) -> Values:
    """Take a column as values of (series, checkpoint) or, where there is a column of them, of a dataset."""
    has_dataset = "dataset" in rows.columns
    keys = [*PLACE, "dataset"] if has_dataset else PLACE
    known = rows.filter(pl.col(column).is_finite()).select(*keys, column)
    return {
        (series, checkpoint, *(rest[:-1] or [None])): np.array([sign * rest[-1]])
        for series, checkpoint, *rest in known.iter_rows()
    }


def of_plan(rows: pl.DataFrame) -> list[Indicator]:
    """Read what is known of a checkpoint without looking at it: its tokens, and the rate of its last step."""
    points = rows.group_by(PLACE).agg(pl.col("tokens").first().cast(pl.Float64), pl.col("lr").first())
    return [
        Indicator(TOKENS, values_of(points, "tokens"), cost=0.0),
        Indicator(RATE, values_of(points, "lr", -1.0), LESS, cost=0.0),
    ]


def text_loss(measurements: pl.DataFrame, cost: float | None = None) -> Indicator:
    """Read the loss of untouched checkpoints on running text, in bits per byte; mean over texts that all have."""
    rows = scores(measurements).filter(method="base", probe_kind="text")
    at = (
        rows.group_by(*PLACE, "probe")
        .agg(pl.col("value").mean())
        .group_by(PLACE)
        .agg(pl.col("value").mean(), n=pl.len())
    )
    return Indicator(TEXT_LOSS, values_of(at.filter(pl.col("n") == pl.col("n").max()), "value", -1.0), LESS, cost)


def perturbed(sensitivity: pl.DataFrame | None, spent: Mapping[str, float]) -> list[Indicator]:
    """Read what noise and rounding add to the loss on text.

    At each size as a share of the mean over checkpoints, so that every size counts alike; mean over sizes.
    """
    if sensitivity is None:
        return []
    rows = sensitivity.filter(pl.col("perturbation").is_in(["noise", "rounding"]), pl.col("increase").is_finite())
    kind = ["perturbation", "normalisation"]
    sizes = rows.group_by(*PLACE, *kind, "scale", "probe").agg(
        pl.col("increase").mean(), pl.col("n_tokens").sum().alias("read")
    )
    mean = pl.col("increase").mean().over("series", *kind, "scale", "probe")
    shares = sizes.with_columns(increase=pl.col("increase") / mean.abs()).group_by(*PLACE, *kind)
    at = shares.agg(pl.col("increase").mean(), pl.col("read").sum(), n=pl.len()).sort(*kind, *PLACE)
    found = []
    for (perturbation, normalisation), part in at.group_by(kind, maintain_order=True):
        whole = part.filter(pl.col("n") == pl.col("n").max().over("series"))
        name = f"{perturbation} ({normalisation})" if normalisation else f"{perturbation}"
        cost = float(np.mean([as_number(whole["read"].mean()) / full for full in spent.values()])) if spent else None
        found.append(Indicator(name, values_of(whole, "increase", -1.0), LESS, cost))
    return found


def curvature(cells: pl.DataFrame, method: str) -> Indicator:
    """Read the curvature of the loss on text along the displacement by tuning, which is known only after tuning."""
    rows = cells.filter(pl.col("method") == method, pl.col("curvature").is_finite())
    at = rows.group_by(*PLACE, "dataset").agg(pl.col("curvature").mean())
    return Indicator("curvature along tuning", values_of(at, "curvature", -1.0), LESS, cost=1.0)

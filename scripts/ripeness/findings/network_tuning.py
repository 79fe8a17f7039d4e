"""What findings on fine-tuned networks share.

A rise is from the best checkpoint to the last, relative to the best; for each seed the best one is that of the mean
over the other seeds, so that chance in one seed cannot produce a rise by itself.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.finding import Finding, Settings, between, number, signed, undecided
from ripeness.findings.networks import BLANK, grid, judged, over_seeds

RISE = "relative rise after the best checkpoint"


def rises(values: np.ndarray) -> np.ndarray:
    """Compute the relative rise from the best checkpoint (chosen on the other seeds) to the last. [seeds]."""
    n = len(values)
    others = (values.sum(axis=0) - values) / (n - 1) if n > 1 else values
    best = others.argmin(axis=1)
    at_best = values[np.arange(n), best]
    return (values[:, -1] - at_best) / at_best


def turns(rows: pl.DataFrame, value: str) -> np.ndarray:
    """Find the time of the least value for every seed, [seeds]."""
    times = rows.select("checkpoint", "time").unique().sort("checkpoint")["time"].to_numpy()
    return times[grid(rows, value).argmin(axis=1)]


def series_of(rows: pl.DataFrame, key: list[str]) -> dict[tuple, pl.DataFrame]:
    """Split rows by series, in order; series in which a fine-tuning diverged are left out."""
    parts = rows.sort(key).partition_by(key, as_dict=True, maintain_order=True)
    return {name: part for name, part in parts.items() if not part["loss"].has_nulls()}


def left_out(rows: pl.DataFrame, key: list[str]) -> tuple[str, ...]:
    """Make a caveat on series that are left out."""
    n = rows.select(key).unique().height - len(series_of(rows, key))
    return (f"{n} series in which a fine-tuning diverged are left out.",) if n else ()


def shapes(details: list[dict], loss: str, rows: pl.DataFrame) -> str:
    """Say in how many series the best checkpoint lies between the first and the last."""
    first, last = rows["time"].min(), rows["time"].max()
    best = [row[f"{loss}_best_at_time"] for row in details]
    only_rise, only_fall = best.count(first), best.count(last)
    return (
        f"Of {len(best)} series {len(best) - only_rise - only_fall} have their best checkpoint in "
        f"between, {only_rise} at the first and {only_fall} at the last."
    )


def rise_after_best(rows: pl.DataFrame, settings: Settings, *, key: list[str], value: str) -> Finding:
    """Judge the mean rise over all series; details have both losses and where each turns."""
    series = series_of(rows, key)
    finding = replace(BLANK, caveats=left_out(rows, key), n_checkpoints=rows["checkpoint"].n_unique())
    if not series:
        return undecided(finding, "the study has no such fine-tuning")
    details = []
    for name, part in series.items():
        row = dict(zip(key, name, strict=True))
        for loss in ("loss", "task_loss"):
            result = over_seeds(rises(grid(part, loss)), settings)
            row |= {f"{loss}_best_at_time": float(np.median(turns(part, loss))), f"{loss}_rise": result.effect}
            row |= {f"{loss}_low": number(result.low), f"{loss}_high": number(result.high)}
        details.append(row)
    own, other = value, "loss" if value == "task_loss" else "task_loss"
    mean = np.mean([rises(grid(part, own)) for part in series.values()], axis=0)
    by_target = {
        target: np.mean([row[f"{own}_rise"] for row in details if row["target"] == target])
        for target in dict.fromkeys(row["target"] for row in details)
    }
    names = {"loss": "pre-training loss", "task_loss": "loss on the task"}
    parts = ", ".join(f"{target} {signed(rise)}" for target, rise in by_target.items())
    result, second = over_seeds(mean, settings), float(np.mean([row[f"{other}_rise"] for row in details]))
    interval = "" if np.isnan(result.low) else f" {between(result.low, result.high)}"
    statement = (
        f"After its best checkpoint the {names[own]} rises by {signed(result.effect)} relative to the best{interval}: "
        f"{parts}. The {names[other]} rises by {signed(second)}."
    )
    finding = replace(finding, caveats=(*finding.caveats, shapes(details, own, rows)))
    finding = replace(finding, statement=statement, details=tuple(details))
    return judged(finding, mean, settings, smallest=settings.smallest_effect)


def at_ends(rows: pl.DataFrame, rates: pl.Series) -> tuple[str, ...]:
    """Make a caveat on chosen rates at an end of the list, beyond which a better one may be."""
    n = rows.filter(pl.col("rate").is_in([rates.min(), rates.max()])).height
    return (f"Of {rows.height} chosen rates {n} lie at an end of the list.",) if n else ()


def tuned_rows_of(networks: pl.DataFrame, is_wanted: pl.Expr) -> pl.DataFrame:
    """Select fine-tuning at the rate chosen for each checkpoint, without a pull."""
    return networks.filter(is_wanted, pl.col("is_chosen"), pl.col("pull") == 0)

"""Name the checkpoint to tune from published tables, which have no items: chosen and judged on the same numbers.

The noise of a checkpoint is its scatter about a smooth curve, or the standard errors where they are larger; it holds
items, training seeds and the checkpoint itself. The contrast of the last checkpoint with the best before it, and the
set of those that may be the best, allow for the choice (stats/peaks.py, docs/statistics.md).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from ripeness.findings.finding import Settings
from ripeness.findings.ripe import ALL, Answer, is_last, named, ranges
from ripeness.runtime.wording import human
from ripeness.stats.curves import MIN_CHECKPOINTS, design_of
from ripeness.stats.peaks import Peak, peak_contrast
from ripeness.tables.columns import IS_OWN
from ripeness.tables.intervals import POINT, compared, mean_or_null, scores

DRAWS = 1999
LACKS = (
    "There are no validation items: the checkpoint is chosen and judged on the same numbers. The interval allows for "
    "that, the difference itself is too large."
)


@dataclass(frozen=True)
class Curve:
    """Tuned scores of one series, method and dataset [checkpoints] in order of tokens; `se` is NaN where not known."""

    points: list[dict]
    values: np.ndarray
    se: np.ndarray


def published_answers(measurements: pl.DataFrame, settings: Settings) -> list[Answer]:
    """Answer for every series of two or more checkpoints, every method and dataset, all datasets first."""
    rows = compared(scores(measurements)).filter(pl.col("probe_kind") != "text")
    rows = rows.filter(pl.col("method") != "base", IS_OWN, pl.col("format") == pl.col("probe_format"))
    answers: list[Answer] = []
    methods = sorted(rows["method"].unique(), key=lambda name: (name != settings.method, name))
    for series in sorted(rows["series"].unique()):
        for method in methods:
            own = rows.filter(series=series, method=method)
            curves = {name: curve_of(own.filter(dataset=name)) for name in sorted(own["dataset"].unique())}
            curves = {name: curve for name, curve in curves.items() if len(curve.points) > 1}
            found = {ALL: mean_curve(curves, settings)} | curves if len(curves) > 1 else curves
            answers += [
                answer(series, method, name, curve, settings) for name, curve in found.items() if len(curve.points) > 1
            ]
    return answers


def curve_of(rows: pl.DataFrame) -> Curve:
    """Average over seeds, then over probes and formats, where all were measured."""
    each = rows.group_by(*POINT, "probe", "probe_format").agg(pl.col("value").mean(), mean_or_null("se"))
    means = each.group_by(POINT).agg(pl.col("value").mean(), mean_or_null("se"), n=pl.len())
    means = means.filter(pl.col("n") == pl.col("n").max()).sort("tokens", "step", "checkpoint")
    return Curve(means.select(POINT).to_dicts(), means["value"].to_numpy(), means["se"].cast(pl.Float64).to_numpy())


def mean_curve(curves: dict[str, Curve], settings: Settings) -> Curve:
    """Average datasets by their weights, at the checkpoints that all have. Their items are independent."""
    weights = np.array([settings.weights.get(name, 1.0) for name in curves])
    shares = weights / weights.sum()
    names = [{point["checkpoint"] for point in curve.points} for curve in curves.values()]
    shared = set.intersection(*names)
    kept = [[p["checkpoint"] in shared for p in curve.points] for curve in curves.values()]
    points = [point for point in next(iter(curves.values())).points if point["checkpoint"] in shared]
    values = np.array([curve.values[keep] for curve, keep in zip(curves.values(), kept, strict=True)])
    se = np.array([curve.se[keep] for curve, keep in zip(curves.values(), kept, strict=True)])
    return Curve(points, shares @ values, np.sqrt(shares**2 @ se**2))


def answer(series: str, method: str, dataset: str, curve: Curve, settings: Settings) -> Answer:
    """Name the checkpoint with the highest score, and say how sure that is."""
    place = int(curve.values.argmax())
    chosen, n = curve.points[place], len(curve.points)
    peak = peak_of(curve, settings)
    may = tuple(range(n)) if peak is None else peak.candidates
    is_last = place == n - 1
    low, high = (None, None) if peak is None or is_last else (peak.low, peak.high)
    return Answer(
        series,
        method,
        dataset,
        f"For {dataset}: {statement(curve, place, peak)}",
        checkpoint=chosen["checkpoint"],
        may_be_best=tuple(curve.points[one]["checkpoint"] for one in may),
        last=curve.points[-1]["checkpoint"],
        last_is_worse_by=float(curve.values[place] - curve.values[-1]),
        low=low,
        high=high,
        confidence=settings.confidence,
        lacks=LACKS,
    )


def peak_of(curve: Curve, settings: Settings) -> Peak | None:
    """Contrast the checkpoints; None for too few, or where nothing varies."""
    if len(curve.points) < MIN_CHECKPOINTS or np.ptp(curve.values) == 0:
        return None
    tokens = np.array([np.nan if point["tokens"] is None else point["tokens"] for point in curve.points], float)
    is_ordered = bool((np.diff(tokens) > 0).all() and tokens[0] > 0)
    x = np.log(tokens) if is_ordered else np.arange(len(tokens), dtype=float)
    least = float(np.sqrt(np.mean(curve.se**2))) if np.isfinite(curve.se).all() else 0.0
    return peak_contrast(
        design_of(tuple(x.tolist())),
        -curve.values,
        confidence=settings.confidence,
        draws=DRAWS,
        seed=settings.seed,
        least=least,
    )


def statement(curve: Curve, place: int, peak: Peak | None) -> str:
    """Say which checkpoint scored best, which cannot be distinguished from it, and what the last one costs."""
    points, chosen = curve.points, curve.points[place]
    tokens = f" ({human(chosen['tokens'])} tokens)" if chosen["tokens"] is not None else ""
    name = f"{named(chosen)}{tokens}"
    if peak is None:
        few = f"with {len(points)} checkpoints and no items (at least {MIN_CHECKPOINTS})"
        return f"{name} has the highest published score; {few} it cannot be distinguished from the others."
    others = [one for one in peak.candidates if one != place]
    if len(others) == len(points) - 1:
        text = f"no checkpoint can be distinguished from another; {name} has the highest published score."
    else:
        text = f"tune {name}, which has the highest published score."
        text += f" Not distinguishable from it: {ranges(points, others)}." if others else ""
    if place == len(points) - 1:
        return f"{text} {is_last(chosen)}"
    low, high = 100 * peak.low, 100 * peak.high
    return (
        f"{text} The last checkpoint is {100 * peak.effect:.1f} points [{low:.1f}, {high:.1f}] worse on these numbers."
    )

"""Four readings of one grid of learning rates: fixed, tuned, at the same displacement, at the same answer loss.

Each gives the loss on pre-training text after tuning, [checkpoints, repeats], of one dataset, method and text. With a
fixed rate a later checkpoint may lose more only because it is moved further, or has learned more; the other three
readings hold one of these still (arXiv 2503.19206, section 3; for equal answer loss arXiv 2604.13627).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from ripeness.findings.finding import Settings
from ripeness.findings.treated_curves import (
    TREATED,
    Curve,
    answer_losses,
    displacements,
    grouped,
    in_trend,
    matching,
    text_losses,
)

CASE = ["probe", "dataset", "method"]  # of a grid; its rates make the curves


@dataclass(frozen=True)
class Grid:
    """The rates of one method on one dataset: curves of text loss at each, and what else is known of the same cells."""

    text: list[Curve]
    answer: list[Curve | None]
    displacement: list[Curve | None]

    @property
    def rates(self) -> np.ndarray:
        """The learning rates, increasing."""
        return np.array([curve.rate for curve in self.text], float)


def grids_of(measurements: pl.DataFrame, cells: pl.DataFrame, settings: Settings) -> list[Grid]:
    """Collect every grid of the study; a method with one rate is a grid of one."""
    texts, answers = text_losses(measurements, settings), answer_losses(measurements, settings)
    moved = displacements(cells, settings)
    cases = grouped(texts, lambda curve: str(([curve.key[name] for name in CASE], curve.runs, curve.tokens.tolist())))
    grids = []
    for curves in cases.values():
        curves = sorted(curves, key=lambda curve: curve.rate)
        others = [[matching(kind, curve, TREATED[1:]) for curve in curves] for kind in (answers, moved)]
        grids.append(Grid(curves, *others))
    return grids


def fixed(grid: Grid) -> list[Curve]:
    """Take the text loss at every rate that was measured at every checkpoint."""
    return [curve for curve in grid.text if curve.is_whole]


def tuned(grid: Grid, chosen: pl.DataFrame) -> Curve | None:
    """Take the text loss at the rate chosen on validation items at each checkpoint; None where one was not.

    `chosen` has a row for every checkpoint, dataset, method, seed and chosen rate.
    """
    return by_choice(grid, grid.text, chosen)


def tuned_answer(grid: Grid, chosen: pl.DataFrame) -> Curve | None:
    """Answer loss at the rate that was chosen on validation items."""
    return by_choice(grid, grid.answer, chosen)


def stacked(curves: Sequence[Curve | None]) -> np.ndarray | None:
    """Stack the curves of a grid as [rates, checkpoints, repeats]; None where one of them is not known."""
    known = [curve.values for curve in curves if curve is not None]
    return np.stack(known) if len(known) == len(curves) else None


def by_choice(grid: Grid, curves: Sequence[Curve | None], chosen: pl.DataFrame) -> Curve | None:
    """Take one kind of curve at the chosen rate; formats that chose different rates are averaged by their number."""
    values = stacked(curves)
    if values is None:
        return None
    first, shares = grid.text[0], np.zeros((len(grid.rates), *grid.text[0].values.shape))
    own = chosen.filter(dataset=first.key["dataset"], method=first.key["method"])
    places = {count: row for row, count in enumerate(first.tokens)}
    for series, tokens, seed, rate, n in own.select("series", "tokens", "seed", "learning_rate", "n").iter_rows():
        columns = [c for c, name in enumerate(first.repeats) if name in ((series,), (series, str(seed)))]
        if tokens in places and columns:
            shares[int(np.flatnonzero(grid.rates == rate)[0]), places[tokens], columns[0]] += n
    total = shares.sum(axis=0)
    if (total == 0).any():
        return None
    weighted = np.where(shares > 0, values * shares, 0.0).sum(axis=0) / total
    return replace(first, key={name: first.key[name] for name in CASE}, values=weighted)


def chosen_rates(cells: pl.DataFrame) -> pl.DataFrame:
    """List the chosen rate of every checkpoint, dataset, method and seed, with the number of formats that chose it."""
    rows = in_trend(cells).filter(pl.col("is_chosen"), pl.col("learning_rate").is_not_null())
    keys = ["series", "tokens", "phase", "dataset", "method", "seed", "learning_rate"]
    return rows.group_by(keys).agg(n=pl.len()).sort(keys)


def at_equal_displacement(grid: Grid) -> tuple[Curve, float] | None:
    """Interpolate the text loss at one distance moved by the weights, and return that distance; log scale of rates.

    The distance is the middle (on a log scale) of what every checkpoint and repeat reaches within the grid.
    """
    moved = stacked(grid.displacement)
    if len(grid.rates) < 2 or moved is None:
        return None
    moved = np.log(moved)
    low, high = moved.min(axis=0).max(), moved.max(axis=0).min()
    if not low < high:
        return None
    return interpolated(grid, moved, (low + high) / 2), float(np.exp((low + high) / 2))


def at_equal_answer_loss(grid: Grid) -> tuple[Curve, float] | None:
    """Interpolate the text loss at which tuning has learned the answers equally well, and return that answer loss.

    The loss is the least that every checkpoint and repeat reaches (as in arXiv 2605.02105); the smallest rate counts
    that gets there, since beyond the best one a rate only destroys.
    """
    losses = stacked(grid.answer)
    if len(grid.rates) < 2 or losses is None:
        return None
    if not np.isfinite(losses).all():
        return None
    target = float(losses.min(axis=0).max())
    reached = np.minimum.accumulate(losses, axis=0)
    if not (reached[0] > target).any():
        return None  # the smallest rate does more than is asked everywhere: nothing is matched
    return interpolated(grid, -reached, -target), target


def interpolated(grid: Grid, position: np.ndarray, target: float) -> Curve:
    """Interpolate text loss where `position` [rates, checkpoints, repeats] first reaches the target, linear in rate."""
    first = grid.text[0]
    values = np.stack([curve.values for curve in grid.text])
    found = np.full(first.values.shape, np.nan)
    for place in np.ndindex(found.shape):
        own, text = position[(slice(None), *place)], values[(slice(None), *place)]
        above = np.flatnonzero(own >= target - 1e-12)
        if not len(above) or not np.isfinite(text).all():
            continue
        end = int(above[0])
        share = 1.0 if end == 0 else (target - own[end - 1]) / max(own[end] - own[end - 1], 1e-300)
        found[place] = text[end] if end == 0 else text[end - 1] + share * (text[end] - text[end - 1])
    return replace(first, key={name: first.key[name] for name in CASE}, values=found)


def readings(grids: Sequence[Grid], cells: pl.DataFrame) -> dict[str, list[Curve]]:
    """Take the four readings of every grid, where possible, and the answers at the chosen rate."""
    chosen = chosen_rates(cells)
    matched = {"equal displacement": at_equal_displacement, "equal answer loss": at_equal_answer_loss}
    found: dict[str, list[Curve | None]] = {
        "fixed": [curve for grid in grids for curve in fixed(grid)],
        "tuned": [tuned(grid, chosen) for grid in grids],
        "tuned, answers": [tuned_answer(grid, chosen) for grid in grids],
    }
    for name, match in matched.items():
        pairs = [match(grid) for grid in grids]
        found[name] = [pair[0] for pair in pairs if pair]
    return {name: [curve for curve in curves if curve and curve.is_whole] for name, curves in found.items()}

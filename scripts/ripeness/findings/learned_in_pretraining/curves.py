"""How far above the floor an untouched series is on a dataset, by checkpoint, and how its dataset is classed.

A score is the mean over formats, each above its own floor: one format that suits a model says nothing of the dataset.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ripeness.findings.finding import Settings
from ripeness.findings.learned_in_pretraining.parts import Class, clear_of
from ripeness.findings.pairs import floors, formats_of, is_untrained_first, trend, weights_of
from ripeness.findings.scores import Block, Point, Scores
from ripeness.findings.two_estimates import course
from ripeness.stats.random_levels import Component, combined, left_by_curve, over_checkpoints
from ripeness.stats.resampling import Estimate, item_component, weighted_means, with_interval

POOLED_FROM = 8  # checkpoints: from here on their scatter is that of the later half, which is level, in all datasets
LAST = 4  # the last checkpoints are one in so many, but two at least


@dataclass(frozen=True)
class Curve:
    """An untouched series on a dataset: draws above the floor, [checkpoints, 1 + n], and the floor's draws [1 + n].

    `is_floor_known` is false where the floor is the score of a first checkpoint that is trained already.
    """

    block: Block
    series: str
    points: list[Point]
    floor_name: str
    above: np.ndarray
    floor: np.ndarray
    is_floor_known: bool

    def weights(self, part: str) -> np.ndarray:
        """Weigh the checkpoints of a part: the earlier or later half, or the last quarter; they add up to 1."""
        n = len(self.points)
        size = max(min(n, 2), n // (LAST if part == "last" else 2))
        places = np.arange(n)
        inside = places < size if part == "earlier" else places >= n - size
        return np.where(inside, 1 / size, 0.0)

    def mean(self, part: str) -> np.ndarray:
        """Average the draws over the checkpoints of a part: [1 + n]."""
        return self.weights(part) @ self.above

    def excess(self) -> Component | None:
        """Compute the variance of one checkpoint about a smooth curve beyond what items make; None for too few.

        The curve is that of the later half, which is level, where there are enough checkpoints. Draws of items move
        checkpoints as sampling does: what is left of these about the curve is the part of items.
        """
        n = len(self.points)
        place = course(self.points, [], np.zeros(n)).place
        draws = self.above
        if n >= POOLED_FROM:
            place, draws = place[-(n // 2) :], draws[-(n // 2) :]
        single = np.eye(len(place))[-1]
        found = over_checkpoints(place, draws[:, :1], single)
        if found is None:
            return None
        moved = left_by_curve(place) @ (draws[:, 1:] - draws[:, :1])
        items = float((moved**2).sum(axis=0).mean()) / found.df
        return Component(max(found.variance - items, 0.0), found.df)


def curves_of(block: Block, measurements: pl.DataFrame, *, scores: Scores, settings: Settings) -> list[Curve]:
    """Follow a dataset's score over the untouched checkpoints of each series that has enough of them."""
    weights = weights_of(block, settings)
    result = []
    for series, points in scores.checkpoints.items():
        there = [point for point in trend(points) if (series, point.checkpoint, block.format) in block.base]
        formats = formats_of(block, there)
        floor = {asked: floors(block, measurements, scores.checkpoints, asked).get(series) for asked in formats}
        if len(there) < settings.min_checkpoints or floor.get(block.format) is None:
            continue
        above, grounds, name = [], [], ""
        for asked, known in floor.items():
            if known is None:
                continue
            name = known[0] if asked == block.format else name
            grounds.append(weighted_means(known[1], weights))
            scored = np.stack([block.base[series, point.checkpoint, asked] for point in there])
            above.append(weighted_means(scored, weights) - grounds[-1])
        is_known = block.kind == "choice" or is_untrained_first(block, points)
        result.append(Curve(block, series, there, name, np.mean(above, axis=0), np.mean(grounds, axis=0), is_known))
    return result


def scatter_of(curves: Sequence[Curve]) -> Component | None:
    """Pool the variance of one checkpoint beyond what items make over all curves; None where they are short."""
    known = [part for curve in curves if (part := curve.excess())]
    df = sum(part.df for part in known)
    if not known or any(len(curve.points) < POOLED_FROM for curve in curves):
        return None
    return Component(sum(part.df * part.variance for part in known) / df, df)


def class_of(curve: Curve, scatter: Component | None, n_curves: int, settings: Settings) -> Class:
    """Classify one dataset: learned by its last checkpoints, never by these and by all later ones.

    `scatter` is that of one checkpoint beyond what items make, else the curve's own. Where the floor is not known it
    lies between 0 and the first score, and each class must hold for all that it may be.
    """
    confidence, n_items = 1 - (1 - settings.confidence) / n_curves, curve.block.n_items
    own = scatter or curve.excess()

    def judged(draws: np.ndarray, weights: np.ndarray) -> Estimate:
        parts = [item_component(draws, n_items)]
        if own:
            parts.append(Component(own.variance * float(weights @ weights), own.df))
        whole = combined(parts)
        return with_interval(float(draws[0]), whole.variance**0.5, df=whole.df, confidence=confidence)

    least = 0.0 if curve.is_floor_known else curve.floor  # more may be above the floor than what was measured to be
    last = judged(curve.mean("last"), curve.weights("last"))
    later = judged(curve.mean("later"), curve.weights("later"))
    most = [judged(curve.mean(part) + least, curve.weights(part)) for part in ("last", "later")]
    moved = curve.weights("last") - curve.weights("earlier")
    rise = judged(moved @ curve.above, moved)
    if last.low > settings.learned_margin:
        return Class(curve.block.probe, "learned" if rise.low > 0 else "high from the start", last, rise)
    highest = max(most, key=lambda one: clear_of(one, settings.learned_margin))
    if highest.high < settings.learned_margin:
        return Class(curve.block.probe, "never", highest, rise)
    return Class(curve.block.probe, "unclear", later, rise)


def gap_of(curves: list[Curve], classes: list[Class], scatter: Component | None, settings: Settings) -> Estimate:
    """Estimate the gap at the last checkpoints between learned and never learned datasets."""
    draws, parts, n_items = {}, [], 0
    for kind in ("learned", "never"):
        own = [curve for curve, one in zip(curves, classes, strict=True) if one.kind == kind]
        draws[kind] = np.mean([curve.mean("last") for curve in own], axis=0)
        n_items += sum(curve.block.n_items for curve in own)
        for curve in own:
            known = scatter or curve.excess()
            if known:
                weights = curve.weights("last") / len(own)
                parts.append(Component(known.variance * float(weights @ weights), known.df))
    gap = draws["learned"] - draws["never"]
    whole = combined([item_component(gap, n_items), *parts])
    return with_interval(float(gap[0]), whole.variance**0.5, df=whole.df, confidence=settings.confidence)

"""What tuning on one dataset does to another, as cells of two random levels: datasets tuned on and datasets asked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ripeness.findings.scores import Point
from ripeness.findings.two_estimates import course
from ripeness.stats.at_large import Course
from ripeness.stats.resampling import mean_of

Place = tuple[str, str]  # series and checkpoint


class Comparison(NamedTuple):
    """One tuned model asked about a dataset that it was not tuned on."""

    place: Place
    tuned: str
    asked: str
    value: float
    weight: float = 1.0


@dataclass(frozen=True)
class Pairs:
    """Pairs of datasets, and the means of their comparisons by checkpoint, [points, pairs]; NaN where there is none.

    `weights` [points, pairs] are the sums of the comparisons' weights.
    """

    names: list[tuple[str, str]]
    places: list[Place]
    values: np.ndarray
    weights: np.ndarray

    @property
    def n_datasets(self) -> int:
        """The number of datasets, on either side."""
        return len({name for pair in self.names for name in pair})

    def codes(self, side: int) -> np.ndarray:
        """Give the datasets tuned on (0) or asked (1) codes, the same on both sides: [pairs]."""
        known = {name: code for code, name in enumerate(sorted({name for pair in self.names for name in pair}))}
        return np.array([known[pair[side]] for pair in self.names])

    def at(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Average each pair over some points by weight: means and sums of weights, [pairs]."""
        weights = np.where(np.isnan(self.values[rows]), 0.0, self.weights[rows])
        total = weights.sum(axis=0)
        with np.errstate(invalid="ignore"):
            return (np.nan_to_num(self.values[rows]) * weights).sum(axis=0) / total, total

    def courses(self, points: Sequence[Point], weights: np.ndarray) -> list[Course]:
        """Follow each dataset tuned on over the checkpoints of each series; `weights` [points] are those of the effect.

        The pairs that it is in share the models that were tuned on it, and their noise.
        """
        known = {(point.series, point.checkpoint): point for point in points}
        own = [known[place] for place in self.places]
        found = []
        for series in dict.fromkeys(point.series for point in own):
            here = np.array([point.series == series for point in own])
            values = self.values[here]
            kept = [point for point in own if point.series == series]
            tuned = self.codes(0)
            units = np.stack([mean_of(values[:, tuned == code], axis=1) for code in np.unique(tuned)], axis=1)
            found.append(course(kept, [units[:, ~np.isnan(units).all(axis=0)]], weights[here]))
        return found


def pairs_from(comparisons: Iterable[Comparison], points: Sequence[Point]) -> Pairs:
    """Arrange comparisons by pair of datasets and checkpoint, in the order of `points`; those without are left out."""
    cells: dict[Place, dict[tuple[str, str], list[Comparison]]] = {}
    for one in comparisons:
        cells.setdefault(one.place, {}).setdefault((one.tuned, one.asked), []).append(one)
    places = [place for point in points if (place := (point.series, point.checkpoint)) in cells]
    names = sorted({pair for found in cells.values() for pair in found})
    values, weights = np.full((len(places), len(names)), np.nan), np.zeros((len(places), len(names)))
    for row, place in enumerate(places):
        for column, pair in enumerate(names):
            found: Sequence[Comparison] = cells[place].get(pair, ())
            if found:
                own = np.array([one.weight for one in found])
                values[row, column] = np.average([one.value for one in found], weights=own)
                weights[row, column] = own.sum()
    return Pairs(names, places, values, weights)

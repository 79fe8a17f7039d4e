"""What each dataset gains as one of its class, over all checkpoints and at each: the values that datasets scatter by.

A dataset that is classed both ways, by different items, counts in both classes with the weights of these items.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from ripeness.findings.finding import Settings
from ripeness.findings.gain_by_learning.gains import Gain, Gains
from ripeness.findings.scores import Point
from ripeness.findings.two_estimates import course
from ripeness.stats.at_large import Course
from ripeness.stats.random_levels import Component, between_classes
from ripeness.stats.resampling import Estimate, with_interval

FEW = "each class has one dataset, which cannot show how much datasets differ"


@dataclass(frozen=True)
class Member:
    """One dataset in one class: its weight, its mean gain, what that is in log-odds, and its gains [points]."""

    dataset: str
    weight: float
    gain: float
    log_odds: float
    start: float
    by_point: np.ndarray


@dataclass(frozen=True)
class Classes:
    """The datasets not learned in pre-training, and the learned ones."""

    not_learned: list[Member]
    learned: list[Member]

    def of(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """List a value of the members of both classes."""
        first, second = ([getattr(one, name) for one in members] for members in (self.not_learned, self.learned))
        return np.array(first), np.array(second)

    @property
    def n_datasets(self) -> int:
        """The number of datasets in either class."""
        return len({one.dataset for one in (*self.not_learned, *self.learned)})

    def component(self, name: str) -> Component | None:
        """Compute the variance over datasets of the difference of the classes in a value."""
        return between_classes(*self.of(name), weights=self.of("weight"))

    def difference(self, name: str) -> float:
        """Subtract the weighted mean of the learned from that of the others."""
        (first, second), (one, other) = self.of(name), self.of("weight")
        return float(np.average(first, weights=one) - np.average(second, weights=other))

    def in_log_odds(self, settings: Settings) -> Estimate | None:
        """Estimate the difference of the classes in log-odds, over datasets; None where these are too few."""
        found = self.component("log_odds")
        if found is None:
            return None
        return with_interval(
            self.difference("log_odds"), found.variance**0.5, df=found.df, confidence=settings.confidence
        )

    def courses(self, points: Sequence[Point], is_counted: Sequence[bool]) -> list[Course]:
        """Follow both classes over the checkpoints of every series; those counted have equal weight."""
        weights = np.array(is_counted, float) / sum(is_counted)
        series = np.array([point.series for point in points])
        found = []
        for name in dict.fromkeys(series):
            here = series == name
            groups = [
                np.stack([one.by_point[here] for one in members], axis=1)
                for members in (self.not_learned, self.learned)
            ]
            found.append(course([p for p in points if p.series == name], groups, weights[here]))
        return found


def classes_of(gains: Gains, every: Gains, points: Sequence[Point]) -> Classes:
    """Sort the gains that count by dataset and class; `every` has those of all `points`."""
    parts = parts_weighed(gains)
    members: dict[bool, list[Member]] = {False: [], True: []}
    for is_learned, dataset in sorted({(gain.is_learned, gain.row.dataset) for gain in gains.found}):
        own = [gain for gain in gains.found if (gain.is_learned, gain.row.dataset) == (is_learned, dataset)]
        weights = {
            part: weight for (part, kind, name), weight in parts.items() if (kind, name) == (is_learned, dataset)
        }
        if weights:
            members[is_learned].append(member_of(own, weights, every, points, n_items=gains.n_items[dataset]))
    return Classes(members[False], members[True])


def parts_weighed(gains: Gains) -> dict[tuple[int, bool, str], float]:
    """Weigh each dataset in each part of the items in which both classes are; the weights of a class add up to 1."""
    shares = {gain.part: gain.share for gain in gains.found}
    members = {
        (part, kind): sorted(name for number, is_learned, name in gains.sums if (number, is_learned) == (part, kind))
        for part in shares
        for kind in (False, True)
    }
    whole = {part: share for part, share in shares.items() if members[part, False] and members[part, True]}
    total = sum(whole.values())
    return {
        (part, kind, name): share / total / len(members[part, kind])
        for part, share in whole.items()
        for kind in (False, True)
        for name in members[part, kind]
    }


def member_of(
    own: list[Gain], weights: dict[int, float], every: Gains, points: Sequence[Point], *, n_items: int
) -> Member:
    """Average the gains of one dataset in one class, by the weights of the parts of its items."""
    dataset = own[0].row.dataset
    gain, start = weighed(own, weights, "value"), weighed(own, weights, "before")
    at = {(point.series, point.checkpoint): place for place, point in enumerate(points)}
    found: list[list[Gain]] = [[] for _ in points]
    for one in every.found:
        place = at.get((one.row.series, one.row.checkpoint))
        if one.row.dataset == dataset and place is not None:
            found[place].append(one)
    by_point = np.array([weighed(here, weights, "value") for here in found])
    log_odds = odds_of(start + gain, n_items) - odds_of(start, n_items)
    return Member(dataset, sum(weights.values()), gain, log_odds, start, by_point)


def weighed(gains: list[Gain], weights: dict[int, float], name: str) -> float:
    """Average a value of gains within each part, and over parts by weight; NaN without any."""
    values: dict[int, list[float]] = {}
    for gain in gains:
        value = getattr(gain, name)
        if gain.part in weights and not np.isnan(value):
            values.setdefault(gain.part, []).append(value)
    if not values:
        return float("nan")
    means = [float(np.mean(found)) for found in values.values()]
    return float(np.average(means, weights=[weights[part] for part in values]))


def odds_of(share: float, n_items: int) -> float:
    """Compute the log-odds of a mean score, kept half an item away from 0 and 1."""
    least = 0.5 / n_items
    return float(special.logit(np.clip(share, least, 1 - least)))

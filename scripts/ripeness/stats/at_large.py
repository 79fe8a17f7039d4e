"""Give one effect two intervals: on the datasets of a study, and on datasets like these.

On these datasets an effect varies by test items, by training seeds, by checkpoints, and by pre-training runs where
there are enough of them. On datasets like these it varies by datasets too, whose scatter holds what is different for
each of them: its items, its seeds, and its own scatter of checkpoints. What all datasets share is added.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from ripeness.stats.random_levels import Component, combined, lag_one, larger, whole_and_shared
from ripeness.stats.resampling import Above, Estimate, components_above, item_component, mean_of, with_interval

LEAST_POINTS = 4  # checkpoints to see a scatter about a line
ROUNDS = 30  # of least squares by turns, for gaps
LEAST_DF = 1.01  # of the scatter of datasets, for it to be held against what it must be at least


@dataclass(frozen=True)
class Course:
    """What every dataset does at the checkpoints of one series, [points, units], for each group of units.

    The effect is the sum over points, with `weights`, of the mean of the first group less that of the second, if there
    is one. `place` is the logarithm of tokens; NaN is what was not measured.
    """

    place: np.ndarray
    groups: tuple[np.ndarray, ...]
    weights: np.ndarray

    @property
    def seen(self) -> "Course | None":
        """Keep the checkpoints that count, or all where these are too few to show a scatter; None without enough."""
        counts = self.weights != 0
        kept = counts if counts.sum() >= LEAST_POINTS else np.ones(len(counts), bool)
        if kept.sum() < LEAST_POINTS or any(np.isnan(group).all() for group in self.groups):
            return None
        groups = tuple(filled(group[kept]) for group in self.groups)
        return Course(self.place[kept], groups, self.weights[kept])


@dataclass(frozen=True)
class Sources:
    """What an effect varies by: None where a source has no repeats, or is not in the study.

    `shared` is what checkpoints do to all datasets alike, and `correlation` that of neighbouring checkpoints.
    """

    items: Component
    seeds: Component | None = None
    runs: Component | None = None
    checkpoints: Component | None = None
    shared: Component | None = None
    correlation: float = 0.0


def filled(values: np.ndarray) -> np.ndarray:
    """Fill the gaps of [points, units] with the sum of an effect of the point and one of the unit (least squares)."""
    there = ~np.isnan(values)
    if there.all():
        return values
    points, units = np.zeros(len(values)), mean_of(values)
    for _ in range(ROUNDS):
        points = np.nan_to_num(mean_of(values - units, axis=1))
        units = np.nan_to_num(mean_of(values - points[:, None]), nan=0.0)
    return np.where(there, values, units + points[:, None])


def sources_of(replicates: np.ndarray, above: Above | None, courses: list[Course], *, n_items: int) -> Sources:
    """Measure what an effect varies by, from its draws over items [1 + n], repeats, and checkpoints.

    Levels of `above` are seeds and, where there are enough, runs; runs show the scatter of checkpoints themselves.
    """
    seeds, runs, *_ = [*(components_above(above, len(replicates) - 1) if above else []), None, None]
    items = item_component(replicates, n_items)
    seen = [course.seen for course in courses] if runs is None else []
    known = [course for course in seen if course]
    if not known or len(known) < len(seen):
        return Sources(items, seeds, runs)
    rhos = [lag_one(course.place, np.concatenate(course.groups, axis=1)) for course in known]
    rho = float(np.mean(rhos))
    scatter = [
        whole_and_shared(course.place, group, course.weights, rho) for course in known for group in course.groups
    ]
    whole = added([parts[0] for parts in scatter if parts])
    return Sources(items, seeds, runs, whole, added([parts[1] for parts in scatter if parts]), rho)


def added(parts: list[Component | None]) -> Component | None:
    """Add those that are there; None for none, or none that varies."""
    there = [part for part in parts if part and part.variance > 0]
    return combined(there) if there else None


def largest(parts: list[Component | None]) -> list[Component]:
    """List the largest of components that hold each other in part; nothing of none."""
    there = [part for part in parts if part]
    return [max(there, key=lambda part: part.variance)] if there else []


def on_these(effect: float, sources: Sources, *, confidence: float) -> Estimate:
    """Give the interval of an effect on the datasets of the study.

    Each checkpoint is tuned from again, so that the scatter of checkpoints holds that of seeds in part: the larger
    counts.
    """
    runs = [sources.runs] if sources.runs else []
    whole = combined([sources.items, *largest([sources.seeds, sources.checkpoints]), *runs])
    return with_interval(effect, whole.variance**0.5, df=whole.df, confidence=confidence)


def at_large(effect: float, datasets: Component, sources: Sources, *, confidence: float) -> Estimate:
    """Give the interval of an effect on datasets like these, from the scatter of the study's own.

    The scatter holds items and seeds, and is not taken to be less than what items alone would make it. On one degree of
    freedom, that of two datasets, it is small by chance too often for that: there the wider interval counts, of the
    scatter or of items and seeds.
    """
    whole = at_large_component(datasets, sources, confidence=confidence)
    return with_interval(effect, whole.variance**0.5, df=whole.df, confidence=confidence)


def at_large_component(datasets: Component, sources: Sources, *, confidence: float) -> Component:
    """Compute the variance of an effect on datasets like these, with its degrees of freedom; see `at_large`."""
    above = [part for part in (sources.runs, sources.shared) if part]
    if datasets.df >= LEAST_DF:
        return larger(combined([datasets, *above]), combined([sources.items, *above]))
    fixed = combined([sources.items, *([sources.seeds] if sources.seeds else [])])
    return max(combined([datasets, *above]), combined([fixed, *above]), key=lambda part: reach(part, confidence))


def reach(part: Component, confidence: float) -> float:
    """Compute half the width of a t interval."""
    return float(special.stdtrit(part.df, (1 + confidence) / 2)) * part.variance**0.5

"""Estimate what the checkpoints of pre-training runs say together, such as a slope over tokens.

Checkpoints are a sample: each scatters about a smooth curve, and repeats at one checkpoint share its scatter. With
MIN_RUNS runs their spread counts, which holds all of this.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ripeness.findings.caveats import MIN_RUNS
from ripeness.findings.over_runs import over_runs
from ripeness.findings.treated_curves import Curve
from ripeness.stats.neighbours import Neighbours, about_smooth_curve
from ripeness.stats.random_levels import WARNED, Component, combined, larger, over_checkpoints, over_units
from ripeness.stats.resampling import Estimate, with_interval

LEAST_POINTS = 4  # that show a scatter about a curve
MANY = 1e6  # degrees of freedom of an error that is known

Weights = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Course:
    """What was measured at the checkpoints of one run: `values` [points, repeats] over `place`, the log of tokens.

    It is the mean of `n_curves`. `errors` [points] are standard errors over test items, where these are known.
    """

    run: str
    place: np.ndarray
    values: np.ndarray
    n_curves: int = 1
    errors: np.ndarray | None = None


@dataclass(frozen=True)
class Over:
    """An estimate over checkpoints, None where nothing tells its error, and how alike neighbours are."""

    estimate: Estimate | None
    neighbours: Neighbours = Neighbours()


def courses_of(
    curves: Sequence[Curve],
    logs: Callable[[np.ndarray], np.ndarray],
    errors: Callable[[Curve], np.ndarray] | None = None,
) -> list[Course]:
    """Average curves of the same run and tokens, by repeat; `logs` takes values [points, repeats] to what is averaged.

    `errors` gives the standard errors of the mean [points] on that scale, which curves share.
    """
    groups: dict[tuple[str, tuple[float, ...]], list[Curve]] = {}
    for curve in curves:
        for run in curve.runs:
            groups.setdefault((run, tuple(curve.tokens.tolist())), []).append(curve)
    found = []
    for (run, tokens), own in groups.items():
        columns: dict[tuple[str, ...], list[np.ndarray]] = {}
        for curve in own:
            inside = [column for column, name in enumerate(curve.repeats) if name[0] == run]
            for column, values in zip(inside, logs(curve.values[:, inside]).T, strict=True):
                columns.setdefault(curve.repeats[column], []).append(values)
        values = np.stack([np.mean(repeats, axis=0) for repeats in columns.values()], axis=1)
        known = np.mean([errors(curve) for curve in own], axis=0) if errors else None
        found.append(Course(run, np.log2(tokens), values, len(own), known))
    return found


def slope_weights(place: np.ndarray) -> np.ndarray:
    """Weigh points so that their sum is the least-squares slope."""
    centred = place - place.mean()
    return centred / (centred @ centred)


def estimated(courses: Sequence[Course], weights: Weights, *, confidence: float) -> Over:
    """Estimate the mean over runs of a weighted sum over checkpoints."""
    runs: dict[str, list[Course]] = {}
    for course in courses:
        runs.setdefault(course.run, []).append(course)
    effects = {run: mean_of_run(own, weights) for run, own in runs.items()}
    if len(runs) >= MIN_RUNS:
        return Over(over_runs({run: [effect] for run, effect in effects.items()}, confidence=confidence))
    near = neighbours_of(courses)
    parts = [error_of_run(own, weights, near.rho) for own in runs.values()]
    if not parts or None in parts:
        return Over(None, near)
    whole = combined([part for part in parts if part])
    effect, se = float(np.mean(list(effects.values()))), float(np.sqrt(whole.variance)) / len(runs)
    return Over(with_interval(effect, se, df=whole.df, confidence=confidence), near)


def mean_of_run(courses: Sequence[Course], weights: Weights) -> float:
    """Average the sum over the curves of one run."""
    sums = [float(weights(course.place) @ course.values.mean(axis=1)) for course in courses]
    return float(np.average(sums, weights=[course.n_curves for course in courses]))


def error_of_run(courses: Sequence[Course], weights: Weights, rho: float) -> Component | None:
    """Compute the variance of such a mean; courses of one run share checkpoints, so that their errors add up."""
    parts = [error_of(course, weights(course.place), rho) for course in courses]
    known = [part for part in parts if part]
    if len(known) < len(parts):
        return None
    shares = np.array([course.n_curves for course in courses]) / sum(course.n_curves for course in courses)
    sds = np.sqrt([part.variance for part in known])
    return Component(float(shares @ sds) ** 2, min(part.df for part in known))


def error_of(course: Course, weights: np.ndarray, rho: float) -> Component | None:
    """Compute the variance of a sum over checkpoints: of their scatter, or of repeats or items where it is larger.

    The scatter holds the errors of repeats and items in so far as these differ between checkpoints. None where a
    single repeat, or too few checkpoints, tell nothing of it.
    """
    repeats = over_units(weights @ course.values)
    if len(course.place) < LEAST_POINTS or repeats is None:
        return None
    scatter = over_checkpoints(course.place, course.values.mean(axis=1, keepdims=True), weights, rho)
    items = 0.0 if course.errors is None else float((weights**2) @ course.errors**2)
    both = larger(scatter, repeats) if scatter else repeats
    return larger(both, Component(items, MANY))


def neighbours_of(courses: Sequence[Course]) -> Neighbours:
    """Measure how alike neighbouring checkpoints are, the mean over courses; it is clear where one shows it."""
    found = [
        about_smooth_curve(course.place, course.values.mean(axis=1))
        for course in courses
        if len(course.place) >= LEAST_POINTS
    ]
    if not found:
        return Neighbours()
    return Neighbours(float(np.mean([one.rho for one in found])), any(one.is_clear for one in found))


def covers_checkpoints(over: Over, n_runs: int, repeats: str) -> str:
    """Say in words what such an interval covers."""
    if n_runs >= MIN_RUNS:
        return f"{n_runs} pre-training runs with their checkpoints"
    said = f"how checkpoints scatter about a smooth curve (correlation of neighbours {over.neighbours.rho:.1f})"
    return f"{said} and {repeats}; the pre-training run is taken as it is"


def neighbour_caveats(neighbours: Neighbours) -> list[str]:
    """Warn of checkpoints whose neighbours are alike beyond a smooth curve."""
    if not neighbours.is_clear or neighbours.rho <= WARNED:
        return []
    return [
        f"Warning: neighbouring checkpoints are alike beyond a smooth curve (correlation {neighbours.rho:.1f}). "
        "The interval is widened for it, but so few checkpoints show it badly: it may still be too narrow."
    ]

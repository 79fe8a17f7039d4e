"""Compute the variance of a mean over what is itself a sample: datasets, pairs of datasets, checkpoints, seeds.

A claim about datasets at large is tested on the few datasets of a study. Other datasets would give another mean, so
that the scatter of datasets belongs to the error, however many items each of them has. The same holds for checkpoints.
All functions take arrays and give a variance with degrees of freedom, or None where the study cannot tell it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

CORRELATIONS = np.arange(0.0, 0.801, 0.05)  # of neighbouring checkpoints; beyond, a curve and its noise look alike
FEW_POINTS = 6  # from which a parabola is fitted to checkpoints, and a line to fewer
LEAST_FOR_LAG = 8  # checkpoints; with fewer, what a curve misses looks like a correlation close to 1
WARNED = 0.3  # a lag-1 correlation above it calls for a warning
SURE = 1.28  # standard errors above white noise from which a correlation is believed, one-sided 10 %
POOLED = 0.25  # p of an F test above which two variances count as one (see `whole_and_shared`)


class Component(NamedTuple):
    """The variance of a mean that comes from one source, and its degrees of freedom."""

    variance: float
    df: float


def combined(parts: Sequence[Component]) -> Component:
    """Add independent variances; degrees of freedom after Satterthwaite (Biometrics 2, 1946) and Welch (1947)."""
    variance = sum(part.variance for part in parts)
    below = sum(part.variance**2 / part.df for part in parts)
    return Component(variance, variance**2 / below if below > 0 else min(part.df for part in parts))


def larger(first: Component, second: Component) -> Component:
    """Take the larger variance, with its degrees of freedom."""
    return first if first.variance >= second.variance else second


def over_units(values: np.ndarray, weights: np.ndarray | None = None) -> Component | None:
    """Compute the variance of the mean of `values` [units] of units drawn at random: s^2 / n with n - 1.

    With `weights` [units] it is that of the weighted mean, unbiased where all units vary alike; the degrees of freedom
    are those of the effective number of units (Kish 1965), 1 / sum of squared shares, less 1. None for one unit.
    """
    shares = np.full(len(values), 1.0) if weights is None else np.asarray(weights, float)
    shares = shares / shares.sum()
    return cluster_component(shares * (values - shares @ values), shares)


def cluster_component(residuals: np.ndarray, shares: np.ndarray) -> Component | None:
    """Compute the variance of a weighted mean from `residuals` [clusters], each times its share of the mean."""
    second, third = (shares**2).sum(), (shares**3).sum()
    left = second - 2 * third + second**2  # share of a unit's variance that its distance from the mean keeps
    if np.count_nonzero(shares) < 2 or left <= 0:
        return None
    return Component(float((residuals**2).sum() * second / left), float(1 / second - 1))


def between_classes(
    first: np.ndarray,
    second: np.ndarray,
    weights: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
) -> Component | None:
    """Compute the variance of the difference of the means of two classes of units (Welch, Biometrika 34, 1947).

    Where one class has a single unit its variance is taken to be that of the other class, as a pooled variance does.
    None where both have one.
    """
    parts = [
        over_units(np.asarray(values, float), weight) for values, weight in zip((first, second), weights, strict=True)
    ]
    known = [part for part in parts if part]
    if len(known) == 2:
        return combined(known)
    if not known:
        return None
    return Component(known[0].variance * (known[0].df + 2), known[0].df)  # s^2 / n + s^2, n = df + 1


def over_crossed(values: np.ndarray, weights: np.ndarray, first: np.ndarray, second: np.ndarray) -> Component | None:
    """Compute the variance of a weighted mean of cells that cross two random levels, as datasets tuned on and asked do.

    `values`, `weights` and the codes `first` and `second` are [cells]. The variance is that of the one level plus that
    of the other less that of what is left of cells after both, which either contains (the method of moments of a
    two-way analysis of variance; Searle, Casella and McCulloch 1992), and at least the larger of both. None where a
    level has one member.
    """
    shares = weights / weights.sum()
    residuals = shares * (values - shares @ values)
    levels = [compact(first), compact(second)]
    one, other = (cluster_component(np.bincount(codes, residuals), np.bincount(codes, shares)) for codes in levels)
    if one is None or other is None:
        return None
    cells = left_of_cells(values, first, second) * float(shares @ shares)
    both = combined([one, other])
    return Component(max(both.variance - cells, one.variance, other.variance), both.df)


def over_pairs(values: np.ndarray, first: np.ndarray, second: np.ndarray, kind: np.ndarray) -> Component | None:
    """Compute the variance of the mean of ordered pairs of units, where a unit is first in some and second in others.

    `values`, the codes of units `first` and `second`, and the `kind` of both are [pairs]. A unit moves all pairs that
    it is in: by its mean as first plus its mean as second, times (n - 1) / (n - 2), since the pairs of other units
    hold it too (Snijders and Borgatti, Connections 22, 1999). What pairs vary by on their own counts twice in this, so
    that it is taken out, but never more than half. The variance of units is pooled over kinds; a kind of two units is
    judged by the others. None where no kind has three units.
    """
    squares, own, df, spread = 0.0, 0.0, 0, 0.0
    for name in np.unique(kind):
        here = kind == name
        units = np.unique(np.concatenate([first[here], second[here]]))
        n = len(units)
        spread += here.mean() ** 2 / n
        if n > 2:
            factor = (n - 1) / (n - 2)
            sums = np.array([mean_by(values[here], codes[here], units) for codes in (first, second)])
            moved = np.nansum(sums - values[here].mean(), axis=0) * factor
            squares += float(((moved - moved.mean()) ** 2).sum())
            own += (2 * factor**2 - 1) * left_of_cells(values[here], first[here], second[here])
            df += n - 1
    return Component(max(squares - own, squares / 2) / df * spread, df) if df else None


def left_of_cells(values: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Estimate the variance of cells [cells] that a sum of two effects leaves; 0 where it fits all of them."""
    design = np.concatenate([np.eye(codes.max() + 1)[codes] for codes in (compact(first), compact(second))], axis=1)
    left = np.eye(len(values)) - design @ np.linalg.pinv(design)
    free = float(np.trace(left))
    return float(values @ left @ values) / free if free > 0.5 else 0.0


def mean_by(values: np.ndarray, codes: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Average `values` of each unit; NaN for a unit without."""
    return np.array([values[codes == unit].mean() if (codes == unit).any() else np.nan for unit in units])


def compact(codes: np.ndarray) -> np.ndarray:
    """Renumber codes from 0 without gaps."""
    return np.unique(codes, return_inverse=True)[1]


def left_by_curve(place: np.ndarray) -> np.ndarray:
    """Make the matrix that takes a curve out of values at `place` [points]: a parabola, a line below 6 points."""
    scaled = (place - place.mean()) / max(np.ptp(place), 1e-12)
    design = np.vander(scaled, 3 if len(place) >= FEW_POINTS else 2)
    return np.eye(len(place)) - design @ np.linalg.pinv(design)


def correlated(n: int, rho: float) -> np.ndarray:
    """Make the correlations of `n` checkpoints in a row, rho between neighbours (a first-order autoregression)."""
    return rho ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))


def lag_one(place: np.ndarray, values: np.ndarray) -> float:
    """Measure the correlation of neighbouring checkpoints about a smooth curve; 0 where white noise would do.

    `place` [points] is the logarithm of tokens, `values` are [points, units]. A fitted curve makes neighbouring
    residuals of white noise negatively correlated. The estimate is the correlation under which the expected ratio of
    neighbours' products to squares is the measured one, where white noise would rarely give as much (one-sided 10 %):
    8 checkpoints of one dataset cannot tell a slow noise from a curve, 20 can; fewer than 8 are not asked.
    """
    if len(place) < LEAST_FOR_LAG:
        return 0.0
    left = left_by_curve(place)
    residuals = left @ values
    squares = float((residuals**2).sum())
    measured = float((residuals[1:] * residuals[:-1]).sum()) / squares if squares > 0 else -1.0
    neighbours = np.eye(len(left), k=1)
    expected = [
        float(np.trace(left @ neighbours @ left @ noise) / np.trace(left @ noise))
        for noise in (correlated(len(left), rho) for rho in CORRELATIONS)
    ]
    if measured <= expected[0] + SURE * values.size**-0.5:
        return 0.0
    return float(np.interp(measured, np.maximum.accumulate(expected), CORRELATIONS))


def over_checkpoints(place: np.ndarray, values: np.ndarray, weights: np.ndarray, rho: float = 0.0) -> Component | None:
    """Compute what the scatter of checkpoints about a smooth curve does to a weighted sum of the mean over units.

    `place` [points] is the logarithm of tokens, `values` [points, units], `weights` [points]. The curve is a parabola,
    a line below 6 points; the truth is the same sum of the curve. `rho` is the correlation of neighbours, see
    `lag_one`. None below 4 points.
    """
    if len(place) < 4:
        return None
    left, noise = left_by_curve(place), correlated(len(place), rho)
    kept = left @ noise
    free = float(np.trace(kept))
    variance = float(((left @ values.mean(axis=1)) ** 2).sum()) / free
    return Component(variance * float(weights @ noise @ weights), free**2 / float(np.trace(kept @ kept)))


def whole_and_shared(
    place: np.ndarray, values: np.ndarray, weights: np.ndarray, rho: float = 0.0
) -> tuple[Component, Component | None] | None:
    """Compute the scatter of checkpoints, and the part of it that is high or low for all units alike.

    Both are what they do to the same sum, see `over_checkpoints`. What units have of their own is in the scatter of
    units already; what all share is not: the scatter of the mean less that of units about it. It is believed where
    units that share nothing would give as much in fewer than 25 %, for the positive part of a difference is no estimate
    of 0. (Sometimes pooling, at this level: Bozivich, Bancroft and Hartley, Ann. Math. Statist. 27, 1956.)
    Nothing is shared by one unit. None below 4 points.
    """
    n, whole = values.shape[1], over_checkpoints(place, values, weights, rho)
    if whole is None or n < 2:
        return (whole, None) if whole else None
    apart = left_by_curve(place) @ (values - values.mean(axis=1, keepdims=True))
    noise = correlated(len(place), rho)
    free = (n - 1) * float(np.trace(left_by_curve(place) @ noise))
    own = float((apart**2).sum()) / free / n * float(weights @ noise @ weights)
    chance = float(special.fdtrc(whole.df, (n - 1) * whole.df, whole.variance / own)) if own > 0 else 0.0
    return whole, Component(whole.variance - own, whole.df) if chance <= POOLED else None

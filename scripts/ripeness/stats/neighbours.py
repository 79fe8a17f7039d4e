"""Measure how alike neighbouring checkpoints are beyond a smooth curve through them.

Checkpoints that lie above a curve together are fewer than they look. A fitted curve takes part of that along: about it
even white noise has neighbours on opposite sides. What a measured correlation means is therefore drawn.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ripeness.stats.checkpoint_noise import likely
from ripeness.stats.curves import curve_residuals, design_of, pure_noise
from ripeness.stats.random_levels import correlated, left_by_curve

CORRELATIONS = np.array(
    [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
)  # of neighbours; beyond, noise and curve are the same
DRAWS = 2000
LASTING = 0.5  # a correlation under which a parabola must fit
SELDOM = 0.1  # share of white noise whose neighbours look as alike as one that is called clear

Residuals = Callable[[np.ndarray], np.ndarray]


class Neighbours(NamedTuple):
    """The correlation of neighbouring checkpoints, and whether white noise would seldom look like it."""

    rho: float = 0.0
    is_clear: bool = False


def about_smooth_curve(place: np.ndarray, values: np.ndarray) -> Neighbours:
    """Measure it about a parabola (a line below 6 points) through `values` [points], at least 4."""
    left = left_by_curve(place)
    return measured(left @ values, *drawn_about_smooth_curve(tuple(place.tolist())))


def about_any_curve(x: tuple[float, ...], means: np.ndarray) -> Neighbours:
    """Measure it about a parabola through means [checkpoints], at least 6, or the best curve where that is no fit.

    About the best of many curves little is left of it to see; a parabola through a steep fall or a kink would take
    shape for noise that lasts. A parabola is no fit where the best curve is better by more than under such noise.
    """
    best = curve_residuals(design_of(x), means[:, None])[:, 0]
    if is_smooth(x, means, best):
        return about_smooth_curve(np.array(x), means)
    medians, seldom, _ = drawn_about_best_curve(x)
    return measured(best, medians, seldom)


def kinds_about_any_curve(x: tuple[float, ...], means: np.ndarray) -> np.ndarray:
    """Weigh the kinds of noise [kinds] about the same curve: a parabola, or a line and the term that fits best."""
    design = design_of(x)
    best = curve_residuals(design, means[:, None])[:, 0]
    share = (design.x - design.x[0]) / np.ptp(design.x)
    bend = share**2 if is_smooth(x, means, best) else means - best
    return likely(x, np.column_stack([np.ones_like(share), share, bend]), means)


def is_smooth(x: tuple[float, ...], means: np.ndarray, best: np.ndarray) -> bool:
    """Say whether a parabola fits means [checkpoints] about as well as the best curve, of which `best` are left."""
    left = left_by_curve(np.array(x)) @ means
    return bool(left @ left <= drawn_about_best_curve(x)[2] * (best @ best))


@lru_cache(maxsize=32)
def drawn_about_smooth_curve(place: tuple[float, ...]) -> tuple[np.ndarray, float]:
    """Draw what is measured under each correlation, see `drawn`."""
    left = left_by_curve(np.array(place))
    return drawn(len(place), lambda noise: left @ noise)


@lru_cache(maxsize=32)
def drawn_about_best_curve(x: tuple[float, ...]) -> tuple[np.ndarray, float, float]:
    """Draw what is measured under each correlation, see `drawn`, and how much better than a parabola it fits noise.

    The last is a ratio of squares that 5 % of noise exceed whose neighbours correlate by LASTING.
    """
    design = design_of(x)
    noise = correlated_noise(len(x), DRAWS, 0, LASTING)
    smooth, best = left_by_curve(np.array(x)) @ noise, curve_residuals(design, noise)
    worst = float(np.quantile((smooth**2).sum(axis=0) / (best**2).sum(axis=0), 0.95))
    return *drawn(len(x), lambda noise: curve_residuals(design, noise)), worst


def drawn(n: int, residuals: Residuals) -> tuple[np.ndarray, float]:
    """Draw the median of the lag-1 correlation of residuals under each of CORRELATIONS, and what is seldom seen."""
    ratios = [lag_one(residuals(correlated_noise(n, DRAWS, 0, rho))) for rho in CORRELATIONS]
    medians = np.maximum.accumulate([float(np.median(own)) for own in ratios])
    return medians, float(np.quantile(ratios[0], 1 - SELDOM))


def measured(residuals: np.ndarray, medians: np.ndarray, seldom: float) -> Neighbours:
    """Find the correlation under which the median is what residuals [points] have (median-unbiased); 0 for less."""
    if not residuals.any():
        return Neighbours()
    seen = float(lag_one(residuals[:, None])[0])
    return Neighbours(float(np.interp(seen, medians, CORRELATIONS)), seen > seldom)


def lag_one(residuals: np.ndarray) -> np.ndarray:
    """Divide the sum of products of neighbours by that of squares: [n], from residuals [points, n]."""
    return (residuals[1:] * residuals[:-1]).sum(axis=0) / (residuals**2).sum(axis=0)


@lru_cache(maxsize=64)
def correlated_noise(n: int, draws: int, seed: int, rho: float) -> np.ndarray:
    """Draw normal numbers of variance 1 [n, draws] with a correlation of neighbours (first-order autoregression)."""
    noise = pure_noise(n, draws, seed)
    return np.linalg.cholesky(correlated(n, rho)) @ noise if rho > 0 else noise

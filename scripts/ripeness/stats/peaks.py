"""Contrast the last checkpoint with the best before it, correcting for the choice of the best.

Means [checkpoints] are over seeds, and of them less is better; turn the sign of scores. A seed that lies higher than
others at all checkpoints drops out of every difference, so that averaging pairs the seeds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from scipy.optimize import isotonic_regression

from ripeness.stats.broken_stick import line_p
from ripeness.stats.checkpoint_noise import drawn_from
from ripeness.stats.curves import Design, best_curve, design_of, p_from_draws, pure_noise, residual_sd, significance

# What follows was chosen by simulation, with other noise than that of benchmarks/turning_points.py.
CLEARLY = 1.1  # standard errors by which a checkpoint must be worse to be no rival of the best
SPENT = 5  # numbers of a fit: it spreads their noise over all n checkpoints, so that a value is off by sqrt(5 / n)
TRUSTED = 16  # checkpoints from which on a fit says where rivals are; with fewer it goes the share n / 16 of the way
BENT = 0.05  # p of a straight line below which noise is drawn about the bent curve

PRECISION = 1e-6  # share of the range of the means below which noise is not looked at


@dataclass(frozen=True)
class Peak:
    """How much worse the last checkpoint is than the best before it (positive: worse), with its interval.

    `candidates` are the places that may be the best of all: the lower limit of their own contrast is not above 0.
    `p_value` is two-sided, against 0. `low_errors` and `high_errors` [draws] are by how much the effect is too large by
    chance, for a lower and for an upper limit; a verdict is read from them. `find_p_monotone` tests means that never
    get worse, which takes far longer than all else, once it is asked for.
    """

    effect: float
    low: float
    high: float
    p_value: float
    best: int
    candidates: tuple[int, ...]
    sd: float
    find_p_monotone: Callable[[], float] = field(repr=False, compare=False)
    low_errors: np.ndarray = field(repr=False, compare=False)
    high_errors: np.ndarray = field(repr=False, compare=False)
    se: float = np.nan  # errors are drawn
    df: float = np.nan

    @cached_property
    def p_monotone(self) -> float:
        """The p of means that never get worse."""
        return self.find_p_monotone()

    def p_above(self, limit: float) -> float:
        """Compute the one-sided p of the claim that the contrast is above a limit."""
        return float(p_from_draws(self.low_errors >= self.effect - limit))

    def p_below(self, limit: float) -> float:
        """Compute the one-sided p of the claim that the contrast is below a limit."""
        return float(p_from_draws(self.high_errors <= self.effect - limit))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Give the interval at a confidence, from the draws."""
        tail = significance(confidence) / 2
        low = np.quantile(self.low_errors, 1 - tail, method="weibull")
        return self.effect - float(low), self.effect - float(np.quantile(self.high_errors, tail, method="weibull"))


@dataclass(frozen=True)
class Noise:
    """Means and the curve through them in units of the noise about it, and draws of both, [checkpoints, draws].

    `sds` [draws] are the noise that would be found, had it the size that was found and the curve its shape.
    """

    sd: float
    means: np.ndarray
    curve: np.ndarray
    drawn: np.ndarray
    sds: np.ndarray


def noise_about(
    design: Design, means: np.ndarray, *, least: float, draws: int, seed: int, kinds: np.ndarray | None = None
) -> Noise:
    """Take the noise of checkpoints from their scatter about the best curve, or from `least` where it is more.

    Draws find their noise as the data did: about a curve that is chosen among many, which takes some of it along.
    Where the data are no line the curve has used up its freedom on a bend that is there, and draws lie about it.
    """
    curve = best_curve(design, means)
    sd = max(float(residual_sd(design, means[:, None])[0]), least, PRECISION * float(np.ptp(means)))
    drawn = drawn_from(tuple(design.x.tolist()), kinds, pure_noise(len(means), draws, seed))
    is_bent = line_p(design, means[:, None], seed=seed, kinds=kinds)[0] <= BENT
    sds = residual_sd(design, drawn + curve[:, None] / sd if is_bent else drawn)
    return Noise(sd, means / sd, curve / sd, drawn, np.maximum(sds, least / sd))


def gaps_of(noise: Noise, among: slice) -> tuple[np.ndarray, np.ndarray]:
    """Estimate how much worse checkpoints are than the best, in units of noise, for an upper and for a lower limit.

    As seen or as fitted, whichever is less; for the upper limit on the way there from what was seen. For the lower
    limit, which must not forget a rival, a checkpoint that is not clearly worse is as good as the best.
    """
    n = len(noise.means)
    seen, fitted = (values[among] - values[among].min() for values in (noise.means, noise.curve))
    least = np.minimum(seen, fitted)
    clear = CLEARLY * min(1.0, np.sqrt(SPENT / n))
    return seen + min(1.0, n / TRUSTED) * (least - seen), np.where(least > clear, least, 0.0)


def candidates_of(noise: Noise, tail: float) -> tuple[int, ...]:
    """Find the checkpoints that may be the best of all: the best other one may be better by chance."""
    _, gaps = gaps_of(noise, slice(None))
    drawn = noise.drawn + gaps[:, None]
    best, next_best = np.partition(drawn, 1, axis=0)[:2]
    errors = (noise.drawn - np.where(drawn == best, next_best, best)) / noise.sds
    worse = noise.means - noise.means.min()
    may_be = (worse == 0) | (p_from_draws(errors >= worse[:, None]) > tail)
    return tuple(np.flatnonzero(may_be).tolist())


def peak_contrast(
    design: Design,
    means: np.ndarray,
    *,
    confidence: float,
    draws: int,
    seed: int,
    least: float = 0.0,
    kinds: np.ndarray | None = None,
) -> Peak:
    """Contrast the last checkpoint with the best before it; `least` is the standard error of a mean over items.

    `kinds` are the weights of the kinds of noise that errors are drawn from (checkpoint_noise.py); None is white noise.

    The best is picked for being low, so that the contrast is too large, the more so the more rivals the best has: two
    checkpoints as good as each other are two chances to be low. Errors that are drawn with as many rivals make up for
    it. For the lower limit, and the claim that there is a peak, every checkpoint is a rival that is not clearly worse;
    for the upper one rivals are nearly as far off as they were seen. (The least of several means by generalised moment
    selection: Andrews and Soares 2010, Econometrica 78.) The interval leaves 0 out just where p is at most
    1 - confidence.
    """
    noise = noise_about(design, means, least=least, draws=draws, seed=seed, kinds=kinds)
    last, effect = len(means) - 1, float(noise.means[-1] - noise.means[:-1].min())
    near, nearer = gaps_of(noise, slice(last))
    low, high = (
        (noise.drawn[last] - (noise.drawn[:last] + gaps[:, None]).min(axis=0)) / noise.sds for gaps in (nearer, near)
    )
    tail = significance(confidence) / 2
    return Peak(
        effect * noise.sd,
        (effect - float(np.quantile(low, 1 - tail, method="weibull"))) * noise.sd,
        (effect - float(np.quantile(high, tail, method="weibull"))) * noise.sd,
        p_value=float(min(1.0, 2 * min(float(p_from_draws(low >= effect)), float(p_from_draws(high <= effect))))),
        best=int(means[:-1].argmin()),
        candidates=candidates_of(noise, tail),
        sd=noise.sd,
        find_p_monotone=lambda: monotone_p(design, means, noise.sd, draws=draws, seed=seed, kinds=kinds),
        low_errors=low * noise.sd,
        high_errors=high * noise.sd,
    )


def valley_gain(means: np.ndarray) -> float:
    """Compute how much better a fall and a rise fit than a fall alone: the difference of least squares."""
    n = len(means)
    falls = [least_squares(means[:end], increasing=False) for end in range(n + 1)]
    rises = [least_squares(means[start:], increasing=True) for start in range(n + 1)]
    return falls[n] - min(fall + rise for fall, rise in zip(falls, rises, strict=True))


def least_squares(means: np.ndarray, *, increasing: bool) -> float:
    """Compute the least sum of squares around a monotone curve (pool adjacent violators).

    0 for fewer than two means.
    """
    if len(means) < 2:
        return 0.0
    return float(((means - isotonic_regression(means, increasing=increasing).x) ** 2).sum())


@lru_cache(maxsize=8)
def gains_of_white_noise(x: tuple[float, ...], draws: int, seed: int) -> np.ndarray:
    """Draw the gain of a valley over a fall [draws] under white noise, once for all curves over `x`."""
    return gains_of(design_of(x), pure_noise(len(x), draws, seed))


def gains_of(design: Design, noise: np.ndarray) -> np.ndarray:
    """Compute the gain of a valley over a fall [draws], in units of the estimated variance."""
    return np.array([valley_gain(column) for column in noise.T]) / residual_sd(design, noise) ** 2


def monotone_p(
    design: Design, means: np.ndarray, sd: float, *, draws: int, seed: int, kinds: np.ndarray | None = None
) -> float:
    """Test means that never get worse against a fall with a rise after it: p.

    Drawn with all means alike, of all curves that never get worse the one that looks most like a valley by chance.
    """
    x = tuple(design.x.tolist())
    white = kinds is None
    drawn = (
        gains_of_white_noise(x, draws, seed)
        if white
        else gains_of(design, drawn_from(x, kinds, pure_noise(len(x), draws, seed)))
    )
    return float(p_from_draws(drawn >= valley_gain(means / sd)))

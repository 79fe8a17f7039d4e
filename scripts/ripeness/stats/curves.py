"""Fit curves over pre-training (a line and one more term), and estimate the noise around them.

All functions work on means over seeds, one value a checkpoint. Seeds share the noise of their checkpoint, so that the
spread between seeds does not show it; only the residuals of the checkpoints from a curve do. Arrays [checkpoints, n]
hold one data set a column. A fit with one more term is a projection: with r the residuals of the line and q the term,
orthogonal to the line and of unit length, the residual sum of squares is |r|^2 - (q.r)^2.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

MIN_CHECKPOINTS = 6  # two lines that meet have four parameters; at least two degrees of freedom must be left
MIN_KNOTS = 60  # knots that are tried for an interval, at least
EXPONENTIAL_RATES = np.geomspace(0.3, 20, 12)  # per length of the curve: from nearly straight to one step
ROUNDING = 1e-9  # residuals smaller than this share of the values are rounding errors


@dataclass(frozen=True)
class Family:
    """Unit terms in a row, `terms` [m, checkpoints], and all terms between neighbours: their sums with one sign.

    For hinges at neighbouring checkpoints these sums are exactly the hinges between them, so that no grid of knots is
    needed. A term and its complement (`complements` [m - 1, checkpoints], the next term made orthogonal to it) are a
    basis of the sums; `cotangents` [m - 1] are those of the angles between neighbours.
    """

    terms: np.ndarray
    complements: np.ndarray
    cotangents: np.ndarray

    def coordinates(self, residuals: np.ndarray) -> np.ndarray:
        """Project residuals [checkpoints, n] on every term and complement: [2 m - 1, n]."""
        return np.vstack([self.terms, self.complements]) @ residuals

    def explained(self, coordinates: np.ndarray) -> np.ndarray:
        """Give the sum of squares that each term, and the best one in each gap, explains: [2 m - 1, n].

        0 for a gap whose best sum lies outside it.
        """
        on_term, on_complement = np.split(coordinates, [len(self.terms)])
        is_inside = (on_term[:-1] - on_complement * self.cotangents[:, None]) * on_complement > 0
        return np.vstack([on_term**2, np.where(is_inside, on_term[:-1] ** 2 + on_complement**2, 0.0)])

    def explained_ss(self, residuals: np.ndarray) -> np.ndarray:
        """Give the sum of squares [n] of residuals [checkpoints, n] that the best term explains."""
        return self.explained(self.coordinates(residuals)).max(axis=0)

    def best_fit(self, residuals: np.ndarray) -> np.ndarray:
        """Fit the best term to each of residuals [checkpoints, n]."""
        coordinates, m = self.coordinates(residuals), len(self.terms)
        number = self.explained(coordinates).argmax(axis=0)
        first, column = np.where(number < m, number, number - m), np.arange(residuals.shape[1])
        fitted = self.terms[first].T * coordinates[first, column]
        gap = np.minimum(first, m - 2)  # of those that lie between two terms
        between = self.complements[gap].T * coordinates[m + gap, column]
        return fitted + np.where(number < m, 0.0, between)

    def best(self, residuals: np.ndarray) -> tuple[int, np.ndarray]:
        """Find the best unit term for one data set [checkpoints]; its number is m or more if it lies in a gap."""
        coordinates, m = self.coordinates(residuals[:, None]), len(self.terms)
        number = int(self.explained(coordinates).argmax())
        if number < m:
            return number, self.terms[number]
        x, y = coordinates[[number - m, number], 0]
        return number, (x * self.terms[number - m] + y * self.complements[number - m]) / np.hypot(x, y)


@dataclass(frozen=True)
class Design:
    """Hold everything about a curve that follows from the checkpoints `x` alone.

    Knots lie between the second checkpoint and the last but one, since a line needs two points on either side. The
    interval of a knot is searched among `knots`, and then refined between them. `smooth` holds a parabola and
    exponentials.
    """

    x: np.ndarray
    line: np.ndarray  # [checkpoints, 2], orthonormal
    knots: np.ndarray
    hinges: Family
    smooth: Family

    @property
    def df(self) -> int:
        """Count the degrees of freedom left by a line, one more term and its place."""
        return len(self.x) - 4


@lru_cache(maxsize=32)
def design_of(x: tuple[float, ...]) -> Design:
    """Build the terms for checkpoints at `x`, which increases."""
    places = np.asarray(x, float)
    line = np.linalg.qr(np.column_stack([np.ones_like(places), places]))[0]
    inner = places[1:-1]
    knots_per_gap = max(4, -(-MIN_KNOTS // (len(inner) - 1)))
    knots = np.concatenate([np.linspace(*gap, knots_per_gap, endpoint=False) for gap in pairwise(inner)] + [inner[-1:]])
    share = (places - places[0]) / (places[-1] - places[0])
    rates = EXPONENTIAL_RATES[:, None]
    # all bend upwards, and a weak exponential is a parabola, so that neighbours are alike
    smooth = np.vstack([np.exp(-rates[::-1] * share), share**2, np.exp(rates * (share - 1))])
    hinges = make_family(project_out(hinge(places, inner), line))
    return Design(places, line, knots, hinges, make_family(project_out(smooth, line)))


def make_family(terms: np.ndarray) -> Family:
    """Make a family of unit terms [m, checkpoints]."""
    cosines = (terms[:-1] * terms[1:]).sum(axis=1)
    complements = terms[1:] - cosines[:, None] * terms[:-1]
    sines = np.linalg.norm(complements, axis=1)
    return Family(terms, complements / sines[:, None], cosines / sines)


def hinge(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return 0 before each knot, rising by 1 per unit of x after it: [knots, checkpoints]."""
    return np.maximum(x - np.asarray(knots)[:, None], 0)


def project_out(terms: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Make terms [terms, checkpoints] orthogonal to a line, and of unit length."""
    rest = terms - terms @ line @ line.T
    return rest / np.linalg.norm(rest, axis=1, keepdims=True)


def line_residuals(design: Design, means: np.ndarray) -> np.ndarray:
    """Return the residuals of means [checkpoints, n] from their line; rounding errors become 0."""
    residuals = means - design.line @ (design.line.T @ means)
    size = ROUNDING * np.abs(means).max(axis=0)
    return np.where(np.linalg.norm(residuals, axis=0) > size, residuals, 0.0)


def residual_sd(design: Design, means: np.ndarray) -> np.ndarray:
    """Estimate the standard deviation [n] of means [checkpoints, n] around the best curve of a line and one more term.

    The curve may bend sharply or smoothly, since anything that it cannot follow would be taken for noise.
    """
    residuals = line_residuals(design, means)
    explained = np.maximum(design.hinges.explained_ss(residuals), design.smooth.explained_ss(residuals))
    return np.sqrt(np.maximum((residuals**2).sum(axis=0) - explained, 0.0) / design.df)


def best_curve(design: Design, means: np.ndarray) -> np.ndarray:
    """Fit the best curve to one data set: [checkpoints]."""
    return means - curve_residuals(design, means[:, None])[:, 0]


def curve_residuals(design: Design, means: np.ndarray) -> np.ndarray:
    """Return the residuals of means [checkpoints, n], each from its own best curve of a line and one more term."""
    residuals = line_residuals(design, means)
    bends = [family.best_fit(residuals) for family in (design.hinges, design.smooth)]
    is_smooth = (bends[1] ** 2).sum(axis=0) > (bends[0] ** 2).sum(axis=0)
    return residuals - np.where(is_smooth, bends[1], bends[0])


@lru_cache(maxsize=8)
def pure_noise(n: int, draws: int, seed: int) -> np.ndarray:
    """Draw standard normal numbers [n, draws], the same for all curves with as many checkpoints."""
    return np.random.default_rng(seed).standard_normal((n, draws))


def p_from_draws(is_extreme: np.ndarray) -> np.ndarray:
    """Compute p from draws [..., draws] that are, or are not, as extreme as the data, which count as one of them."""
    return (1 + is_extreme.sum(axis=-1)) / (1 + is_extreme.shape[-1])


def significance(confidence: float) -> float:
    """Return the p up to which a hypothesis is rejected, without the rounding error of 1 - 0.9."""
    return round(1 - confidence, 9)

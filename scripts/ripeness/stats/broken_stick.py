"""Find where a curve over pre-training bends: fit two lines that meet; test a straight line, a knot and a kink.

Means [checkpoints, n] over seeds hold one data set a column (see `curves`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from ripeness.stats.checkpoint_noise import roots
from ripeness.stats.curves import (
    ROUNDING,
    Design,
    design_of,
    hinge,
    line_residuals,
    p_from_draws,
    project_out,
    pure_noise,
    significance,
)

HALVINGS = 12  # bisection steps for the end of an interval
LINE_DRAWS = 9999  # for the test of a line, once for all curves over the same checkpoints: their error is shared
DRAWS_OF_KIND = 999  # of each of the kinds of noise

Ends = tuple[float | None, float | None]


@dataclass(frozen=True)
class Stick:
    """Two lines that meet at `knot`; a limit is None where the interval is open.

    `p_line` tests a straight line. `p_kink` tests a smooth bend; it is None where there are too few checkpoints to
    tell a kink from a smooth bend. `find_ends` finds the interval, which takes far longer than all else, once it is
    asked for: of a curve that does not bend it is of no use.
    """

    knot: float
    find_ends: Callable[[], Ends] = field(repr=False, compare=False)
    before: float  # slopes, per unit of x
    after: float
    p_line: float
    p_kink: float | None

    @cached_property
    def ends(self) -> Ends:
        """The interval of the knot."""
        return self.find_ends()

    @property
    def low(self) -> float | None:
        """The least place of the knot."""
        return self.ends[0]

    @property
    def high(self) -> float | None:
        """The greatest place of the knot."""
        return self.ends[1]


def line_p(design: Design, means: np.ndarray, *, seed: int, kinds: np.ndarray | None = None) -> np.ndarray:
    """Test a straight line against the best two lines that meet (sup-F test): p [n].

    F grows with the share of the residuals that the best hinge explains. Under a line and normal noise this share
    depends neither on the line nor on the size of the noise, so that the test is exact when it is drawn from white
    noise. With weights of the `kinds` of noise p is the mean over them. A smooth curve is no line either: the test
    shows a bend, never a kink.
    """
    x, share = tuple(design.x.tolist()), explained_share(design, means)
    if kinds is None:
        return larger_share(explained_shares_of_noise(x, seed), share)
    return kinds @ np.array([larger_share(drawn, share) for drawn in explained_shares_of_kinds(x, seed)])


def larger_share(drawn: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Count how often what is drawn, in increasing order, is at least what is seen [n]: p [n]."""
    return (1 + len(drawn) - np.searchsorted(drawn, seen, side="left")) / (1 + len(drawn))


@lru_cache(maxsize=32)
def explained_shares_of_noise(x: tuple[float, ...], seed: int) -> np.ndarray:
    """Draw the share of white noise that the best hinge explains [LINE_DRAWS], in increasing order."""
    return np.sort(explained_share(design_of(x), pure_noise(len(x), LINE_DRAWS, seed)))


@lru_cache(maxsize=32)
def explained_shares_of_kinds(x: tuple[float, ...], seed: int) -> np.ndarray:
    """Draw the same share of each kind of noise [kinds, DRAWS_OF_KIND]."""
    noise = pure_noise(len(x), DRAWS_OF_KIND, seed)
    return np.stack([np.sort(explained_share(design_of(x), root @ noise)) for root in roots(x)])


def explained_share(design: Design, means: np.ndarray) -> np.ndarray:
    """Return the share [n] of the line's residuals that the best hinge explains; 0 if there are no residuals."""
    residuals = line_residuals(design, means)
    total = (residuals**2).sum(axis=0)
    return design.hinges.explained_ss(residuals) / np.where(total > 0, total, 1.0)


def orthogonal_noise(design: Design, term: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Make noise [checkpoints, draws] orthogonal to the line and to a term, and of unit length."""
    noise = noise - design.line @ (design.line.T @ noise)
    noise = noise - np.outer(term, term @ noise)
    return noise / np.linalg.norm(noise, axis=0)


def knot_p(design: Design, means: np.ndarray, knot: float, *, draws: int, seed: int) -> np.ndarray:
    """Test whether two lines meet at `knot`, against a knot anywhere else: p [n].

    It inverts the profile F of a knot, (SSE(knot) - SSE_min) / (SSE_min / df), against a threshold that is drawn. The
    F distribution would be right if the best knot explained the noise of one parameter. It does where lines meet
    steeply; where they meet gently it is the best of many, which explains more. Under normal noise, given the fit at
    the true knot, residuals point in any direction alike; drawn so they depend on no unknown number, and the test is
    exact for any slopes, noise and statistic (conditional test of Knowles, Siegmund and Zhang 1991, Biometrika 78).
    """
    term = project_out(hinge(design.x, np.array([knot])), design.line)[0]
    residuals = line_residuals(design, means)
    projection = term @ residuals
    rest = np.sqrt(np.maximum((residuals**2).sum(axis=0) - projection**2, 0.0))
    seen = np.maximum(design.hinges.explained_ss(residuals) - projection**2, 0.0)
    along = design.hinges.coordinates(term[:, None])
    across = design.hinges.coordinates(orthogonal_noise(design, term, pure_noise(len(design.x), draws, seed)))
    p = np.empty(len(projection))
    for k, (height, size) in enumerate(zip(projection, rest, strict=True)):
        drawn = np.maximum(design.hinges.explained(height * along + size * across).max(axis=0) - height**2, 0.0)
        p[k] = p_from_draws(drawn >= seen[k] - ROUNDING * size**2)
    return p


def kink_p(design: Design, means: np.ndarray, *, draws: int, seed: int) -> float:
    """Test the best smooth curve against two lines that meet: p.

    Draws around the smooth curve are as large as the noise must have been to leave these residuals: the best of many
    curves used one degree of freedom more than the curve alone, which is given here.
    """
    residuals = line_residuals(design, means[:, None])[:, 0]
    _, term = design.smooth.best(residuals)
    projection = term @ residuals
    rest = np.sqrt(max(residuals @ residuals - projection**2, 0.0) * (design.df + 1) / design.df)
    across = orthogonal_noise(design, term, pure_noise(len(residuals), draws, seed))
    drawn = sharpness(design, projection * term[:, None] + rest * across)
    return float(p_from_draws(drawn >= sharpness(design, residuals[:, None])))


def sharpness(design: Design, residuals: np.ndarray) -> np.ndarray:
    """Divide the SSE of the best smooth curve by that of the best two lines: [n], from [checkpoints, n]."""
    total = (residuals**2).sum(axis=0)
    smooth, sharp = (total - family.explained_ss(residuals) for family in (design.smooth, design.hinges))
    return np.maximum(smooth, 0.0) / np.maximum(sharp, ROUNDING * total + np.finfo(float).tiny)


def broken_stick(
    design: Design, means: np.ndarray, *, p_line: float, confidence: float, draws: int, seed: int, may_kink: bool
) -> Stick:
    """Fit two lines that meet to the means [checkpoints], with all knots that the data do not contradict."""
    knot = best_knot(design, means)

    def is_accepted(place: float) -> bool:
        return bool(knot_p(design, means[:, None], place, draws=draws, seed=seed)[0] > significance(confidence))

    columns = np.vstack([np.ones_like(design.x), design.x, hinge(design.x, np.array([knot]))[0]])
    _, slope, change = np.linalg.lstsq(columns.T, means, rcond=None)[0]
    return Stick(
        knot=knot,
        find_ends=lambda: outermost(design.knots, knot, is_accepted),
        before=float(slope),
        after=float(slope + change),
        p_line=p_line,
        p_kink=kink_p(design, means, draws=draws, seed=seed) if may_kink else None,
    )


def best_knot(design: Design, means: np.ndarray) -> float:
    """Find the best knot: a checkpoint, or the crossing of the lines through the checkpoints on either side."""
    number, _ = design.hinges.best(line_residuals(design, means[:, None])[:, 0])
    gap = number - len(design.hinges.terms)
    if gap < 0:
        return float(design.x[1 + number])
    last = gap + 2  # checkpoints before the gap
    (slope, start), (steeper, lower) = (
        np.polyfit(design.x[side], means[side], 1) for side in (slice(last), slice(last, None))
    )
    return float(np.clip((start - lower) / (steeper - slope), design.x[last - 1], design.x[last]))


def outermost(knots: np.ndarray, best: float, is_accepted: Callable[[float], bool]) -> Ends:
    """Find the first and the last accepted knot; None if that is an end of `knots`, beyond which the bend may lie.

    There may be gaps between them. An end is refined by bisection between the last accepted knot and the next.
    """
    accepted = [best, *(float(knot) for knot in knots if is_accepted(float(knot)))]
    first, last = min(accepted), max(accepted)
    ends: list[float | None] = []
    for inside, beyond in ((first, knots[knots < first][-1:]), (last, knots[knots > last][:1])):
        if not len(beyond):
            ends.append(None)
            continue
        outside = float(beyond[0])
        for _ in range(HALVINGS):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if is_accepted(middle) else (inside, middle)
        ends.append(inside)
    return ends[0], ends[1]

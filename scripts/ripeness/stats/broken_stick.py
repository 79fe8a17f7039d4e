"""Where a curve over pre-training bends: two lines that meet, with tests of a straight line, a knot and a kink.

Means [checkpoints, n] over seeds hold one data set a column (see `curves`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ripeness.stats.curves import ROUNDING, Design, beyond_line, design_of, freed, hinge, level, pure_noise, share_of

HALVINGS = 12  # steps that narrow the end of an interval down
LINE_DRAWS = 9999  # for the test of a line, once for all curves over the same checkpoints: their error is shared


@dataclass(frozen=True)
class Stick:
    """Two lines that meet at `knot`; a limit is None where the interval is open. p of a straight line, and of no kink.

    `p_kink` is None where there are too few checkpoints to tell a kink from a smooth bend.
    """

    knot: float
    low: float | None
    high: float | None
    before: float  # slopes, per unit of x
    after: float
    p_line: float
    p_kink: float | None


def line_p(design: Design, means: np.ndarray, *, seed: int) -> np.ndarray:
    """p [n] that a line would be bettered as much by some two lines that meet: the sup-F test.

    F grows with the part of the residuals that the best hinge takes. Under a line and normal noise that part depends
    neither on the line nor on the size of the noise, so that drawing it from pure noise makes the test exact. A smooth
    curve is no line either: the test shows a bend, never a kink.
    """
    drawn = parts_of_noise(tuple(design.x.tolist()), seed)
    larger = len(drawn) - np.searchsorted(drawn, part_of_hinge(design, means), side="left")
    return (1 + larger) / (1 + len(drawn))


@lru_cache(maxsize=32)
def parts_of_noise(x: tuple[float, ...], seed: int) -> np.ndarray:
    """What the best hinge takes of pure noise [LINE_DRAWS], in increasing order."""
    return np.sort(part_of_hinge(design_of(x), pure_noise(len(x), LINE_DRAWS, seed)))


def part_of_hinge(design: Design, means: np.ndarray) -> np.ndarray:
    """Share [n] of what a line leaves that the best hinge takes; 0 where a line leaves nothing."""
    left = beyond_line(design, means)
    whole = (left**2).sum(axis=0)
    return design.hinges.taken(left) / np.where(whole > 0, whole, 1.0)


def sideways(design: Design, term: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Noise [checkpoints, draws] freed of the line and of a term, of length 1."""
    noise = noise - design.line @ (design.line.T @ noise)
    noise = noise - np.outer(term, term @ noise)
    return noise / np.linalg.norm(noise, axis=0)


def knot_p(design: Design, means: np.ndarray, knot: float, *, draws: int, seed: int) -> np.ndarray:
    """p [n] that two lines which meet at `knot` would be bettered as much by a knot elsewhere.

    It inverts the profile F of a knot, (SSE(knot) - SSE_min) / (SSE_min / df), against a threshold that is drawn. The
    F distribution would be right if the best knot took the noise of one parameter. It does where lines meet steeply;
    where they meet gently it is the best of many, which takes more. Under normal noise, given the fit at the true
    knot, residuals point in any direction alike; drawn so they depend on no unknown number, and the test is exact for
    any slopes, noise and statistic (conditional test of Knowles, Siegmund and Zhang 1991, Biometrika 78).
    """
    term = freed(hinge(design.x, np.array([knot])), design.line)[0]
    left = beyond_line(design, means)
    height = term @ left
    size = np.sqrt(np.maximum((left**2).sum(axis=0) - height**2, 0.0))
    seen = np.maximum(design.hinges.taken(left) - height**2, 0.0)
    along = design.hinges.coordinates(term[:, None])
    aside = design.hinges.coordinates(sideways(design, term, pure_noise(len(design.x), draws, seed)))
    p = np.empty(len(height))
    for k, (up, across) in enumerate(zip(height, size, strict=True)):
        drawn = np.maximum(design.hinges.parts(up * along + across * aside).max(axis=0) - up**2, 0.0)
        p[k] = share_of(drawn >= seen[k] - ROUNDING * across**2)
    return p


def kink_p(design: Design, means: np.ndarray, *, draws: int, seed: int) -> float:
    """p that two lines would fit as much better than the smooth curves do if the best smooth curve were the truth.

    What is drawn about it is as large as noise must have been to leave what was left: the best of many curves took one
    degree of freedom more than the curve alone, which is given here.
    """
    left = beyond_line(design, means[:, None])[:, 0]
    _, term = design.smooth.best(left)
    height = term @ left
    size = np.sqrt(max(left @ left - height**2, 0.0) * (design.df + 1) / design.df)
    aside = sideways(design, term, pure_noise(len(left), draws, seed))
    drawn = sharpness(design, height * term[:, None] + size * aside)
    return float(share_of(drawn >= sharpness(design, left[:, None])))


def sharpness(design: Design, left: np.ndarray) -> np.ndarray:
    """SSE of the best smooth curve over that of the best two lines [n], from what a line leaves [checkpoints, n]."""
    whole = (left**2).sum(axis=0)
    smooth, sharp = (whole - family.taken(left) for family in (design.smooth, design.hinges))
    return np.maximum(smooth, 0.0) / np.maximum(sharp, ROUNDING * whole + np.finfo(float).tiny)


def broken_stick(
    design: Design, means: np.ndarray, *, p_line: float, confidence: float, draws: int, seed: int, may_kink: bool
) -> Stick:
    """Fit two lines that meet to the means [checkpoints], with all knots that the data do not contradict."""
    knot = best_knot(design, means)

    def is_held(place: float) -> bool:
        return bool(knot_p(design, means[:, None], place, draws=draws, seed=seed)[0] > level(confidence))

    low, high = outermost(design.knots, knot, is_held)
    columns = np.vstack([np.ones_like(design.x), design.x, hinge(design.x, np.array([knot]))[0]])
    _, slope, change = np.linalg.lstsq(columns.T, means, rcond=None)[0]
    return Stick(
        knot=knot,
        low=low,
        high=high,
        before=float(slope),
        after=float(slope + change),
        p_line=p_line,
        p_kink=kink_p(design, means, draws=draws, seed=seed) if may_kink else None,
    )


def best_knot(design: Design, means: np.ndarray) -> float:
    """Where two lines meet that fit best: at a checkpoint, or where the lines through what is on either side cross."""
    place, _ = design.hinges.best(beyond_line(design, means[:, None])[:, 0])
    gap = place - len(design.hinges.corners)
    if gap < 0:
        return float(design.x[1 + place])
    last = gap + 2  # checkpoints before the gap
    (slope, start), (steeper, lower) = (
        np.polyfit(design.x[side], means[side], 1) for side in (slice(last), slice(last, None))
    )
    return float(np.clip((start - lower) / (steeper - slope), design.x[last - 1], design.x[last]))


def outermost(knots: np.ndarray, best: float, is_held: Callable[[float], bool]) -> tuple[float | None, float | None]:
    """The first and the last knot that is held; None where that is an end of `knots`, beyond which the bend may lie.

    Between them there may be gaps. An end is narrowed down between the last knot that is held and the next.
    """
    held = [best, *(float(knot) for knot in knots if is_held(float(knot)))]
    ends: list[float | None] = []
    for inside, beyond in ((min(held), knots[knots < min(held)][-1:]), (max(held), knots[knots > max(held)][:1])):
        if not len(beyond):
            ends.append(None)
            continue
        outside = float(beyond[0])
        for _ in range(HALVINGS):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if is_held(middle) else (inside, middle)
        ends.append(inside)
    return ends[0], ends[1]

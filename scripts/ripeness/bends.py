"""Where a curve over pre-training bends: two lines that meet, tests of a bend and of a kink, and the noise about it.

Everything looks at the means over seeds, one value a checkpoint: seeds share the noise of their checkpoint, which no
spread between seeds shows, and only the scatter of checkpoints about a curve does. Arrays [checkpoints, n] hold one
data set a column. Every curve that is tried is a line and one more term, so that a fit is a product: with r what the
line leaves of the data and q a term, freed of the line and of length 1, it leaves |r|^2 - (q.r)^2.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

MIN_CHECKPOINTS = 6  # two lines that meet have four parameters; at least two degrees of freedom must be left
PLACES = 160  # knots that are tried, at least
RIVALS = 4  # knots between neighbouring checkpoints that a hypothetical one is compared with
RATES = np.geomspace(0.3, 20, 12)  # of the exponentials, per length of the curve: from nearly straight to one step
LINE_DRAWS = 9999  # for the test of a line, once for all curves over the same checkpoints: their error is shared
ROUNDING = 1e-9  # what is smaller than this share of the values is no scatter


@dataclass(frozen=True)
class Design:
    """What can be told of a curve before it is measured: the terms [terms, checkpoints] for the checkpoints `x`.

    `knots` stand between the second checkpoint and the last but one, since on either side a line needs two, and
    `rivals` picks a few of them. `smooth` are a parabola and exponentials that end or begin steeply.
    """

    x: np.ndarray
    line: np.ndarray  # [checkpoints, 2], orthonormal
    knots: np.ndarray
    hinges: np.ndarray
    rivals: np.ndarray
    smooth: np.ndarray

    @property
    def terms(self) -> np.ndarray:
        """All terms that are tried when the noise is looked for."""
        return np.vstack([self.hinges[self.rivals], self.smooth])

    @property
    def df(self) -> int:
        """Degrees of freedom that a line with one more term and its place leave."""
        return len(self.x) - 4


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


@lru_cache(maxsize=32)
def design_of(x: tuple[float, ...]) -> Design:
    """The terms for checkpoints at `x`, which increases."""
    places = np.asarray(x, float)
    line = np.linalg.qr(np.column_stack([np.ones_like(places), places]))[0]
    inner = places[1:-1]
    between = RIVALS * max(2, -(-PLACES // (RIVALS * (len(inner) - 1))))
    knots = np.concatenate([np.linspace(*gap, between, endpoint=False) for gap in pairwise(inner)] + [inner[-1:]])
    share = (places - places[0]) / (places[-1] - places[0])
    rates = np.append(-RATES, RATES)[:, None]
    smooth = np.vstack([np.exp(rates * np.where(rates < 0, share, share - 1)), share**2])
    return Design(
        places, line, knots, freed(hinge(places, knots), line), np.arange(0, len(knots), between // RIVALS),
        freed(smooth, line),
    )  # fmt: skip


def hinge(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """0 before each knot and rising by 1 per unit of x after it: [knots, checkpoints]."""
    return np.maximum(x - np.asarray(knots)[:, None], 0)


def freed(terms: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Terms [terms, checkpoints] without what a line makes of them, of length 1."""
    left = terms - terms @ line @ line.T
    return left / np.linalg.norm(left, axis=1, keepdims=True)


def beyond_line(design: Design, means: np.ndarray) -> np.ndarray:
    """What a line leaves of the means [checkpoints, n]; what is only rounding becomes 0."""
    left = means - design.line @ (design.line.T @ means)
    size = ROUNDING * np.abs(means).max(axis=0)
    return np.where(np.linalg.norm(left, axis=0) > size, left, 0.0)


def scatter(design: Design, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best curve of a line and one more term [checkpoints, n], and the standard deviation [n] about it.

    The curve may bend sharply or smoothly, since what a curve cannot follow would be taken for noise.
    """
    left = beyond_line(design, means)
    along = design.terms @ left
    best = np.abs(along).argmax(axis=0)
    height = np.take_along_axis(along, best[None], axis=0)
    bend = design.terms[best].T * height
    return means - left + bend, np.linalg.norm(left - bend, axis=0) / np.sqrt(design.df)


@lru_cache(maxsize=8)
def pure_noise(n: int, draws: int, seed: int) -> np.ndarray:
    """Standard normal numbers [n, draws], the same for all curves of as many checkpoints."""
    return np.random.default_rng(seed).standard_normal((n, draws))


def share_of(extreme: np.ndarray) -> np.ndarray:
    """p from draws [..., draws] that are or are not as extreme as what was seen, which counts as one of them."""
    return (1 + extreme.sum(axis=-1)) / (1 + extreme.shape[-1])


def level(confidence: float) -> float:
    """The p up to which a hypothesis is rejected, without the rounding of 1 - 0.9."""
    return round(1 - confidence, 9)


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
    return ((design.hinges[design.rivals] @ left) ** 2).max(axis=0) / np.where(whole > 0, whole, 1.0)


def sideways(design: Design, term: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Noise [checkpoints, draws] freed of the line and of a term, of length 1."""
    noise = noise - design.line @ (design.line.T @ noise)
    noise = noise - np.outer(term, term @ noise)
    return noise / np.linalg.norm(noise, axis=0)


def knot_p(design: Design, means: np.ndarray, term: np.ndarray, *, draws: int, seed: int) -> np.ndarray:
    """p [n] that two lines which meet where the hinge `term` says would be bettered as much by a knot elsewhere.

    It inverts the profile F of a knot, (SSE(knot) - SSE_min) / (SSE_min / df), against a threshold that is drawn. The
    F distribution would be right if the best knot took the noise of one parameter. It does where lines meet steeply;
    where they meet gently it is the best of many, which takes more. Under normal noise, given the fit at the true
    knot, residuals point in any direction alike; drawn so they depend on no unknown number, and the test is exact for
    any slopes, noise and statistic (conditional test of Knowles, Siegmund and Zhang 1991, Biometrika 78).
    """
    rivals = design.hinges[design.rivals]
    left = beyond_line(design, means)
    height = term @ left
    size = np.sqrt(np.maximum((left**2).sum(axis=0) - height**2, 0.0))
    seen = np.maximum(((rivals @ left) ** 2).max(axis=0) - height**2, 0.0)
    along = (rivals @ term)[:, None]
    aside = rivals @ sideways(design, term, pure_noise(len(design.x), draws, seed))
    p = np.empty(len(height))
    for k, (up, across) in enumerate(zip(height, size, strict=True)):
        drawn = np.maximum(((up * along + across * aside) ** 2).max(axis=0) - up**2, 0.0)
        p[k] = share_of(drawn >= seen[k] - ROUNDING * across**2)
    return p


def kink_p(design: Design, means: np.ndarray, *, draws: int, seed: int) -> float:
    """p that two lines would fit as much better than the smooth curves do if the best smooth curve were the truth."""
    left = beyond_line(design, means[:, None])[:, 0]
    term = design.smooth[np.abs(design.smooth @ left).argmax()]
    height = term @ left
    size = np.sqrt(max(left @ left - height**2, 0.0))
    aside = sideways(design, term, pure_noise(len(left), draws, seed))
    drawn = sharpness(design, height * term[:, None] + size * aside)
    return float(share_of(drawn >= sharpness(design, left[:, None])))


def sharpness(design: Design, left: np.ndarray) -> np.ndarray:
    """SSE of the best smooth curve over that of the best two lines [n], from what a line leaves [checkpoints, n]."""
    whole = (left**2).sum(axis=0)
    smooth, sharp = (whole - ((terms @ left) ** 2).max(axis=0) for terms in (design.smooth, design.hinges))
    return np.maximum(smooth, 0.0) / np.maximum(sharp, ROUNDING * whole + np.finfo(float).tiny)


def broken_stick(
    design: Design, means: np.ndarray, *, p_line: float, confidence: float, draws: int, seed: int, may_kink: bool
) -> Stick:
    """Fit two lines that meet to the means [checkpoints], with all knots that the data do not contradict.

    Those may leave gaps; the limits are the outermost. Where the first or last place that is tried is among them, the
    bend may as well lie beyond, and the interval is open.
    """
    left = beyond_line(design, means[:, None])
    best = int(np.abs(design.hinges @ left).argmax())
    p = [float(knot_p(design, means[:, None], term, draws=draws, seed=seed)[0]) for term in design.hinges]
    held = np.flatnonzero(np.array(p) > level(confidence))
    columns = np.vstack([np.ones_like(design.x), design.x, hinge(design.x, design.knots[[best]])[0]])
    _, slope, change = np.linalg.lstsq(columns.T, means, rcond=None)[0]
    return Stick(
        knot=float(design.knots[best]),
        low=float(design.knots[held[0]]) if held[0] > 0 else None,
        high=float(design.knots[held[-1]]) if held[-1] < len(p) - 1 else None,
        before=float(slope),
        after=float(slope + change),
        p_line=p_line,
        p_kink=kink_p(design, means, draws=draws, seed=seed) if may_kink else None,
    )

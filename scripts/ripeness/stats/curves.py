"""Curves over pre-training that are a line and one more term, and the noise about them.

Everything looks at the means over seeds, one value a checkpoint: seeds share the noise of their checkpoint, which no
spread between seeds shows, and only the scatter of checkpoints about a curve does. Arrays [checkpoints, n] hold one
data set a column. With one more term a fit is a product: with r what the line leaves of the data and q the term, freed
of the line and of length 1, it leaves |r|^2 - (q.r)^2.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

MIN_CHECKPOINTS = 6  # two lines that meet have four parameters; at least two degrees of freedom must be left
PLACES = 60  # knots that are tried for an interval, at least
RATES = np.geomspace(0.3, 20, 12)  # of the exponentials, per length of the curve: from nearly straight to one step
ROUNDING = 1e-9  # what is smaller than this share of the values is no scatter


@dataclass(frozen=True)
class Family:
    """Terms in a row, `corners` [m, checkpoints], and all that lie between neighbours: sums of both with one sign.

    Of hinges at neighbouring checkpoints these are just the hinges between them, so that no grid of knots is needed.
    A corner and its `seconds` [m - 1, checkpoints], at right angles, span them; `slant` is the cotangent of the angle.
    """

    corners: np.ndarray
    seconds: np.ndarray
    slant: np.ndarray

    def coordinates(self, left: np.ndarray) -> np.ndarray:
        """What data [checkpoints, n] have of each corner and second, [2 m - 1, n]."""
        return np.vstack([self.corners, self.seconds]) @ left

    def parts(self, coordinates: np.ndarray) -> np.ndarray:
        """Sum of squares that the best term of each corner and gap takes, [2 m - 1, n]; 0 for a gap without one."""
        corner, second = np.split(coordinates, [len(self.corners)])
        inside = (corner[:-1] - second * self.slant[:, None]) * second > 0
        return np.vstack([corner**2, np.where(inside, corner[:-1] ** 2 + second**2, 0.0)])

    def taken(self, left: np.ndarray) -> np.ndarray:
        """Sum of squares [n] that the best term takes of data [checkpoints, n]."""
        return self.parts(self.coordinates(left)).max(axis=0)

    def best(self, left: np.ndarray) -> tuple[int, np.ndarray]:
        """The best term for one data set [checkpoints], of length 1; its number is m or more if it is none of the m."""
        coordinates, m = self.coordinates(left[:, None]), len(self.corners)
        place = int(self.parts(coordinates).argmax())
        if place < m:
            return place, self.corners[place]
        x, y = coordinates[[place - m, place], 0]
        return place, (x * self.corners[place - m] + y * self.seconds[place - m]) / np.hypot(x, y)


@dataclass(frozen=True)
class Design:
    """What can be told of a curve before it is measured: its terms, for the checkpoints `x`.

    Knots stand between the second checkpoint and the last but one, since on either side a line needs two. The interval
    of one is looked for at `knots`, and between them where it ends. `smooth` are a parabola and exponentials.
    """

    x: np.ndarray
    line: np.ndarray  # [checkpoints, 2], orthonormal
    knots: np.ndarray
    hinges: Family
    smooth: Family

    @property
    def df(self) -> int:
        """Degrees of freedom that a line with one more term and its place leave."""
        return len(self.x) - 4


@lru_cache(maxsize=32)
def design_of(x: tuple[float, ...]) -> Design:
    """The terms for checkpoints at `x`, which increases."""
    places = np.asarray(x, float)
    line = np.linalg.qr(np.column_stack([np.ones_like(places), places]))[0]
    inner = places[1:-1]
    between = max(4, -(-PLACES // (len(inner) - 1)))
    knots = np.concatenate([np.linspace(*gap, between, endpoint=False) for gap in pairwise(inner)] + [inner[-1:]])
    share = (places - places[0]) / (places[-1] - places[0])
    rates = RATES[:, None]
    # all bend upwards, and a weak exponential is a parabola, so that neighbours are alike
    smooth = np.vstack([np.exp(-rates[::-1] * share), share**2, np.exp(rates * (share - 1))])
    return Design(
        places, line, knots, family_of(freed(hinge(places, inner), line)), family_of(freed(smooth, line)),
    )  # fmt: skip


def family_of(corners: np.ndarray) -> Family:
    """Make a family of terms [m, checkpoints] of length 1."""
    along = (corners[:-1] * corners[1:]).sum(axis=1)
    seconds = corners[1:] - along[:, None] * corners[:-1]
    height = np.linalg.norm(seconds, axis=1)
    return Family(corners, seconds / height[:, None], along / height)


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


def scatter(design: Design, means: np.ndarray) -> np.ndarray:
    """Standard deviation [n] of means [checkpoints, n] about the best curve of a line and one more term.

    The curve may bend sharply or smoothly, since what a curve cannot follow would be taken for noise.
    """
    left = beyond_line(design, means)
    taken = np.maximum(design.hinges.taken(left), design.smooth.taken(left))
    return np.sqrt(np.maximum((left**2).sum(axis=0) - taken, 0.0) / design.df)


def curve_of(design: Design, means: np.ndarray) -> np.ndarray:
    """The best curve through one data set, [checkpoints]."""
    left = beyond_line(design, means[:, None])[:, 0]
    terms = [family.best(left)[1] for family in (design.hinges, design.smooth)]
    bend = max((term * (term @ left) for term in terms), key=np.linalg.norm)
    return means - left + bend


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

"""Compare orders that are known with noise: agreement of the same, and of different ones, over other repeats."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np


def tau(first: np.ndarray, second: np.ndarray) -> float:
    """Compute the share of pairs in the same order less that in the other one; a tie counts for half of each.

    Kendall's tau a. Both are [things]; NaN below two of them.
    """
    pairs = list(combinations(range(len(first)), 2))
    signs = [np.sign(first[i] - first[j]) * np.sign(second[i] - second[j]) for i, j in pairs]
    return float(np.mean(signs)) if signs else float("nan")


def agreement(early: np.ndarray, late: np.ndarray) -> tuple[float, float, float] | None:
    """Compute the agreement of orders over disjoint repeats: within `early`, within `late`, and between both.

    Both are [things, repeats], of which two or more. Repeats of the same number may share something, so that no order
    is compared with one of its own repeats. With one true order, the agreement between lies between the two within, in
    expectation, however much noise there is. None where all things are equal.
    """
    n = early.shape[1]
    if n < 2 or (np.ptp(early) == 0 and np.ptp(late) == 0):
        return None
    found = []
    for k in range(n):
        rest = [other for other in range(n) if other != k]
        first, second = early[:, k], late[:, k]
        others, other_late = early[:, rest].mean(axis=1), late[:, rest].mean(axis=1)
        between = (tau(first, other_late) + tau(second, others)) / 2
        found.append((tau(first, others), tau(second, other_late), between))
    within_early, within_late, between = np.mean(found, axis=0).tolist()
    return within_early, within_late, between


def lost(agreements: Sequence[tuple[float, float, float]]) -> np.ndarray:
    """Compute by how much orders agree less between than within, for each of several `agreement`s.

    Within is that of the side that agrees less with itself, over all of them: where ways do not differ yet there is no
    order that could change.
    """
    values = np.array(agreements, float).reshape(-1, 3)
    side = int(values[:, 1].sum() < values[:, 0].sum())
    return values[:, side] - values[:, 2]

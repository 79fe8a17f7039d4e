"""Numbers of several texts after each prompt: how often one of k is right, which one wins, how different they are."""

import math
from collections import Counter
from collections.abc import Sequence

from ripeness.stats.ratios import ratio_with_error

LARGEST_K = 64
Z = 1.959964  # two-sided 95 % of a normal


def pass_at(k: int, n: int, n_right: int) -> float:
    """Estimate without bias how likely one of k tries is right, from n tries (Chen et al. 2021, arXiv 2107.03374)."""
    if not 1 <= k <= n:
        raise ValueError(f"{k} of {n} tries")
    return 1 - math.comb(n - n_right, k) / math.comb(n, k)


def ks_of(n: int) -> list[int]:
    """List the powers of two up to the number of tries, at most 64."""
    return [2**power for power in range(LARGEST_K.bit_length()) if 2**power <= min(n, LARGEST_K)]


def win_share(rewards: Sequence[float], others: Sequence[float]) -> float:
    """Compute how often one reward is higher than another one, over all pairs; as high counts half."""
    wins = sum((one > other) + (one == other) / 2 for one in rewards for other in others)
    return wins / (len(rewards) * len(others))


def distinct_share(texts: Sequence[str]) -> float | None:
    """Compute the share of pairs of texts that are not the same; None for a single text."""
    n = len(texts)
    if n < 2:
        return None
    return 1 - sum(count * (count - 1) for count in Counter(texts).values()) / (n * (n - 1))


def share_with_interval(values: Sequence[float], clusters: Sequence[str]) -> dict[str, float | None]:
    """Compute a mean share (0 to 1) over items, its standard error, and Wilson's 95 % interval.

    The interval is that of as many independent items as would give this error; where all are alike, of all items.
    """
    share, se = ratio_with_error(values, [1.0] * len(values), clusters)
    if se is None:
        return {"value": share, "se": None, "low": None, "high": None}
    spread = share * (1 - share)
    n = spread / se**2 if spread > 0 and se > 0 else len(set(clusters))
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(max(spread, 0.0) / n + Z**2 / (4 * n**2))
    return {"value": share, "se": se, "low": centre - half, "high": centre + half}


def mean_with_interval(values: Sequence[float], clusters: Sequence[str]) -> dict[str, float | None]:
    """Compute a mean over items, its standard error, and the normal 95 % interval."""
    mean, se = ratio_with_error(values, [1.0] * len(values), clusters)
    if se is None:
        return {"value": mean, "se": None, "low": None, "high": None}
    return {"value": mean, "se": se, "low": mean - Z * se, "high": mean + Z * se}

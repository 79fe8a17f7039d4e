"""Estimate a ratio of sums, with its standard error over items that may come in clusters."""

import math
from collections.abc import Sequence


def ratio_with_error(
    above: Sequence[float], below: Sequence[float], clusters: Sequence[str]
) -> tuple[float, float | None]:
    """Sum of `above` over sum of `below`, and its standard error over clusters of items.

    The error is the linearised (sandwich) one with the factor C/(C-1) for C clusters (Miller, arXiv 2411.00640, section
    2.2); for a mean of items without clusters it is the sample standard deviation over the root of n. None for one
    cluster.
    """
    value = sum(above) / sum(below)
    residuals: dict[str, float] = {}
    for a, b, cluster in zip(above, below, clusters, strict=True):
        residuals[cluster] = residuals.get(cluster, 0.0) + a - value * b
    n = len(residuals)
    if n < 2:
        return value, None
    return value, math.sqrt(sum(r * r for r in residuals.values()) * n / (n - 1)) / sum(below)

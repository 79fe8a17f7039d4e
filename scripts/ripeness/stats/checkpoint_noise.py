"""Weigh what the noise of checkpoints may be like: how alike neighbours are, and whether it grows with tokens.

Few checkpoints cannot tell. Errors are therefore drawn from every kind of noise in proportion to how likely it is, so
that what is not known counts as an error too (Zellner and Tiao, JASA 59, 1964, for autocorrelated errors). Weights are
the likelihood of what a curve leaves, free of the curve and of the size of noise (marginal likelihood; Tunnicliffe
Wilson, JRSS B 51, 1989), times how likely each kind is beforehand.
"""

from functools import lru_cache

import numpy as np

from ripeness.stats.random_levels import correlated

RHOS = np.arange(0.0, 0.91, 0.1)  # correlations of neighbours, equally likely; beyond, noise and a curve look alike
GROWTHS = {0.25: 1, 0.5: 2, 1.0: 4, 2.0: 2, 4.0: 1}  # last over first standard deviation: parts of what is likely
KINDS = [(rho, growth) for growth in GROWTHS for rho in RHOS]
BEFOREHAND = np.repeat(list(GROWTHS.values()), len(RHOS)) / (sum(GROWTHS.values()) * len(RHOS))
ROUNDING = 1e-9  # residuals smaller than this share of the values are rounding errors


@lru_cache(maxsize=32)
def roots(x: tuple[float, ...]) -> np.ndarray:
    """Compute a root of the covariance of each kind of noise at places `x`: [kinds, checkpoints, checkpoints].

    The standard deviation grows exponentially with x; the mean variance is 1.
    """
    places = np.array(x)
    share = (places - places[0]) / (places[-1] - places[0])
    alike = {rho: np.linalg.cholesky(correlated(len(x), rho)) for rho in RHOS}
    sizes = {growth: growth**share / np.sqrt(np.mean(growth ** (2 * share))) for growth in GROWTHS}
    return np.stack([sizes[growth][:, None] * alike[rho] for rho, growth in KINDS])


def likely(x: tuple[float, ...], terms: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Weigh the kinds of noise [kinds] by what `means` [checkpoints] leave about curves [checkpoints, terms]."""
    outside = np.linalg.qr(terms, mode="complete")[0][:, terms.shape[1] :]
    left = outside.T @ means
    size = float(np.linalg.norm(left))
    if size <= ROUNDING * float(np.abs(means).max()):
        return BEFOREHAND
    inside = outside.T @ roots(x)
    covariances = inside @ inside.transpose(0, 2, 1)
    direction = np.broadcast_to(left[:, None] / size, (len(KINDS), len(left), 1))
    squares = (direction * np.linalg.solve(covariances, direction)).sum(axis=(1, 2))
    logs = -0.5 * (np.linalg.slogdet(covariances)[1] + len(left) * np.log(squares))
    weights = BEFOREHAND * np.exp(logs - logs.max())
    return weights / weights.sum()


def drawn_from(x: tuple[float, ...], weights: np.ndarray | None, noise: np.ndarray) -> np.ndarray:
    """Turn white noise [checkpoints, draws] into every kind of noise, each with its share of the draws; None for white.

    The order of kinds is that of KINDS, so that the same weights give the same draws.
    """
    if weights is None:
        return noise
    ends = np.rint(np.cumsum(weights) * noise.shape[1]).astype(int)
    starts = [0, *ends[:-1]]
    parts = [root @ noise[:, start:end] for root, start, end in zip(roots(x), starts, ends, strict=True) if end > start]
    return np.concatenate(parts, axis=1)

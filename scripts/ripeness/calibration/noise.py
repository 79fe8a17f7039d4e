"""Noise of drawn studies: checkpoints that scatter, items that all models share, and seeds."""

import numpy as np
from scipy import special

# parts of the variance of an answer: the item's difficulty, which all models share, and what the item is to models that
# were tuned on the same dataset, at any checkpoint; the rest is a model's own
SHARED, ALIKE = 0.5, 0.15
SPREAD = 0.7  # of graded scores, on the probit scale


def autocorrelated(shape: tuple[int, ...], rho: float, rng: np.random.Generator) -> np.ndarray:
    """Draw noise of variance 1 whose neighbours along the first axis correlate by `rho` (stationary AR(1))."""
    noise = rng.standard_normal(shape)
    for place in range(1, shape[0]):
        noise[place] = rho * noise[place - 1] + np.sqrt(1 - rho**2) * noise[place]
    return noise


def difficulties(n_items: int, cluster_size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the difficulty of items, variance 1; items of one cluster have half of the variance in common."""
    if cluster_size == 1:
        return rng.standard_normal(n_items)
    cluster = rng.standard_normal(n_items // cluster_size + 1)[np.arange(n_items) // cluster_size]
    return np.sqrt(0.5) * (cluster + rng.standard_normal(n_items))


def answers(
    expected: np.ndarray, tuned_on: np.ndarray, difficulty: np.ndarray, *, is_choice: bool, rng: np.random.Generator
) -> np.ndarray:
    """Draw scores [models, items] whose mean over models and items is exactly `expected` [models].

    `tuned_on` [models] are codes. Choices are right or wrong (a probit model); generated answers have graded scores
    between 0 and 1, the normal distribution function of a normal variable, whose mean is known (Owen 1980).
    """
    own = rng.standard_normal((len(expected), len(difficulty)), dtype=np.float32)
    own *= np.float32(np.sqrt(1 - SHARED - ALIKE))
    alike = rng.standard_normal((tuned_on.max() + 1, len(difficulty)))
    own += (np.sqrt(SHARED) * difficulty + np.sqrt(ALIKE) * alike).astype(np.float32)[tuned_on]
    ability = special.ndtri(expected)[:, None]
    if is_choice:
        return (own < ability).astype(float)
    return special.ndtr(np.sqrt(1 + SPREAD**2) * ability - SPREAD * own)

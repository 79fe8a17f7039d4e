"""Compute chances of Student's t where the true effect is not zero, by a sum that always ends.

The noncentral t is (Z + shift) / V with Z normal and df V^2 chi-squared. Given V, it is below a limit as Z is. Those of
scipy do not return for some degrees of freedom.
"""

import numpy as np
from scipy import special

NODES, WEIGHTS = special.roots_legendre(256)
PLACES, SHARES = (NODES + 1) / 2, WEIGHTS / 2  # of quantiles of V
HALVINGS = 80  # of the interval that a shift is sought in


def chance_below(limit: float, *, df: float, shift: float) -> float:
    """Compute the chance that t with `df` degrees of freedom about `shift` (in standard errors) is below a limit."""
    return float(SHARES @ special.ndtr(limit * scales(df) - shift))


def shift_above(limit: float, *, df: float, power: float) -> float:
    """Find the shift (in standard errors) about which t exceeds a limit of 0 or more with a chance of `power`."""
    spread = scales(df)
    low, high = 0.0, limit * float(spread[-1]) + 10.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if SHARES @ special.ndtr(middle - limit * spread) < power else (low, middle)
    return high


def scales(df: float) -> np.ndarray:
    """Give quantiles of V at the nodes, in ascending order."""
    return np.sqrt(2 * special.gammaincinv(df / 2, PLACES) / df)

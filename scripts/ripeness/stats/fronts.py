"""Tell which of several things no other one beats in two numbers at once (the Pareto front)."""

import numpy as np


def on_front(gained: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Say which things are on the front of much gained and little lost; both are [things, ...].

    A thing is beaten by one that is at least as good in both, and better in one of them. Of equal things all are there.
    """
    other_gained, other_lost = gained[None], lost[None]
    own_gained, own_lost = gained[:, None], lost[:, None]
    no_worse = (other_gained >= own_gained) & (other_lost <= own_lost)
    better = (other_gained > own_gained) | (other_lost < own_lost)
    return ~np.any(no_worse & better, axis=1)

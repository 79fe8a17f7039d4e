"""Curves over tokens with planted kinks and peaks."""

import numpy as np

from ripeness.stats.turning_points import turning_point

DRAWN = {"draws": 199, "seed": 0}


def u(n):
    return np.linspace(0, 1, n)


def noisy(truth, *, sd=0.02, seeds=3, seed=0):
    """Values [checkpoints, seeds] with noise of the checkpoint, noise of the seed and a level of each seed."""
    draw = np.random.default_rng(seed)
    shared = sd * draw.standard_normal((len(truth), 1))
    return truth[:, None] + shared + sd * draw.standard_normal((len(truth), seeds)) + draw.standard_normal(seeds)


def kinked(n, place=0.55, before=-2.0, after=0.0):
    return before * u(n) + (after - before) * np.maximum(u(n) - place, 0)


def found(values, better="lower", **more):
    return turning_point(u(len(values)), values, better=better, **DRAWN | more)

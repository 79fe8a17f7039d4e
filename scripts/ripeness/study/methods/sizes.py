"""Estimate the width of a model of which nothing but the number of parameters is known."""

DEPTH_TO_WIDTH = 128  # a model of width d has some d / 128 blocks; smaller models have more of them


def width_of(n_parameters: int) -> float:
    """Return the width, where each block has 12 d^2 parameters."""
    return float((DEPTH_TO_WIDTH * n_parameters / 12) ** (1 / 3))

"""Say what the kinds have in common that put a linear map of a model's states in place of its output layer."""

from collections.abc import Mapping
from typing import Any

from ripeness.study.methods.sizes import width_of

MOST_LABELS = 100  # that the estimate of a size counts with

NO_PULL = (
    "`pull` holds all weights near those of the checkpoint, but a map to label words has none there\n"
    "hint: take out `pull`, or kind: full"
)
NO_START = "its map to labels answers in place of words\nhint: kind: full, from which others can start"


def map_size(given: Mapping[str, Any], n_parameters: int) -> int:
    """Estimate the numbers in a map of states to label words, on the safe side."""
    return round(MOST_LABELS * (width_of(n_parameters) + 1))

"""Say what the kinds have in common that put a linear map of a model's states in place of its output layer."""

from collections.abc import Mapping
from typing import Any

DEPTH_TO_WIDTH = 128  # as in lora.py
MOST_LABELS = 100  # that the estimate of a size counts with

NO_PULL = (
    "`pull` holds all weights near those of the checkpoint, but a map to label words has none there\n"
    "hint: take out `pull`, or kind: full"
)


def map_size(given: Mapping[str, Any], n_parameters: int) -> int:
    """Estimate the numbers in a map of states to label words, on the safe side; the width as for LoRA."""
    width = (DEPTH_TO_WIDTH * n_parameters / 12) ** (1 / 3)
    return round(MOST_LABELS * (width + 1))

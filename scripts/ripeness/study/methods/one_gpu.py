"""Refuse to share a model out to several GPUs that has more, or fewer, trained weights than its own."""

from collections.abc import Mapping
from typing import Any

from ripeness.runtime.errors import UserError


def check_one_gpu(where: str, given: Mapping[str, Any], what: str = "a model with adapters") -> None:
    """Refuse settings that ask for more than one GPU."""
    if given.get("gpu", 1) > 1:
        raise UserError(f"{where}: {what} cannot be split over {given['gpu']} GPUs\nhint: gpu: 1, or kind: full")

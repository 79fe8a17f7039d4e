"""Read numbers from files that are made here (.npy, safetensors, saved states), and name a damaged file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.made_here import damaged

if TYPE_CHECKING:
    import numpy as np

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest


def read_array(path: Path) -> "np.ndarray":
    """Return an array of a .npy file, which is not loaded whole. Raises UserError if it is damaged or not there."""
    import numpy as np

    check_there(path)
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise damaged(path, first_line(error)) from None


@contextmanager
def open_tensors(path: Path, advice: str | None = None) -> Iterator[Any]:
    """Return a safetensors file to read from, tensor by tensor. Raises UserError if it is damaged or not there."""
    from safetensors import SafetensorError, safe_open

    check_there(path)
    try:
        opened = safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise damaged(path, first_line(error), advice) from None
    with opened as file:
        yield file


def read_state(path: Path) -> dict[str, Any]:
    """Read what torch.save wrote, on the processor; no code in it is run. Raises UserError if it is damaged."""
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle fails in as many ways as there are instructions in it
        raise damaged(path, first_line(error)) from None
    if not isinstance(state, dict):
        raise damaged(path, "it is not the state of a training")
    return state


def check_there(path: Path) -> None:
    """Refuse a file that is not there."""
    if not path.is_file():
        raise UserError(f"there is no {path}\nhint: check the path; it is relative to {Path.cwd()}")


def first_line(error: BaseException) -> str:
    """Return the first line of an error, or its class if it has no text."""
    return (str(error).splitlines() or [""])[0] or type(error).__name__

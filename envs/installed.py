"""The package `ripeness` where it is installed from a wheel: its modules are those of the project next to it."""

from importlib import import_module
from pathlib import Path
from typing import Any

__path__ = [str(Path(__file__).resolve().parent / "project/scripts/ripeness")]
PLACES = {"open": ("ripeness.cli.opened", "open_study"), "Study": ("ripeness.outputs.study", "Study")}


def __getattr__(name: str) -> Any:
    """Import what was asked for only then."""
    if name not in PLACES:
        raise AttributeError(f"module 'ripeness' has no attribute {name!r}")
    module, attribute = PLACES[name]
    return getattr(import_module(module), attribute)

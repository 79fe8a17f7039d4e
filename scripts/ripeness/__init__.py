"""When, in its pre-training, is a language model ripe for fine-tuning? The code behind the rules.

In Python: `ripeness.open("results/mine")` opens a finished study (docs/outputs.md).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ripeness.cli.opened import open_study as open
    from ripeness.outputs.study import Study

__all__ = ["Study", "open"]
PLACES = {"open": ("ripeness.cli.opened", "open_study"), "Study": ("ripeness.outputs.study", "Study")}


def __getattr__(name: str) -> Any:
    """Import what was asked for only then: planning needs no numeric library."""
    if name not in PLACES:
        raise AttributeError(f"module 'ripeness' has no attribute {name!r}")
    module, attribute = PLACES[name]
    return getattr(import_module(module), attribute)

"""Open a finished study for Python: `ripeness.open`."""

from pathlib import Path

from ripeness.cli.places import results_folder
from ripeness.outputs.study import Study


def open_study(results: str | Path | None = None) -> Study:
    """Open finished results: their folder, or the name of the study; UserError where there are none.

    Without a name it is the only finished study below results/.
    """
    return Study(results_folder(None if results is None else str(results)))

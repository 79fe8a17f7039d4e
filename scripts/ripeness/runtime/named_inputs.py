"""List the files that a program has read because its inputs name them, as rows name pictures.

What decides a rerun (`workflow/result_keys.py`) compares their contents with those of now.
"""

from collections.abc import Iterable
from pathlib import Path

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, write_json

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest
FILE = "read.json"  # in the folder that the program makes


def note_inputs(folder: Path, paths: Iterable[str]) -> None:
    """Write the list into a folder that is being made; nothing for no files."""
    if found := sorted(set(paths)):
        write_json(folder / FILE, {"files": found})


def named_inputs(folder: Path) -> list[str]:
    """Read the list in a folder; empty where there is none, or it is damaged."""
    try:
        return [str(path) for path in read_json(folder / FILE, dict, keys=("files",))["files"]]
    except UserError:
        return []

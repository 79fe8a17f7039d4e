"""Files of one JSON value a line that are appended to, and that a crash may have cut off."""

import json
import os
from pathlib import Path
from typing import Any


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read the whole lines of a file that is appended to; a last line that was cut off counts as not written."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found = []
    for line in text.split("\n")[:-1]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue  # what a crash has left; its results have no key and are made again
        if isinstance(value, dict):
            found.append(value)
    return found


def append(path: Path, value: dict[str, Any]) -> None:
    """Append one line to a file, which is made where it is not there; not at all where nothing can be written."""
    if not path.parent.is_dir():
        return  # a plan of a study that has not run
    try:
        with path.open("ab") as file:
            if file.tell() and not ends_line(path):
                file.write(b"\n")
            file.write(json.dumps(value, sort_keys=True).encode() + b"\n")
            file.flush()
    except OSError:
        if os.access(path.parent, os.W_OK):
            raise


def ends_line(path: Path) -> bool:
    """Say whether a file that is not empty ends with the end of a line."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"

"""Tell whether an existing file is what a program writes there, so that no file of the user's is overwritten.

A file has no mark as a folder has (made_here.py). It is known by its form and its names: the columns of a table, the
keys of JSON, the names of tensors, the beginning of a text. A file that a program wrote earlier has the same ones.
"""

import json
import re
from pathlib import Path
from typing import Any

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest

ALIKE = 0.6  # the share of all names of two files that both have; tables of two kinds share a third
BEGINNING = 90  # characters of a text
TEXTS = (".svg", ".html", ".csv", ".md")  # what programs write apart from JSON, tables and tensors

Kind = tuple[str, frozenset[str]]  # form, names


def strange_form(path: Path) -> str | None:
    """Say what an existing file is if no program of this project writes such a file; None if one may have written it.

    A file without content may be replaced, also one of NUL bytes, as a power failure leaves.
    """
    if not path.is_file():
        return "it is no regular file"
    content = path.read_bytes()
    form, _ = kind_of(path)
    if not content.strip(b"\0") or form in ("table", "tensors"):
        return None
    if form in ("object", "list"):
        value = json.loads(content)
        is_ours = content.decode().strip() in (
            json.dumps(value, indent=1, sort_keys=True),
            json.dumps(value, separators=(",", ":")),
        )
        return None if is_ours else "it is JSON that was not written by this project"
    return None if form == "text" and path.suffix in TEXTS else "it was not made by this project"


def is_other_kind(old: Path, new: Path) -> bool:
    """Return whether an existing file is of another kind than the new one that is to replace it."""
    if not old.is_file() or not old.read_bytes().strip(b"\0"):
        return False
    (form, names), (new_form, new_names) = kind_of(old), kind_of(new)
    if form != new_form:
        return True
    return bool(names and new_names) and len(names & new_names) < ALIKE * len(names | new_names)


def has_names(path: Path, wanted: Kind) -> bool:
    """Return whether an existing file has a form, and most of its names; one without content is as none."""
    form, names = kind_of(path)
    if not path.read_bytes().strip(b"\0"):
        return True
    return form == wanted[0] and (not names or len(names & wanted[1]) >= ALIKE * len(wanted[1]))


def kind_of(path: Path) -> Kind:
    """Read the form of a file and the names in it; other bytes have the form "bytes"."""
    with path.open("rb") as file:
        first = file.read(9)
    if first[:4] == b"PAR1":
        return "table", columns(path)
    if first[8:] == b"{" and (names := tensors(path)) is not None:
        return "tensors", names
    try:
        text = path.read_text(encoding="utf-8")
    except ValueError:
        return "bytes", frozenset()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict | list):
        return ("object" if isinstance(value, dict) else "list"), keys(value)
    if path.suffix == ".csv":
        return "text", frozenset(text.partition("\n")[0].split(","))
    return "text", frozenset([re.sub(r"\d+", "", text)[:BEGINNING]])


def columns(path: Path) -> frozenset[str]:
    """Read the names of a table's columns; none of a damaged one."""
    import pyarrow.parquet  # late: only where a table is there already

    try:
        return frozenset(pyarrow.parquet.read_schema(path).names)
    except (OSError, ValueError):
        return frozenset()


def tensors(path: Path) -> frozenset[str] | None:
    """Read the names of the tensors of a safetensors file; None if it is none."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > path.stat().st_size:
            return None
        try:
            return frozenset(json.loads(file.read(size)))
        except (ValueError, RecursionError):
            return None


def keys(value: Any) -> frozenset[str]:
    """Collect the keys of an object, or of what it or a list holds where that is objects, such as one for each series.

    Keys that name things differ from study to study, and those below them do not. A chart is known by its schema, since
    its keys depend on what there is to draw.
    """
    if isinstance(value, dict) and isinstance(schema := value.get("$schema"), str):
        return frozenset([schema])
    inner = list(value.values()) if isinstance(value, dict) else value
    if inner and all(isinstance(part, dict) for part in inner):
        return frozenset(key for part in inner for key in part)
    return frozenset(value) if isinstance(value, dict) else frozenset()

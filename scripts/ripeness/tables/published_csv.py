"""Read published numbers from tidy CSVs as measurements. docs/published.md explains the columns.

A number is refused with its file and line rather than guessed at: what a table lacks cannot be measured again.
"""

import csv
import io
import math
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ripeness.runtime.errors import UserError
from ripeness.storage.packed import SEPARATOR_LINE, unpacked
from ripeness.study.schema import hint
from ripeness.study.scoring.metrics import KINDS, METRICS

REQUIRED = ("series", "checkpoint", "probe", "metric", "value")
SEPARATORS = (";", "\t", "|")
PHASES = ("stable", "decayed", "annealed")
OTHER_NAMES = {other: metric.name for metric in METRICS for other in metric.other_names}
LOWEST = {metric.name: metric.lowest for metric in METRICS}
MOST_ERROR = 0.5  # of a share of one item
SHARES = {metric.name for metric in METRICS if (metric.lowest, metric.highest) == (0, 1)}


class Line(NamedTuple):
    """One row of a table, and where it stands."""

    values: dict[str, Any]
    where: str


def text(word: str) -> str:
    """Read a name as it is."""
    return word


def whole_number(word: str) -> int:
    """Read a whole number that is not negative, also written as 2.1e9."""
    value = int(word) if word.isdecimal() else real_number(word)
    if not math.isfinite(value) or value != int(value) or not 0 <= value < 2**62:
        raise ValueError(word)
    return int(value)


def real_number(word: str) -> float:
    """Read a finite number."""
    value = float(word)
    if not math.isfinite(value) or "_" in word:  # which Python reads as nothing
        raise ValueError(word)
    return value


def share(word: str) -> float:
    """Read a number from 0 to 1."""
    value = real_number(word)
    if not 0 <= value <= 1:
        raise ValueError(word)
    return value


def not_negative(word: str) -> float:
    """Read a finite number that is not negative."""
    value = real_number(word)
    if value < 0:
        raise ValueError(word)
    return value


# What the readers of cells accept, for messages; a text is always accepted.
WORDS: dict[Callable[[str], Any], str] = {
    whole_number: "a whole number that is not negative, also written as 2.1e9",
    real_number: "a finite number",
    share: "a number from 0 to 1",
    not_negative: "a finite number that is not negative",
}
# How a cell of every column is read.
COLUMNS: dict[str, Callable[[str], Any]] = {
    "series": text, "checkpoint": text, "step": whole_number, "tokens": whole_number, "phase": text,
    "dataset": text, "method": text, "format_trained": text, "learning_rate": not_negative, "seed": whole_number,
    "probe": text, "probe_kind": text, "format": text, "shots": whole_number,
    "metric": text, "value": real_number, "se": not_negative, "n_items": whole_number, "chance": share,
    "majority": share,
}  # fmt: skip


def read_lines(path: Path) -> Iterator[Line]:
    """Return the rows of one table as numbers and names, None where a cell is empty.

    The table may be packed by gzip, and its header may have one of SEPARATORS in place of commas.
    Raises UserError that names the line.
    """
    try:
        content = path.read_bytes()
        content = unpacked(content, path) if path.suffix == ".gz" else content
        lines = content.decode("utf-8-sig")
        if "\0" in lines:
            raise UserError(f"{path}: NUL characters, which no text has\nhint: it is damaged: copy it again")
        named = SEPARATOR_LINE.match(lines)  # as spreadsheets write it
        lines = lines[named.end() :] if named else lines
        separator = named[1] if named else separator_of(lines)
        reader = csv.reader(io.StringIO(lines, newline=""), delimiter=separator, strict=True)
        names = [name.strip() for name in next(reader, [])]
        check_header(path, names)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                where = f"{path}:{reader.line_num + bool(named)}"
                yield Line(read_cells(names, cells, where), where)
    except (OSError, EOFError, zlib.error) as error:
        what = getattr(error, "strerror", None) or error
        raise UserError(f"{path} cannot be read: {what}\nhint: give a whole file that you may read") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not CSV: {error}\nhint: save it as CSV with commas, in UTF-8") from None


def separator_of(lines: str) -> str:
    """Find what stands between the columns of a header: commas, or the only other sign that it has."""
    header = lines.partition("\n")[0]
    others = [sign for sign in SEPARATORS if sign in header]
    return others[0] if "," not in header and len(others) == 1 else ","


def check_header(path: Path, names: list[str]) -> None:
    """Refuse a header with columns that are unknown, missing or duplicate."""
    for name in names:
        if name not in COLUMNS:
            near = hint(name, list(COLUMNS), otherwise="docs/published.md explains every column; leave out the others")
            raise UserError(f"{path}:1: unknown column {name!r}; known are {', '.join(COLUMNS)}\n{near}")
        if names.count(name) > 1:
            raise UserError(f"{path}:1: duplicate column {name!r}\nhint: remove one")
    missing = [name for name in REQUIRED if name not in names]
    if missing or not {"step", "tokens"} & set(names):
        needed = f"{', '.join(REQUIRED)}, and step or tokens"
        lacks = ", ".join(map(repr, missing)) or "'tokens' (or 'step')"
        raise UserError(f"{path}:1: missing column {lacks}; needed are {needed}\nhint: docs/published.md shows a table")


def read_cells(names: list[str], cells: list[str], where: str) -> dict[str, Any]:
    """Read the cells of one row."""
    if len(cells) != len(names):
        raise UserError(
            f"{where}: {len(cells)} cells in a table of {len(names)} columns\n"
            "hint: put quotes around a cell with a comma"
        )
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    for name, cell in zip(names, cells, strict=True):
        word = cell.strip()
        try:
            row[name] = COLUMNS[name](word) if word else None
        except (ValueError, OverflowError):
            raise UserError(
                f"{where}: {name} is {word!r}, which is not {WORDS[COLUMNS[name]]}\n"
                "hint: leave the cell empty if the value is unknown"
            ) from None
    return checked(row, where)


def checked(row: dict[str, Any], where: str) -> dict[str, Any]:
    """Fill in what follows from a row alone, and refuse what cannot be."""
    for name in REQUIRED:
        if row[name] is None:
            raise UserError(f"{where}: {name} is empty\nhint: every row needs {', '.join(REQUIRED)}")
    if row["step"] is None and row["tokens"] is None:
        raise UserError(
            f"{where}: neither step nor tokens is given\nhint: give one of them as the position of the checkpoint"
        )
    row["metric"] = OTHER_NAMES.get(row["metric"], row["metric"])
    if alike := [name for name in (*LOWEST, *OTHER_NAMES) if same_word(name, row["metric"])]:
        raise UserError(f"{where}: unknown metric {row['metric']!r}\nhint: did you mean {alike[0]!r}?")
    check_bounds(row, where)
    for name, known in (("probe_kind", KINDS), ("phase", PHASES)):
        if row[name] not in (None, *known):
            near = hint(row[name], list(known), otherwise=f"docs/published.md explains {name}")
            raise UserError(f"{where}: {name} {row[name]!r} is not one of {', '.join(known)}\n{near}")
    if row["method"] and (row["method"] == "base") == bool(row["dataset"]):
        raise UserError(
            f"{where}: method {row['method']!r} with "
            f"{'no dataset' if row['dataset'] is None else 'the dataset ' + repr(row['dataset'])}\n"
            "hint: an untouched checkpoint has an empty dataset and method; a tuned one names the dataset"
        )
    tuned = {"method": row["method"] or "full"}
    row |= tuned if row["dataset"] else {"method": "base", "format_trained": None}
    return row | {key: row[key] or value for key, value in (("phase", "stable"), ("shots", 0))}


def same_word(name: str, word: str) -> bool:
    """Tell whether a word is a name but for capitals and what stands between its parts."""
    return name != word and name.casefold() == re.sub(r"[ -]", "_", word.casefold())


def check_bounds(row: dict[str, Any], where: str) -> None:
    """Refuse values and standard errors that a metric cannot have."""
    metric, value, error = row["metric"], row["value"], row["se"] or 0
    if metric in SHARES and not 0 <= value <= 1:
        raise UserError(f"{where}: {metric} is {value:g}, which is not from 0 to 1\nhint: divide percentages by 100")
    if metric in SHARES and error > MOST_ERROR:
        raise UserError(
            f"{where}: the standard error of {metric} is {error:g}, but that of a share is at most {MOST_ERROR}\n"
            "hint: divide percentages by 100"
        )
    if value < LOWEST.get(metric, -math.inf):
        raise UserError(
            f"{where}: {metric} is {value:g}, which is below 0\nhint: a loss cannot be negative; fix the cell"
        )

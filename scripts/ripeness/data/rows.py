"""A dataset's rows as published, kept as JSON text: columns are of any type and differ from row to row."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, whole, write_json
from ripeness.runtime.made_here import damaged
from ripeness.runtime.named_inputs import note_inputs
from ripeness.storage.parquet import read_table
from ripeness.storage.pictures import write_pictures


@dataclass(frozen=True)
class Row:
    """One published row and where it stands, for messages."""

    values: dict[str, Any]
    where: str


def write_rows(
    output: Path,
    sources: dict[str, list[dict[str, Any]]],
    record: dict[str, Any],
    *,
    lines: dict[str, list[int]] | None = None,
    pictures: dict[str, bytes] | None = None,
    read: Iterable[str] = (),
) -> None:
    """Write <output>/<number>.parquet for each source and provenance.json with names, counts and digests.

    lines: the line of every row in its file; without it rows are counted from 1. `pictures` are those that rows name,
    `read` the files that these came from.
    """
    with whole(output) as folder:
        folder.mkdir()
        files = []
        for number, (name, rows) in enumerate(sources.items()):
            texts = [json.dumps(row, ensure_ascii=False, default=as_text) for row in rows]
            places = lines[name] if lines else list(range(1, len(rows) + 1))
            table = pl.DataFrame({"line": places, "row": texts}, schema={"line": pl.Int64, "row": pl.String})
            table.write_parquet(folder / f"{number}.parquet")
            digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
            files.append({"name": name, "file": f"{number}.parquet", "rows": len(rows), "sha256": digest})
        if pictures is not None:
            write_pictures(folder, pictures)
        note_inputs(folder, read)
        write_json(folder / "provenance.json", record | {"files": files})


def as_text(value: Any) -> str | None:
    """Write what JSON lacks as text: dates, decimals, and bytes, of which Parquet files of some writers consist.

    Bytes that are no text, as of an image, are null.
    """
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def read_sources(folder: Path) -> dict[str, list[Row]]:
    """Read the rows of every source, each with its file and line for messages."""
    sources, record = {}, folder / "provenance.json"
    if not record.is_file():
        raise UserError(f"there is no {record}\nhint: make_dataset or fetch_dataset writes the folder of rows")
    for entry in read_json(record, dict, keys=("files",))["files"]:
        table = read_table(folder / entry["file"])
        if table.height != entry["rows"]:
            raise damaged(folder / entry["file"], f"it has {table.height} rows, {entry['rows']} were written")
        sources[entry["name"]] = [
            Row(json.loads(text, parse_constant=as_null), f"{entry['name']}:{line}")
            for line, text in table.select("line", "row").iter_rows()
        ]
    return sources


def as_read(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of a file as it is read after it was kept."""
    return json.loads(json.dumps(row, ensure_ascii=False, default=as_text), parse_constant=as_null)


def as_null(constant: str) -> float | None:
    """Read NaN as null: dataframes write it for a value that is missing. Infinity stays."""
    return None if constant == "NaN" else float(constant)

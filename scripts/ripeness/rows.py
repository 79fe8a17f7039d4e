"""A dataset's rows as published, kept as JSON text: columns are of any type and differ from row to row."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.files import read_json, whole, write_json


@dataclass(frozen=True)
class Row:
    """One published row and where it stands, for messages."""

    values: dict[str, Any]
    where: str


def write_rows(output: Path, sources: dict[str, list[dict[str, Any]]], record: dict[str, Any]) -> None:
    """Write <output>/<number>.parquet for each source and provenance.json with names, counts and digests."""
    with whole(output) as folder:
        folder.mkdir()
        files = []
        for number, (name, rows) in enumerate(sources.items()):
            lines = [json.dumps(row, ensure_ascii=False, default=str) for row in rows]
            pl.DataFrame({"row": lines}, schema={"row": pl.String}).write_parquet(folder / f"{number}.parquet")
            digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
            files.append({"name": name, "file": f"{number}.parquet", "rows": len(rows), "sha256": digest})
        write_json(folder / "provenance.json", record | {"files": files})


def read_sources(folder: Path) -> dict[str, list[Row]]:
    """The rows of every source, each with the file and line to name in a message."""
    sources = {}
    for entry in read_json(folder / "provenance.json")["files"]:
        lines = pl.read_parquet(folder / entry["file"])["row"]
        first = 2 if entry["name"].endswith(".csv") else 1  # a CSV has its header above the rows
        sources[entry["name"]] = [
            Row(json.loads(line), f"{entry['name']}:{number}") for number, line in enumerate(lines, first)
        ]
    return sources

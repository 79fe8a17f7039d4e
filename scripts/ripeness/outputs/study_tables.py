"""Read the tables of a finished study by their names, with the columns of the dictionary."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.runtime.files import read_entries
from ripeness.storage.parquet import read_table, scan_table
from ripeness.tables.columns import IS_CHOSEN, ITEM_SCORES
from ripeness.tables.dictionary import FINDINGS, TABLES
from ripeness.tables.finished_results import FINDING
from ripeness.tables.item_prompts import asked_items, with_questions

ITEMS, CLAIMS = "items", "findings"


def tables_of(results: Path) -> tuple[str, ...]:
    """Name the tables that a study has, in the order of the dictionary."""
    return tuple(name for name in TABLES if place_of(results, name).exists())


def place_of(results: Path, name: str) -> Path:
    """Return the file or folder that holds a table."""
    if name == CLAIMS:
        return results / "findings.json"
    return results / "tables" / (name if name == ITEMS else f"{name}.parquet")


def table_of(results: Path, name: str) -> pl.LazyFrame:
    """Read a table that the study has, lazily where it may be large."""
    if name == CLAIMS:
        return findings_frame(results).lazy()
    if name == ITEMS:
        return items_of(results)
    return read_table(place_of(results, name), schema=TABLES[name][0]).lazy()


def item_files(results: Path) -> list[Path]:
    """List the items tables of the checkpoints that the study still has, in the order of the table of measurements."""
    known = read_table(results / "tables/measurements.parquet", ["series", "checkpoint"]).unique(maintain_order=True)
    paths = [results / f"tables/items/{series}/{checkpoint}.parquet" for series, checkpoint in known.iter_rows()]
    return [path for path in paths if path.is_file()]


def items_of(results: Path) -> pl.LazyFrame:
    """Scan the rows of all items with what was asked; the rows are read as they are needed."""
    schema = ITEM_SCORES | IS_CHOSEN
    scans = [scan_table(path, schema=schema) for path in item_files(results)]
    return with_questions(pl.concat(scans) if scans else pl.LazyFrame(schema=schema), asked_items(results))


def findings_frame(results: Path) -> pl.DataFrame:
    """Return the findings as a table: a row for each entry; what has parts is JSON text."""
    rows = [
        {name: flat(entry.get(name)) for name in FINDINGS} for entry in read_entries(place_of(results, CLAIMS), FINDING)
    ]
    return pl.DataFrame(rows, schema=FINDINGS)


def flat(value: Any) -> Any:
    """Write lists and objects as JSON, empty ones as null."""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False) if value else None
    return value

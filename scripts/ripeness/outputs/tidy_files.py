"""Export the tables of a study as CSV or Parquet files, with a dictionary of their columns."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
from polars import selectors

from ripeness.outputs.study_tables import ITEMS, table_of, tables_of
from ripeness.tables.dictionary import dictionary

DICTIONARY = "dictionary"


def write_parquet(results: Path, folder: Path) -> None:
    """Write each table as a Parquet file, rows as they come."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in tables_of(results):
        table_of(results, name).sink_parquet(folder / f"{name}.parquet")
    dictionary(list(tables_of(results))).write_parquet(folder / f"{DICTIONARY}.parquet")


def write_csv(results: Path, folder: Path) -> None:
    """Write each table as a CSV file; lists and records are JSON text."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in tables_of(results):
        as_text(table_of(results, name)).sink_csv(folder / f"{name}.csv")
    dictionary(list(tables_of(results))).write_csv(folder / f"{DICTIONARY}.csv")


def as_text(table: pl.LazyFrame) -> pl.LazyFrame:
    """Write the nested columns of a table as JSON text."""
    return table.with_columns(selectors.nested().map_elements(as_json, return_dtype=pl.String()))


def as_json(value: Any) -> str:
    """Write a nested value as JSON."""
    return json.dumps(list(value) if isinstance(value, Iterable) else value, ensure_ascii=False)


def size_of(results: Path) -> int:
    """Count the rows of the items, which decide how large an export is."""
    return table_of(results, ITEMS).select(pl.len()).collect().item() if ITEMS in tables_of(results) else 0

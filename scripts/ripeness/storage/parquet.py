"""Read parquet files. A missing, truncated or damaged one ends a program with its name."""

import os
from pathlib import Path

import polars as pl

from ripeness.runtime.errors import UserError
from ripeness.runtime.made_here import damaged
from ripeness.storage.arrays import first_line

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest

MAGIC = b"PAR1"  # at both ends of a file


def read_table(path: Path, columns: list[str] | None = None, n_rows: int | None = None) -> pl.DataFrame:
    """Return the rows of one parquet file.

    Raises UserError that names it if it is not there, damaged, or lacks a column.
    """
    check_table(path)
    try:
        return pl.read_parquet(path, columns=columns, n_rows=n_rows)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise damaged(path, first_line(error)) from None


def check_table(path: Path) -> None:
    """Refuse a parquet file that is not there, was cut short or is none: its beginning, its end and its list of parts.

    Cheap, so that files that are read piece by piece later are all checked first.
    """
    if not path.is_file():
        raise UserError(f"there is no {path}\nhint: check the path; it is relative to {Path.cwd()}")
    try:
        with path.open("rb") as file:
            first, n_bytes = file.read(len(MAGIC)), file.seek(0, os.SEEK_END)
            file.seek(max(0, n_bytes - len(MAGIC)))
            last = file.read()
        if n_bytes == 0:
            raise damaged(path, "it is empty")
        if (first, last) != (MAGIC, MAGIC):
            raise damaged(path, "it is not a parquet file, or its end is missing")
        pl.read_parquet_schema(path)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise damaged(path, first_line(error)) from None


def scan_table(path: Path) -> pl.LazyFrame:
    """Return the rows of one table as they are needed. Raises UserError if it is damaged."""
    check_table(path)
    return pl.scan_parquet(path)

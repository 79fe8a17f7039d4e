"""Read parquet files. A missing, truncated or damaged one ends a program with its name."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from polars.datatypes import DataTypeClass

from ripeness.runtime.errors import UserError
from ripeness.runtime.made_here import damaged
from ripeness.storage.arrays import first_line

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest

MAGIC = b"PAR1"  # at both ends of a file


def read_table(
    path: Path,
    columns: list[str] | None = None,
    n_rows: int | None = None,
    *,
    schema: Mapping[str, pl.DataType] | None = None,
) -> pl.DataFrame:
    """Read one parquet file. Raises UserError that names it if it is missing, damaged, or not of `schema`."""
    check_table(path, schema)
    try:
        return pl.read_parquet(path, columns=columns, n_rows=n_rows, glob=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise damaged(path, first_line(error)) from None


def scan_table(path: Path, *, schema: Mapping[str, pl.DataType] | None = None) -> pl.LazyFrame:
    """Scan the rows of one table. Raises UserError if it is damaged, or not of `schema`."""
    check_table(path, schema)
    return scan_files([path])


def scan_files(paths: Sequence[Path], *, file_column: str | None = None) -> pl.LazyFrame:
    """Scan the rows of files, one after another; their names are taken as they are, also with a * or brackets in them.

    `file_column` is a column with the path of each row's file.
    """
    return pl.scan_parquet(list(paths), glob=False, include_file_paths=file_column)


def check_table(path: Path, schema: Mapping[str, pl.DataType] | None = None) -> None:
    """Refuse a parquet file that is not there, was cut short or is none, or has not the columns of `schema`.

    Cheap, so that files that are read piece by piece later are all checked first.
    """
    if schema is not None:
        check_columns(path, schema)
        return
    check_ends(path)
    columns_of(path)


def check_ends(path: Path) -> None:
    """Refuse a parquet file that is not there, or has not its beginning and its end."""
    if not path.is_file():
        raise UserError(f"there is no {path}\nhint: check the path; it is relative to {Path.cwd()}")
    try:
        with path.open("rb") as file:
            first, n_bytes = file.read(len(MAGIC)), file.seek(0, os.SEEK_END)
            file.seek(max(0, n_bytes - len(MAGIC)))
            last = file.read()
    except OSError as error:
        raise damaged(path, first_line(error)) from None
    if n_bytes == 0:
        raise damaged(path, "it is empty")
    if (first, last) != (MAGIC, MAGIC):
        raise damaged(path, "it is not a parquet file, or its end is missing")


def columns_of(path: Path) -> dict[str, pl.DataType]:
    """Read the columns of a parquet file with their types, from its footer."""
    try:
        return dict(scan_files([path]).collect_schema())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise damaged(path, first_line(error)) from None


def check_columns(path: Path, schema: Mapping[str, pl.DataType], *, may_lack: bool = False) -> None:
    """Refuse a table that has not the columns of `schema`; with `may_lack` one that has others than those.

    A table that may lack columns may also be made by hand: whole numbers of any width, and a column of nulls.
    """
    check_ends(path)
    found = columns_of(path)
    if strange := [name for name in found if name not in schema]:
        raise damaged(path, f"it has a column that this table does not know, {strange[0]!r}")
    if (missing := [name for name in schema if name not in found]) and not may_lack:
        raise damaged(path, f"it lacks the column {missing[0]}")
    for name, kind in found.items():
        if kind != schema[name] and not (may_lack and fits(kind, schema[name])):
            raise damaged(path, f"its column {name} holds {kind}, where {schema[name]} is wanted")


def fits(kind: DataTypeClass | pl.DataType, wanted: DataTypeClass | pl.DataType) -> bool:
    """Tell whether values of a type fit another: nulls fit any, and whole numbers those of any width."""
    if isinstance(kind, pl.List) and isinstance(wanted, pl.List):
        return fits(kind.inner, wanted.inner)
    is_number = kind.is_integer() if wanted.is_integer() else kind.is_numeric() and wanted.is_float()
    return kind in (wanted, pl.Null()) or is_number

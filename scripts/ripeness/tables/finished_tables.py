"""Check that the finished tables of a study are whole, and have the right columns and checkpoint."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import polars as pl

from ripeness.runtime.made_here import damaged
from ripeness.storage.arrays import first_line
from ripeness.storage.parquet import check_columns, check_ends, scan_files
from ripeness.tables.columns import AUDIT, CELLS, IS_CHOSEN, ITEM_SCORES, MEASUREMENTS, SENSITIVITY
from ripeness.tables.theory_columns import SIMULATED

MOST_BYTES = 2**26  # of a table that is read whole, in a fraction of a second

COLLECTED = {"measurements": MEASUREMENTS, "cells": CELLS, "items": ITEM_SCORES}  # with what collecting adds
OF_STUDY: dict[str, Mapping[str, pl.DataType]] = {
    **{f"tables/{name}.parquet": schema | IS_CHOSEN for name, schema in COLLECTED.items()},
    **{f"tables/{name}/published.parquet": schema | IS_CHOSEN for name, schema in COLLECTED.items()},
    "tables/sensitivity.parquet": SENSITIVITY,
    "tables/audit.parquet": AUDIT,
    "audit/inputs.parquet": AUDIT,
    **{f"tables/{name}.parquet": schema for name, schema in SIMULATED.items()},
    **{f"theory/*/{name}.parquet": schema for name, schema in SIMULATED.items()},
}
OF_CHECKPOINT: dict[str, Mapping[str, pl.DataType]] = {
    **{f"tables/{name}": schema | IS_CHOSEN for name, schema in COLLECTED.items()},
    "sensitivity": SENSITIVITY,
}


def table_checks(results: Path) -> Iterator[tuple[Path, Callable[[Path], object]]]:
    """Yield every table of a study and its check."""
    for pattern, schema in OF_STUDY.items():
        for path in sorted(results.glob(pattern)):
            yield path, partial(check_whole, schema=schema)
    for folder, schema in OF_CHECKPOINT.items():
        for path in sorted(results.glob(f"{folder}/*/*.parquet")):
            yield path, partial(check_checkpoint, schema=schema)
    for path in sorted(results.glob("cells/**/*.parquet")):
        yield path, check_ends


def check_checkpoint(path: Path, schema: Mapping[str, pl.DataType]) -> None:
    """Refuse a table that has other columns, or rows of another checkpoint than that of its name."""
    check_columns(path, schema)
    for series, checkpoint in checkpoints_in(path):
        if (series, checkpoint) != (path.parent.name, path.stem):
            raise damaged(path, f"it holds rows of the checkpoint {series} {checkpoint}")


def checkpoints_in(path: Path) -> list[tuple[str, str]]:
    """Return the series and checkpoint of the rows of a table."""
    places = scan_files([path]).select("series", "checkpoint").unique().sort("series", "checkpoint")
    return list(read(path, places.collect).iter_rows())


def check_whole(path: Path, schema: Mapping[str, pl.DataType]) -> None:
    """Refuse a table that has other columns, or of which any part cannot be read, unless it is large."""
    check_columns(path, schema)
    if path.stat().st_size <= MOST_BYTES:
        read(path, partial(pl.read_parquet, path, glob=False))


def read(path: Path, attempt: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """Read a table. Raises UserError if it is damaged between its ends."""
    try:
        return attempt()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise damaged(path, first_line(error)) from None

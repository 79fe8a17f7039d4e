"""Run SQL over the tables of a study, with DuckDB: each table of docs/tables.md by its name, and `scores`."""

from collections.abc import Iterable
from glob import escape
from pathlib import Path

import duckdb
import polars as pl

from ripeness.outputs.study_tables import CLAIMS, ITEMS, findings_frame, item_files, place_of, tables_of
from ripeness.runtime.errors import UserError
from ripeness.storage.parquet import read_table
from ripeness.tables.columns import read_measurements
from ripeness.tables.item_prompts import KEYS, asked_items
from ripeness.tables.main_scores import main_scores

SCORES = "scores"


def query(results: Path, sql: str) -> pl.DataFrame:
    """Return the rows of one query; files are read where it needs them. UserError for SQL that cannot be run."""
    tables = tables_of(results)
    with duckdb.connect(":memory:") as database:
        try:
            for name in tables:
                add_table(database, results, name)
            if "measurements" in tables:
                measurements = read_measurements(place_of(results, "measurements"))
                database.register(SCORES, main_scores(measurements).to_arrow())
            found = database.sql(sql)
            return found.pl() if found is not None else pl.DataFrame()
        except (duckdb.Error, pl.exceptions.PolarsError) as error:
            check_files(results, tables)
            names = ", ".join([*tables, *([SCORES] if "measurements" in tables else [])])
            raise UserError(
                f"{str(error).strip()}\nhint: tables are {names}; docs/tables.md has their columns"
            ) from None


def check_files(results: Path, tables: Iterable[str]) -> None:
    """Raise UserError that names a damaged file of these tables, which the database does not."""
    for name in tables:
        for path in item_files(results) if name == ITEMS else [place_of(results, name)] * (name != CLAIMS):
            read_table(path)


def add_table(database: duckdb.DuckDBPyConnection, results: Path, name: str) -> None:
    """Give the database a table; those in files as a view, so that a query reads only the columns that it names."""
    if name == CLAIMS:
        database.register(name, findings_frame(results).to_arrow())
        return
    if name != ITEMS:
        read_table(place_of(results, name), n_rows=0)  # says which file is damaged
        database.read_parquet(escape(str(place_of(results, name)))).create_view(name)
        return
    if files := item_files(results):
        database.register("asked", asked_items(results).to_arrow())
        database.read_parquet([escape(str(path)) for path in files]).create_view("item_rows")
        database.execute(f"CREATE VIEW {ITEMS} AS SELECT * FROM item_rows LEFT JOIN asked USING ({', '.join(KEYS)})")

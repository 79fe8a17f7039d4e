"""Write the rows of a query as text: a table for people, CSV or JSON for programs."""

import json
from pathlib import Path

import polars as pl
from polars import selectors

from ripeness.outputs.queries import query
from ripeness.outputs.tidy_files import as_text
from ripeness.runtime.errors import UserError
from ripeness.runtime.wording import hint

MOST_ROWS, WIDEST = 200, 160


def answered(results: Path, sql: str, form: str) -> str:
    """Run a query and write its rows; UserError for a form that is not known."""
    if form not in ("table", "csv", "json"):
        near = hint(form, ["table", "csv", "json"], otherwise="--format csv")
        raise UserError(f"unknown format {form!r}; known are table, csv and json\n{near}")
    rows = query(results, sql)
    if form == "csv":
        return as_text(rows.lazy()).with_columns(selectors.binary().bin.encode("hex")).collect().write_csv()
    if form == "json":
        rows = rows.with_columns(selectors.float().fill_nan(None))  # JSON has no word for it
        return json.dumps(rows.to_dicts(), indent=1, ensure_ascii=False, default=str) + "\n"
    with pl.Config(
        tbl_rows=MOST_ROWS, tbl_cols=-1, tbl_width_chars=WIDEST, fmt_str_lengths=80, tbl_formatting="MARKDOWN",
        tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True,
    ):  # fmt: skip
        more = (
            f"... and {rows.height - MOST_ROWS:,} more rows; --format csv writes all\n"
            if rows.height > MOST_ROWS
            else ""
        )
        return f"{rows.head(MOST_ROWS)}\n{more}"

"""Fetch one dataset as published: one parquet file a source, with its rows, and where they come from."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.command_line import argument_parser, json_option, run
from ripeness.errors import UserError
from ripeness.rows import write_rows

TABLES = (".csv", ".parquet", ".pq")


def read_rows(path: Path) -> dict[int, dict[str, Any]]:
    """Read a JSONL, CSV or Parquet file: its rows by line; UserError naming file and line."""
    if not path.is_file():
        raise UserError(f"there is no file {path}\nhint: check `source`; paths are relative to {Path.cwd()}")
    if path.suffix in TABLES:
        try:
            return csv_rows(path) if path.suffix == ".csv" else dict(enumerate(pl.read_parquet(path).to_dicts(), 1))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise UserError(f"{path} cannot be read as {path.suffix[1:]}: {error}\nhint: mend the file") from None
    if path.suffix not in (".jsonl", ".json", ".ndjson"):
        raise UserError(f"{path}: unknown kind of file\nhint: rows are read from .jsonl, .csv or .parquet")
    return {number: json_row(path, number, line) for number, line in enumerate(open_text(path), 1) if line.strip()}


def csv_rows(path: Path) -> dict[int, dict[str, Any]]:
    """The rows of a CSV by line. All columns are text: what looks like a number is asked as it is written."""
    rows, line = {}, 2  # the header stands above the rows
    for row in pl.read_csv(path, infer_schema=False).to_dicts():
        cells = [cell for cell in row.values() if cell is not None]
        if cells:  # an empty line has none
            rows[line] = row
        line += 1 + sum(cell.count("\n") for cell in cells)
    return rows


def open_text(path: Path) -> list[str]:
    """The lines of a UTF-8 file."""
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: {error}\nhint: convert it, e.g. with iconv") from None


def json_row(path: Path, number: int, line: str) -> dict[str, Any]:
    """One line of a JSONL file."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{number}: not JSON: {error}\nhint: one JSON object a line") from None
    if not isinstance(row, dict):
        raise UserError(f"{path}:{number}: {line[:60]!r} is not an object\nhint: one JSON object a line")
    return row


def sources_of(source: dict[str, Any]) -> dict[str, dict[int, dict[str, Any]]]:
    """The rows, by line, of every source that serves a role, by file name or published split."""
    if "hub" in source:
        from ripeness.hub import dataset_split  # slow to import, and files on disk need none of it

        splits = dict.fromkeys(source["splits"].values())
        place = source["hub"], source.get("config")
        return {split: dict(enumerate(dataset_split(*place, split, source).to_list(), 1)) for split in splits}
    paths = dict.fromkeys(source[role] for role in ("train", "validation", "test"))
    return {path: read_rows(Path(path)) for path in paths}


def main(argv: list[str] | None = None) -> None:
    """Write the rows of every source, and where they come from."""
    parser = argument_parser(__doc__)
    parser.add_argument("--source", required=True, type=json_option, help="`source` of the task file, as JSON")
    parser.add_argument("--licence", required=True, help="licence of the data, for the record")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    options = parser.parse_args(argv)
    record = {"source": options.source, "licence": options.licence}
    found = sources_of(options.source)
    rows = {name: list(by_line.values()) for name, by_line in found.items()}
    write_rows(options.output, rows, record, lines={name: list(by_line) for name, by_line in found.items()})


if __name__ == "__main__":
    run(main)

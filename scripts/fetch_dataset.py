"""Fetch one dataset as published: one parquet file a source, with its rows, and where they come from."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from ripeness.command_line import argument_parser, json_option, run
from ripeness.errors import UserError
from ripeness.rows import write_rows
from ripeness.unions import parts_of

TABLES = (".csv", ".parquet", ".pq")


def read_rows(path: Path) -> dict[int, dict[str, Any]]:
    """Read a JSONL, CSV or Parquet file, or a JSON list: its rows by line; UserError naming file and line."""
    if not path.is_file():
        raise UserError(f"there is no file {path}\nhint: check `source`; paths are relative to {Path.cwd()}")
    if path.suffix in TABLES:
        try:
            return csv_rows(path) if path.suffix == ".csv" else dict(enumerate(pl.read_parquet(path).to_dicts(), 1))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise UserError(f"{path} cannot be read as {path.suffix[1:]}: {error}\nhint: mend the file") from None
    if path.suffix not in (".jsonl", ".json", ".ndjson"):
        raise UserError(f"{path}: unknown kind of file\nhint: rows are read from .jsonl, .json, .csv or .parquet")
    lines = open_text(path)
    if path.suffix == ".json" and next((line for line in lines if line.strip()), "").lstrip().startswith("["):
        return json_list(path, "\n".join(lines))
    return {number: json_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()}


def json_list(path: Path, text: str) -> dict[int, dict[str, Any]]:
    """The objects of a file that is one JSON list, by their place from 1."""
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not a JSON list: {error}\nhint: a list of objects, or one object a line") from None
    for place, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise UserError(f"{path}: entry {place} is {str(row)[:60]!r}\nhint: a list of objects, or one a line")
    return dict(enumerate(rows, 1))


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
    """The rows, by line, of every source that serves a role, by file name or published split.

    A source of several, joined by `+`, has their rows one after the other, counted through.
    """
    if "hub" in source:
        from ripeness.hub import dataset_split  # slow to import, and files on disk need none of it

        splits = dict.fromkeys(source["splits"].values())
        place = source["hub"], source.get("config")
        return {split: dict(enumerate(dataset_split(*place, split, source).to_list(), 1)) for split in splits}
    names = dict.fromkeys(source[role] for role in ("train", "validation", "test"))
    parts = dict.fromkeys(part for name in names for part in parts_of(source, name))
    with TemporaryDirectory() as folder:
        if "github" in source:
            from ripeness.github import fetch_files

            paths = fetch_files(source, list(parts), Path(folder))
        else:
            paths = {part: Path(part) for part in parts}
        read = {part: read_rows(path) for part, path in paths.items()}
    return {name: one_after_another([read[part] for part in parts_of(source, name)]) for name in names}


def one_after_another(tables: list[dict[int, dict[str, Any]]]) -> dict[int, dict[str, Any]]:
    """The rows of several files as those of one, counted through; a file alone keeps its lines."""
    if len(tables) == 1:
        return tables[0]
    return dict(enumerate((row for table in tables for row in table.values()), 1))


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

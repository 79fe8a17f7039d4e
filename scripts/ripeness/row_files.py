"""Rows from files that people keep them in: JSONL, a JSON list, CSV, TSV, also packed with gzip, and Parquet."""

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.errors import UserError

LINES, TABLES, PARQUET = (".jsonl", ".json", ".ndjson"), {".csv": ",", ".tsv": "\t"}, (".parquet", ".pq")
KINDS = ".jsonl, .json, .csv or .parquet, also from .tsv, .jsonl.gz, .json.gz, .csv.gz and .tsv.gz"
SEPARATORS = (";", "\t", "|")  # what stands between columns where no comma does
HALF = re.compile(r"\\u[dD][89a-fA-F]")  # how a half of a surrogate pair is written


def read_rows(path: Path) -> dict[int, dict[str, Any]]:
    """The rows of a file by line; UserError naming file and line."""
    if not path.is_file():
        raise UserError(f"there is no file {path}\nhint: check `source`; paths are relative to {Path.cwd()}")
    *_, packed, kind = ["", "", *(suffix.lower() for suffix in path.suffixes)]
    if kind == ".gz" and packed not in PARQUET:
        kind = packed
    if kind not in (*LINES, *TABLES, *PARQUET):
        raise UserError(f"{path}: unknown kind of file\nhint: rows are read from {KINDS}")
    try:
        if kind in PARQUET:
            return dict(enumerate(pl.read_parquet(path).to_dicts(), 1))
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix.lower() == ".gz" else content
        if kind in TABLES:
            return table_rows(content, TABLES[kind], path)
    except (pl.exceptions.PolarsError, OSError, EOFError, zlib.error) as error:
        name = f"{kind[1:]}.gz" if path.suffix.lower() == ".gz" else kind[1:]
        raise UserError(f"{path} cannot be read as {name}: {error}\nhint: mend the file") from None
    text = text_of(content, path)
    if kind == ".json" and text.lstrip().startswith("["):
        return json_list(path, text)
    lines = text.split("\n")
    return {number: json_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()}


def table_rows(content: bytes, separator: str, path: Path) -> dict[int, dict[str, Any]]:
    """The rows of a table by line. All columns are text: what looks like a number is asked as it is written.

    A header without the separator is read by the other one that it has; which of several is not guessed.
    """
    header = pl.read_csv(io.BytesIO(content), separator=separator, infer_schema=False, n_rows=0).columns
    others = [sign for sign in SEPARATORS if sign in header[0]] if len(header) == 1 else []
    if len(others) > 1:
        raise UserError(
            f"{path}:1: no {separator!r} between columns, and several other signs in {header[0]!r}\n"
            "hint: save it as .csv with commas between columns, or as .tsv with tabs"
        )
    separator = others[0] if others else separator
    rows, line = {}, 2  # the header stands above the rows
    for row in pl.read_csv(io.BytesIO(content), separator=separator, infer_schema=False).to_dicts():
        cells = [cell for cell in row.values() if cell is not None]
        if cells:  # an empty line has none
            rows[line] = row
        line += 1 + sum(cell.count("\n") for cell in cells)
    return rows


def text_of(content: bytes, path: Path) -> str:
    """The text of a UTF-8 file, without the mark that some programs begin it with."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: {error}\nhint: convert it, e.g. with iconv") from None


def json_list(path: Path, text: str) -> dict[int, dict[str, Any]]:
    """The objects of a file that is one JSON list, by their place from 1."""
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not a JSON list: {error}\nhint: a list of objects, or one object a line") from None
    for place, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise UserError(f"{path}: entry {place} is {str(row)[:60]!r}\nhint: a list of objects, or one a line")
        if HALF.search(text):
            check_whole(row, f"{path}: entry {place}")
    return dict(enumerate(rows, 1))


def json_row(path: Path, number: int, line: str) -> dict[str, Any]:
    """One line of a JSONL file."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{number}: not JSON: {error}\nhint: one JSON object a line") from None
    if not isinstance(row, dict):
        raise UserError(f"{path}:{number}: {line[:60]!r} is not an object\nhint: one JSON object a line")
    if HALF.search(line):
        check_whole(row, f"{path}:{number}")
    return row


def check_whole(row: dict[str, Any], where: str) -> None:
    """Refuse a row with text that cannot be written as UTF-8."""
    column = next(halved(row), None)
    if column is None:
        return
    name = column if column.isprintable() else ascii(column)
    raise UserError(
        f"{where}: {name} holds half of a surrogate pair, which is no character: {row[column]!r:.60}\n"
        "hint: mend the row; text that was cut between two \\u escapes ends so"
    )


def halved(row: dict[str, Any]) -> Iterator[str]:
    """The columns whose text cannot be written as UTF-8."""
    for name, value in row.items():
        try:
            json.dumps({name: value}, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            yield name

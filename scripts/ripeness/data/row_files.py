"""Rows from files that people keep them in: JSONL, a JSON list, CSV, TSV, also packed with gzip, and Parquet."""

import csv
import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.runtime.errors import UserError
from ripeness.storage.packed import SEPARATOR_LINE, unpacked

LINES, TABLES, PARQUET = (".jsonl", ".json", ".ndjson"), {".csv": ",", ".tsv": "\t"}, (".parquet", ".pq")
KINDS = ".jsonl, .json, .csv or .parquet, also from .tsv, .jsonl.gz, .json.gz, .csv.gz and .tsv.gz"
SEPARATORS = (",", ";", "\t", "|")  # what stands between columns where the sign of the kind of file does not
LONGEST = 2**31 - 1  # characters of a cell
POINTER = b"version https://git-lfs.github.com/spec/"  # what a clone without Git LFS has instead of a file
HALF = re.compile(r"\\u[dD][89a-fA-F]")  # how a half of a surrogate pair is written


def read_rows(path: Path) -> dict[int, dict[str, Any]]:
    """Read the rows of a file by line; UserError naming file and line."""
    if not path.is_file():
        raise UserError(f"there is no file {path}\nhint: check `source`; paths are relative to {Path.cwd()}")
    *_, packed, kind = ["", "", *(suffix.lower() for suffix in path.suffixes)]
    if kind == ".gz" and packed not in PARQUET:
        kind = packed
    if kind not in (*LINES, *TABLES, *PARQUET):
        raise UserError(f"{path}: unknown kind of file\nhint: rows are read from {KINDS}")
    with path.open("rb") as file:
        if file.read(len(POINTER)) == POINTER:
            raise UserError(f"{path} is a pointer of Git LFS, not the file itself\nhint: git lfs pull")
    try:
        if kind in PARQUET:
            return dict(enumerate(pl.read_parquet(path, glob=False).to_dicts(), 1))
        content = path.read_bytes()
        content = unpacked(content, path) if path.suffix.lower() == ".gz" else content
        if kind in TABLES:
            return table_rows(content, TABLES[kind], path)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, EOFError, zlib.error) as error:
        name = f"{kind[1:]}.gz" if path.suffix.lower() == ".gz" else kind[1:]
        raise UserError(f"{path} cannot be read as {name}: {error}\nhint: fix the file") from None
    text = text_of(content, path)
    if kind == ".json" and text.lstrip().startswith("["):
        return json_list(path, text)
    lines = text.split("\n")
    rows = {number: json_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()}
    if len(rows) == 1:
        check_alone(path, *rows.values())
    return rows


def table_rows(content: bytes, separator: str, path: Path) -> dict[int, dict[str, Any]]:
    """Read the rows of a table by line. All columns are text, so numbers are prompted as they are written.

    The first line may name the separator, as spreadsheets write it: sep=; A header without the separator is read by the
    other one that it has; which of several is not guessed. An empty cell is null, with quotes or without.
    """
    text = text_of(content, path)
    lines, first, header = opened(text, separator, path)
    if not any(header):
        found = f"{path}:{first} names no column" if text.strip() else f"{path} is empty"
        raise UserError(f"{found}\nhint: the first line of a table names its columns")
    if repeated := [name for name in header if name and header.count(name) > 1]:
        raise UserError(f"{path}:{first}: two columns are named {repeated[0]!r}\nhint: rename one of them")
    rows = {}
    for line, cells in lines:
        if not any(cells):  # an empty line
            continue
        if len(cells) != len(header):
            raise UserError(
                f"{path}:{line}: {len(cells)} cells, but the header has {len(header)} columns\n"
                "hint: put double quotes around a text that contains a separator or a line end"
            )
        cells[0] = cells[0].removeprefix("\ufeff")  # of a file that was put behind another
        if len(header) > 1 and cells == header:
            raise UserError(
                f"{path}:{line}: this line repeats the names of the columns\n"
                "hint: remove this line; when you join tables, keep the header of the first one only"
            )
        rows[line] = {name: cell or None for name, cell in zip(header, cells, strict=True)}
    return rows


def opened(text: str, separator: str, path: Path) -> tuple[Iterator[tuple[int, list[str]]], int, list[str]]:
    """Find the separator and read the header: the rows after it, its line, and the names of the columns."""
    named = SEPARATOR_LINE.match(text)
    separator = named[1] if named else separator
    lines = cells_of(text, separator, path)
    if named:
        next(lines)
    first, header = next(lines, (1, []))
    is_one = len(header) == 1 and not named
    others = [sign for sign in SEPARATORS if sign != separator and sign in header[0]] if is_one else []
    if len(others) > 1:
        raise UserError(
            f"{path}:1: no {separator!r} between columns, and several other signs in {header[0]!r}\n"
            "hint: save it as .csv with commas between columns, or as .tsv with tabs"
        )
    if others:
        lines = cells_of(text, others[0], path)
        first, header = next(lines, (1, []))
    return lines, first, header


def cells_of(text: str, separator: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Read the cells of each row of a table, and the line where it begins; quoted text may span lines."""
    csv.field_size_limit(LONGEST)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            is_open = "end of data" in str(error)
            found = "a quote is opened and never closed" if is_open else f"{error}, in line {reader.line_num}"
            raise UserError(
                f'{path}:{line}: {found}\nhint: write a quote inside a quoted text twice: "a ""b"" c"'
            ) from None
        if separator == "\t" and any("\t" in cell and "\n" in cell for cell in cells):  # few .tsv files know quotes
            raise UserError(
                f"{path}:{line}: a text in quotes goes on to line {reader.line_num}, over tabs and line ends\n"
                "hint: if these are rows of their own, save the table as .jsonl, or remove the quotes around words"
            )
        yield line, cells


def text_of(content: bytes, path: Path) -> str:
    """Read the text of a UTF-8 file, without a byte-order mark."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: {error}\nhint: convert it, e.g. with iconv") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise UserError(
            f"{path}:{line}: NUL characters, which text files do not contain\n"
            "hint: a file in UTF-16 looks like this: convert it, e.g. with iconv; or it is damaged: copy it again"
        )
    return text


def json_list(path: Path, text: str) -> dict[int, dict[str, Any]]:
    """Read the objects of a file that is one JSON list, numbered from 1."""
    try:
        rows = json.loads(text, object_pairs_hook=once)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a JSON list: {error}\nhint: a list of objects, or one object a line") from None
    for place, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise UserError(f"{path}: entry {place} is {str(row)[:60]!r}\nhint: a list of objects, or one a line")
        if HALF.search(text):
            check_whole(row, f"{path}: entry {place}")
    return dict(enumerate(rows, 1))


def json_row(path: Path, number: int, line: str) -> dict[str, Any]:
    """Read one line of a JSONL file."""
    try:
        row = json.loads(line, object_pairs_hook=once)
    except UserError as error:
        raise UserError(f"{path}:{number}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}:{number}: not JSON: {error}\nhint: one JSON object a line") from None
    if not isinstance(row, dict):
        raise UserError(f"{path}:{number}: {line[:60]!r} is not an object\nhint: one JSON object a line")
    if HALF.search(line):
        check_whole(row, f"{path}:{number}")
    return row


def check_alone(path: Path, row: dict[str, Any]) -> None:
    """Refuse the only row of a file if it consists of lists or objects: then it is a table in another layout."""
    if row and all(isinstance(value, list | dict) and value for value in row.values()):
        keys = ", ".join(repr(name[:40]) for name in list(row)[:5])
        raise UserError(
            f"{path}: one object with {keys}, each a list or an object\n"
            "hint: a list of objects, or one object a line, each with the columns of one row"
        )


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object of JSON; UserError for a name that occurs twice, of which json would keep the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{twice!r} is given twice\nhint: rename or remove one of them")
    return found


def check_whole(row: dict[str, Any], where: str) -> None:
    """Refuse a row with text that cannot be written as UTF-8."""
    column = next(halved(row), None)
    if column is None:
        return
    name = column if column.isprintable() else ascii(column)
    raise UserError(
        f"{where}: {name} contains half of a surrogate pair, which is no character: {row[column]!r:.60}\n"
        "hint: fix the row; text cut between two \\u escapes ends like this"
    )


def halved(row: dict[str, Any]) -> Iterator[str]:
    """List the columns whose text cannot be written as UTF-8."""
    for name, value in row.items():
        try:
            json.dumps({name: value}, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            yield name

"""What a task file asks of a row: the value of a column or an expression over columns, and whether the row counts."""

import json
from typing import Any

from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.study.templates import columns_of, evaluate, expression


def column(row: Row, text: str) -> Any:
    """Read a column, or evaluate an expression over columns; UserError for a missing or null value."""
    inner = expression(text)
    for name in [text] if inner is None else columns_of(inner, row.values):
        if row.values.get(name) is None:
            raise UserError(f"{row.where}: {lacking(row, name, is_named=inner is None)}")
    value = row.values[text] if inner is None else value_of(inner, row)
    if value is None:
        raise UserError(
            f"{row.where}: the expression {text!r} evaluates to an empty value\n"
            "hint: fix the row, or the expression in the task file"
        )
    return value


def lacking(row: Row, name: str, *, is_named: bool) -> str:
    """Describe a missing or null column, with a hint; without `is_named` an expression reads the column."""
    if name in row.values:
        keep = f"keep: '{{{{ {asked_for(name)} is not none }}}}'"
        way = f"fix the row (an empty cell of a table is null, and so is NaN), or leave out such rows: {keep}"
        return f"{shown(name)} is null\nhint: {way}"
    there = ", ".join(map(shown, sorted(row.values))) or "nothing"
    way = "fix the row, or the column names in the task file"
    if not is_named and (spaced := [other for other in row.values if not other.isidentifier()]):
        way = f"an expression reads a column whose name is not a single word as {{{{ row[{spaced[0]!r}] }}}}"
    return f"the row has no {name!r}; it has {there}\nhint: {way}"


def value_of(inner: str, row: Row) -> Any:
    """Evaluate an expression over the columns of a row; UserError that names the row.

    `row` is all columns, where none is called so.
    """
    try:
        value = evaluate(inner, {"row": row.values} | row.values)
    except UserError as error:
        raise UserError(f"{row.where}: {error}") from None
    if callable(value):  # as row.items is, which every table of Python's has
        raise UserError(
            f"{row.where}: the expression {inner.strip()!r} gives no value of the row\n"
            "hint: if the name of a column is also a word of Python, write {{ row['items'] }}"
        )
    return value


def shown(name: str) -> str:
    """Write a column's name for a message, in quotes where it is not one word, so that blanks are visible."""
    return name if name.isidentifier() else repr(name)


def asked_for(name: str) -> str:
    """Write how an expression reads a column."""
    return name if name.isidentifier() else f"row[{json.dumps(name, ensure_ascii=False)}]"

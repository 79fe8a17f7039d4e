"""What a task file asks of a row: the value of a column or an expression over columns, and whether the row counts."""

import json
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.study.tasks import Task
from ripeness.study.templates import columns_of, evaluate, expression

TRUE = {"true", "t", "yes", "y", "on", "1", "1.0"}
FALSE = {"false", "f", "no", "n", "off", "0", "0.0", "none", "null", "nan", ""}


def column(row: Row, text: str | None) -> Any:
    """The value of a column, or of an expression over columns; UserError when the row lacks one or it is null."""
    inner = expression(text or "")
    for name in [text] if inner is None else columns_of(inner, row.values):
        if row.values.get(name) is None:
            raise UserError(f"{row.where}: {lacking(row, str(name), is_named=inner is None)}")
    value = row.values[text] if inner is None else value_of(inner, row)
    if value is None:
        raise UserError(f"{row.where}: {text!r} gives nothing\nhint: mend the row, or the expression in the task file")
    return value


def lacking(row: Row, name: str, *, is_named: bool) -> str:
    """What is wrong with a row that has no value in a column, and what to do; not `is_named`, an expression asks."""
    if name in row.values:
        keep = f"keep: '{{{{ {asked_for(name)} is not none }}}}'"
        return f"{name} is null\nhint: mend the row (an empty cell of a table is null), or leave out such rows: {keep}"
    there = ", ".join(sorted(row.values)) or "nothing"
    way = "mend the row, or the column names in the task file"
    if not is_named and (spaced := [other for other in row.values if not other.isidentifier()]):
        way = f"an expression asks for a column whose name is no word by {{{{ row[{spaced[0]!r}] }}}}"
    return f"the row has no {name!r}; it has {there}\nhint: {way}"


def value_of(inner: str, row: Row) -> Any:
    """The value of an expression over the columns of a row; UserError that names the row.

    `row` is all columns, where none is called so.
    """
    try:
        return evaluate(inner, {"row": row.values} | row.values)
    except UserError as error:
        raise UserError(f"{row.where}: {error}") from None


def asked_for(name: str) -> str:
    """How an expression asks for a column."""
    return name if name.isidentifier() else f"row[{json.dumps(name, ensure_ascii=False)}]"


def is_kept(row: Row, task: Task, truths: Collection[str] = ()) -> bool:
    """Whether a row is one of the dataset; the columns that `keep` asks for may be null, or not there.

    truths: columns of texts that are all words for true and false.
    """
    inner = expression(task.keep or "")
    if inner is None:
        value = row.values.get(task.keep)
        return task.keep is None or bool(Word(value) if task.keep in truths else value)
    asked = {name: row.values.get(name) for name in columns_of(inner, row.values)}
    words = {name: Word(value) for name, value in asked.items() if name in truths and isinstance(value, str)}
    value = value_of(inner, replace(row, values=row.values | asked | words))
    return bool(Word(value) if isinstance(value, str) and asked and asked.keys() <= set(truths) else value)


class Word(str):
    """A word for true or false, as a table of texts has it, which counts as what it says."""

    __slots__ = ()

    def __bool__(self) -> bool:
        """What the word says."""
        return self.strip().lower() not in FALSE


def truths_of(rows: list[Row], task: Task) -> set[str]:
    """The columns that `keep` asks for in which texts are words for true and false, and nothing else.

    UserError where such words and other texts stand in the column that alone decides.
    """
    inner = expression(task.keep or "")
    names = [task.keep] if inner is None else columns_of(inner, rows[0].values if rows else {})
    found = set()
    for name in names:
        texts = {value.strip().lower() for row in rows if isinstance(value := row.values.get(name), str)} - {""}
        if texts and texts <= FALSE | TRUE:
            found.add(name)
        elif texts & FALSE and name == (task.keep if inner is None else inner.strip()):
            one, other = sorted(texts & FALSE)[0], sorted(texts - FALSE)[0]
            raise UserError(
                f"keep: the column {name} has {one!r} and also {other[:40]!r}: is the first a text, or false?\n"
                f"hint: say which rows are kept, such as keep: '{{{{ {asked_for(name)} != {json.dumps(one)} }}}}'"
            )
    return found

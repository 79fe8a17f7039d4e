"""Which rows of a dataset count: `keep` of a task file, a column or an expression over columns that is true of them.

In a table of texts, such as a CSV, a word for false or a zero is false, as it is in a file that has types. What may be
meant either way is refused: a flag in other words, or a text that is compared with a number.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from jinja2 import nodes

from ripeness.data.column_uses import (
    all_of,
    check_comparisons,
    column_in,
    guarded,
    is_false,
    is_flag,
    texts_in,
    truth_columns,
)
from ripeness.data.row_values import asked_for, shown, value_of
from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.study.templates import TEMPLATES, columns_of, expression

MOST_WORDS = 5  # in a column of flags; of more different texts it is one of texts


class Word(str):
    """A word for true or false, or a number, as a table of texts has it, which counts as what it says."""

    __slots__ = ()

    def __bool__(self) -> bool:
        """Read the word as true or false."""
        return not is_false(self)


def kept_rows(rows: list[Row], keep: str | None) -> list[tuple[int, Row]]:
    """Select the rows of one source to keep, with their numbers from 1; all of them without `keep`.

    The columns that `keep` asks for may be null, or not there. UserError for what may be meant either way.
    """
    numbered = list(enumerate(rows, 1))
    if keep is None or not rows:
        return numbered
    inner = expression(keep)
    values = column_values(rows, keep) if inner is None else expression_values(rows, inner)
    return [place for place, value in zip(numbered, values, strict=True) if is_true(value)]


def column_values(rows: list[Row], name: str) -> list[Any]:
    """Read the column that alone decides which rows are kept."""
    texts, values = texts_in(rows, name), [row.values.get(name) for row in rows]
    if is_flag(texts):
        return as_words(values)
    check_texts(name, texts, is_alone=True)
    return values


def expression_values(rows: list[Row], inner: str) -> list[Any]:
    """Evaluate an expression for each row; words for false count as false."""
    known = {name for row in rows for name in row.values}
    root = next(TEMPLATES.parse("{{" + inner + "}}").find_all(nodes.Output)).nodes[0]
    check_comparisons("keep", root, rows, known)
    names = asked_columns(root, inner, known)
    truths = {name for name in names if is_flag(texts_in(rows, name))}
    for name in sorted(set(truth_columns(root, known)) - truths):
        check_texts(name, texts_in(rows, name), is_alone=column_in(root, known) == name)
    values = []
    may_lack = guarded(inner)
    for row in rows:
        asked = {name: row.values.get(name) for name in names if name in row.values or name not in may_lack}
        words = {name: Word(value) for name, value in asked.items() if name in truths and isinstance(value, str)}
        values.append(value_of(inner, replace(row, values=row.values | asked | words)))
    if names and truths.issuperset(names):
        return as_words(values)
    check_outcome(inner, values)
    return values


def as_words(values: list[Any]) -> list[Any]:
    """Replace values whose texts count as the truth value that they name."""
    return [Word(value) if isinstance(value, str) else value for value in values]


def is_true(value: Any) -> bool:
    """Return whether a value counts as true; NaN does not."""
    return bool(value) and not (isinstance(value, float) and math.isnan(value))


def asked_columns(root: nodes.Node, inner: str, known: Collection[str]) -> list[str]:
    """List the columns that an expression reads; all known ones, where it uses the whole `row`."""
    named = {name for part in all_of(root) if (name := column_in(part, known)) is not None}
    n_uses = sum(isinstance(part, nodes.Name) and part.name == "row" for part in all_of(root))
    n_named = sum(not isinstance(part, nodes.Name) and column_in(part, known) is not None for part in all_of(root))
    if "row" not in known and n_uses > n_named:
        return sorted(known)
    return sorted({*columns_of(inner, known), *named})


def is_like_flag(texts: Counter[str]) -> bool:
    """Return whether texts look like words for true and false in some language: few, single and repeated words."""
    return (
        0 < len(texts) <= MOST_WORDS
        and texts.total() > len(texts)
        and all(re.fullmatch(r"\w+", text) for text in texts)
    )


def check_texts(name: str, texts: Counter[str], *, is_alone: bool) -> None:
    """Refuse a column of which it cannot be told whether its texts are flags; `is_alone`, it decides by itself."""
    false = sorted(filter(is_false, texts))
    if is_like_flag(texts):
        seen = ", ".join(repr(text[:40]) for text in sorted(texts))
        raise refused(f"the column {shown(name)} has {seen}, none of them known for true or false", name, min(texts))
    if is_alone and false:
        other = next(text for text in sorted(texts) if not is_false(text))
        raise refused(
            f"the column {shown(name)} has {false[0]!r} and also {other[:40]!r}: is the first a text, or false?",
            name,
            false[0],
            sign="!=",
        )


def refused(what: str, name: str, text: str, *, sign: str = "==") -> UserError:
    """Make the error for an ambiguous column."""
    asked = asked_for(name)
    way = f"keep: '{{{{ {asked} {sign} {json.dumps(text, ensure_ascii=False)} }}}}'"
    every = f"'{{{{ {asked} is not none }}}}'"
    return UserError(f"keep: {what}\nhint: say which rows are kept, such as {way}; those that have any text: {every}")


def check_outcome(inner: str, values: list[Any]) -> None:
    """Refuse an expression whose values are words that may be flags, and of which none is left out as empty."""
    texts = Counter(value.strip() for value in values if type(value) is str and value.strip())  # and no Word
    is_split = len(texts) == 1 and not all(values)
    if is_like_flag(texts) and not is_split:
        seen = ", ".join(repr(text[:40]) for text in sorted(texts))
        raise UserError(
            f"keep: the expression {inner.strip()!r} gives the texts {seen}, and every text counts as true\n"
            'hint: compare it with one of them, such as {{ ... == "yes" }}'
        )

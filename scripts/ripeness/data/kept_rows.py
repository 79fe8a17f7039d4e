"""Which rows of a dataset count: `keep` of a task file, a column or an expression over columns that is true of them.

In a table of texts, such as a CSV, a word for false or a zero is false, as it is in a file that has types. What may be
meant either way is refused: a flag in other words, or a text that is compared with a number.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from jinja2 import nodes

from ripeness.data.row_values import asked_for, shown, value_of
from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.study.templates import TEMPLATES, columns_of, expression, of_row

TRUE = {"true", "t", "yes", "y", "on"}
FALSE = {"false", "f", "no", "n", "off", "none", "null", "nan", ""}
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", flags=re.ASCII)
MOST_WORDS = 5  # in a column of flags; of more different texts it is one of texts
TEXT = {"trim", "lower", "upper", "string", "title", "capitalize", "replace"}  # filters that give a text
EQUAL = {"eq": "==", "ne": "!=", "equalto": "==", "==": "==", "!=": "!=", "sameas": "is"}  # names of tests


class Word(str):
    """A word for true or false, or a number, as a table of texts has it, which counts as what it says."""

    __slots__ = ()

    def __bool__(self) -> bool:
        """Read the word as true or false."""
        return not is_false(self)


def is_false(text: str) -> bool:
    """Return whether a text is a word for false, or a zero."""
    word = text.strip().lower()
    return word in FALSE or bool(NUMBER.fullmatch(word) and float(word) == 0)


def is_word(text: str) -> bool:
    """Return whether a text is a word for true or false, or a number."""
    word = text.strip().lower()
    return word in TRUE or word in FALSE or bool(NUMBER.fullmatch(word))


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
    check_comparisons(root, rows, known)
    names = asked_columns(root, inner, known)
    truths = {name for name in names if is_flag(texts_in(rows, name))}
    for name in sorted(set(truth_columns(root, known)) - truths):
        check_texts(name, texts_in(rows, name), is_alone=column_in(root, known) == name)
    values = []
    for row in rows:
        asked = {name: row.values.get(name) for name in names}
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


def all_of(root: nodes.Node) -> Iterator[nodes.Node]:
    """List a part of an expression and all parts within it."""
    yield root
    yield from root.find_all(nodes.Expr)


def column_in(part: nodes.Node, known: Collection[str]) -> str | None:
    """Name the column that a part of an expression reads, as a name, row['a name'], row.name or row.get('a name')."""
    if isinstance(part, nodes.Name):
        return part.name if part.name in known else None
    if "row" in known:
        return None
    if isinstance(part, nodes.Call) and isinstance(part.node, nodes.Getattr) and part.node.attr == "get":
        is_row = isinstance(part.node.node, nodes.Name) and part.node.node.name == "row"
        return part.args[0].value if is_row and part.args and isinstance(part.args[0], nodes.Const) else None
    found = of_row(part)
    return found if found in known or not hasattr(dict, str(found)) else None  # row.values() asks for all of them


def truth_columns(part: nodes.Node, known: Collection[str]) -> Iterator[str]:
    """List the columns that an expression tests for truth, as `a and b` does with both."""
    if (name := column_in(part, known)) is not None:
        yield name
    elif isinstance(part, nodes.And | nodes.Or):
        yield from truth_columns(part.left, known)
        yield from truth_columns(part.right, known)
    elif isinstance(part, nodes.Not):
        yield from truth_columns(part.node, known)
    elif isinstance(part, nodes.CondExpr):
        for inner in filter(None, (part.test, part.expr1, part.expr2)):
            yield from truth_columns(inner, known)


def texts_in(rows: list[Row], name: str) -> Counter[str]:
    """Count the texts of a column that are not empty."""
    texts = (value.strip() for row in rows if isinstance(value := row.values.get(name), str))
    return Counter(text for text in texts if text)


def is_flag(texts: Collection[str]) -> bool:
    """Return whether texts are only words for true and false, or numbers."""
    return bool(texts) and all(map(is_word, texts))


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


def check_comparisons(root: nodes.Node, rows: list[Row], known: Collection[str]) -> None:
    """Refuse to ask whether a column of texts is a number, or one of numbers a text, which it never is."""
    for part in all_of(root):
        for left, sign, right in comparisons(part):
            check_comparison(left, sign, right, rows, known)
            if sign in ("==", "!="):
                check_comparison(right, sign, left, rows, known)


def comparisons(part: nodes.Node) -> Iterator[tuple[nodes.Node, str, nodes.Node]]:
    """List what a part of an expression compares for equality."""
    signs = {"eq": "==", "ne": "!=", "in": "in", "notin": "not in"}
    if isinstance(part, nodes.Compare):
        left = part.expr
        for operand in part.ops:
            if operand.op in signs:
                yield left, signs[operand.op], operand.expr
            left = operand.expr
    elif isinstance(part, nodes.Test) and part.name in EQUAL and part.args:
        yield part.node, EQUAL[part.name], part.args[0]


def check_comparison(
    asked: nodes.Node, sign: str, constant: nodes.Node, rows: list[Row], known: Collection[str]
) -> None:
    """Refuse to compare a column with constants of another kind than all its values are of."""
    is_text = False
    while isinstance(asked, nodes.Filter) and asked.name in TEXT and asked.node is not None:
        asked, is_text = asked.node, True
    name = column_in(asked, known)
    parts = constant.items if isinstance(constant, nodes.List | nodes.Tuple) else [constant]
    wanted = {kind_of(part.value) if isinstance(part, nodes.Const) else "" for part in parts}
    values = [value for row in rows if (value := row.values.get(name)) is not None] if name is not None else []
    found = {"text"} if is_text and values else {kind_of(value) for value in values}
    if {*wanted, *found} != {"text", "number"} or wanted & found:
        return
    meant, name = getattr(parts[0], "value", None), str(name)
    ways = {
        "text": f'a text stands in quotes, "{str(meant).lower()}", or is made a number: {asked_for(name)} | float',
        "number": f"numbers, true and false stand without quotes: {values[0]!r}".lower(),
    }
    never = str(meant).lower() if isinstance(meant, bool) else f"the {min(wanted)} {meant!r}"
    seen = f"is always a {min(found)}, such as {values[0]!r:.60}, and never {never}"
    raise UserError(f"keep: {shown(name)} {seen}, with which {sign!r} compares it\nhint: {ways[min(found)]}")


def kind_of(value: Any) -> str:
    """Return the kind of a value; values of different kinds are never equal."""
    if isinstance(value, str):
        return "text"
    return "number" if isinstance(value, int | float) else type(value).__name__

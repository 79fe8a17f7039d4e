"""How expressions and templates of a task file use columns, and uses that cannot be meant.

In a table of texts, such as a CSV, "0" and "False" are texts: they never equal a number, and each counts as true.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from jinja2 import nodes

from ripeness.data.row_values import asked_for, shown
from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.study.templates import TEMPLATES, of_row

TRUE = {"true", "t", "yes", "y", "on"}
FALSE = {"false", "f", "no", "n", "off", "none", "null", "nan", ""}
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", flags=re.ASCII)
TEXT = {"trim", "lower", "upper", "string", "title", "capitalize", "replace"}  # filters that give a text
EQUAL = {"eq": "==", "ne": "!=", "equalto": "==", "==": "==", "!=": "!=", "sameas": "is"}  # names of tests
MAY_LACK = {"defined", "undefined"}  # tests of a column that may not be there


def guarded(inner: str) -> set[str]:
    """List the columns of which an expression asks whether they are there."""
    tests = TEMPLATES.parse("{{" + inner + "}}").find_all(nodes.Test)
    return {test.node.name for test in tests if test.name in MAY_LACK and isinstance(test.node, nodes.Name)}


def is_false(text: str) -> bool:
    """Return whether a text is a word for false, or a zero."""
    word = text.strip().lower()
    return word in FALSE or bool(NUMBER.fullmatch(word) and float(word) == 0)


def is_word(text: str) -> bool:
    """Return whether a text is a word for true or false, or a number."""
    word = text.strip().lower()
    return word in TRUE or word in FALSE or bool(NUMBER.fullmatch(word))


def texts_in(rows: Sequence[Row], name: str) -> Counter[str]:
    """Count the texts of a column that are not empty."""
    texts = (value.strip() for row in rows if isinstance(value := row.values.get(name), str))
    return Counter(text for text in texts if text)


def is_flag(texts: Collection[str]) -> bool:
    """Return whether texts are only words for true and false, or numbers."""
    return bool(texts) and all(map(is_word, texts))


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


def check_comparisons(key: str, root: nodes.Node, rows: Sequence[Row], known: Collection[str]) -> None:
    """Refuse to ask whether a column of texts is a number, or one of numbers a text, which it never is."""
    for part in all_of(root):
        for left, sign, right in comparisons(part):
            check_comparison(key, left, sign, right, rows, known)
            if sign in ("==", "!="):
                check_comparison(key, right, sign, left, rows, known)


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
    key: str, asked: nodes.Node, sign: str, constant: nodes.Node, rows: Sequence[Row], known: Collection[str]
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
    raise UserError(f"{key}: {shown(name)} {seen}, with which {sign!r} compares it\nhint: {ways[min(found)]}")


def kind_of(value: Any) -> str:
    """Return the kind of a value; values of different kinds are never equal."""
    if isinstance(value, str):
        return "text"
    return "number" if isinstance(value, int | float) else type(value).__name__

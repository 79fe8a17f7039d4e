"""Restrict the Jinja2 of task files: reproducible text, within bounds of time and memory.

Task files may come from others. A template can neither reach the interpreter nor hide a missing variable, has no chance
and no clock, changes nothing, and ends: what it makes is counted in characters, and so many are the most. The count is
of what is done and not of time, so that a template is refused on every machine or on none. Only known parts of the
language are there: no macros, files or recursion; of methods, those of texts, lists and mappings that only read.
"""

import json
import re
import typing as t
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from threading import local
from types import GeneratorType

import markupsafe
from jinja2 import StrictUndefined, Undefined, nodes, pass_context
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError, safe_range
from jinja2.visitor import NodeTransformer

MOST = 50_000_000  # characters that one text may cost
STEP = 50  # characters that a pass of a loop, a call and a part of a list count as
MOST_NUMBER = 1000  # wanted places, columns, digits
MOST_BITS = 10_000  # of a whole number
MOST_LONG = 100_000  # characters of a template

PARTS = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.With, nodes.Name,
    nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Getattr, nodes.Getitem, nodes.Slice,
    nodes.Filter, nodes.Test, nodes.Call, nodes.Keyword, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Neg,
    nodes.Pos, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow, nodes.Concat,
    nodes.Compare, nodes.Operand,
)  # fmt: skip
FILTERS = [
    "abs", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape", "first", "float",
    "format", "groupby", "indent", "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min",
    "reject", "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "slice", "sort",
    "string", "striptags", "sum", "title", "tojson", "trim", "truncate", "unique", "upper", "urlencode",
    "wordcount",
]  # fmt: skip
METHODS: dict[type, set[str]] = {
    str: {
        "capitalize", "casefold", "center", "count", "endswith", "find", "index", "isalnum", "isalpha",
        "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join", "ljust",
        "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust",
        "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title",
        "upper", "zfill",
    },
    list: {"count", "index"},
    tuple: {"count", "index"},
    dict: {"get", "items", "keys", "values"},
    float: {"is_integer"},
    LoopContext: {"cycle", "changed"},
}  # fmt: skip
WIDE = {"batch", "center", "indent", "ljust", "rjust", "round", "slice", "tojson", "zfill"}  # by a number
DATA = (str, int, float, bool, type(None), list, tuple, dict, range, Undefined)
# A width or precision of four digits or given apart, also after the name of a value; or such a name in parentheses.
WIDE_FORMAT = re.compile(r"%(\([^()]*\))?[^%a-zA-Z(]*(\*|\d{4})|%\([^)]*\(")
VIEWS: tuple[type, ...] = (GeneratorType, map, filter, reversed, type({}.keys()), type({}.values()), type({}.items()))
SPENT = local()  # what the text that a thread is making has cost


def begin() -> None:
    """Begin a new text."""
    SPENT.characters = 0


def spend(characters: float) -> None:
    """Count what a text costs. Raises SecurityError if it is too much."""
    SPENT.characters = getattr(SPENT, "characters", 0) + characters
    if SPENT.characters > MOST:
        raise SecurityError("it takes too long, or makes too much text")


def sized(value: object) -> int:
    """Count the characters of a value and all its parts.

    Raises SecurityError for other types, and if it is too large.
    """
    total, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            total += len(part)
        elif isinstance(part, dict):
            total += STEP * len(part)
            waiting += [*part, *part.values()]
        elif isinstance(part, list | tuple):
            total += STEP * len(part)
            waiting += part
        elif not isinstance(part, DATA):
            raise SecurityError(f"{type(part).__name__} is not a text, number, list or mapping")
        elif isinstance(part, int) and part.bit_length() > MOST_BITS:
            raise SecurityError("it makes too large a number")
        if total > MOST:
            raise SecurityError("it makes too much text")
    return total


def measured(value: t.Any) -> t.Any:
    """Return a value, whose size is counted; what can be read only once becomes a list."""
    if isinstance(value, VIEWS):
        value = list(counted(t.cast("Iterable[t.Any]", value)))
    spend(STEP + sized(value))
    return value


def counted(values: Iterable[t.Any]) -> Iterator[t.Any]:
    """Return the parts of what a loop goes through, each counted."""
    for value in values:
        spend(STEP)
        yield value


def looped(values: t.Any) -> t.Any:
    """Return the values of a loop as a list, so that its length is known."""
    return values if isinstance(values, Undefined) else list(counted(values))


def check_growth(name: str, subject: t.Any, more: list[t.Any]) -> None:
    """Count beforehand what filters and methods of this name may make of a value."""
    numbers = [abs(part) for part in more if isinstance(part, int)]
    if name in WIDE:
        if any(number > MOST_NUMBER for number in numbers):
            raise SecurityError(f"{name} by {max(numbers)}; {MOST_NUMBER} is the most")
        texts = [len(part) for part in more if isinstance(part, str)]
        spend((STEP + sized(subject)) * (1 + max(numbers + texts, default=0)))
    elif name == "replace" and len(more) > 1:
        old, new = (len(str(part)) for part in more[:2])
        spend(sized(subject) + (sized(subject) // max(1, old) + 1) * new)
    elif name == "join":
        spend((STEP + sized(subject)) * (1 + sum(len(part) if isinstance(part, str) else sized(part) for part in more)))
    elif name in ("format", "%"):
        if WIDE_FORMAT.search(str(subject)):
            raise SecurityError("too wide a format")
        spend((1 + str(subject).count("%")) * (STEP + sum(map(sized, more))))
    elif name == "sum" and not all(isinstance(part, int | float) for part in subject):
        spend(len(subject) * (STEP + sized(subject)) / 100)  # each sum of lists is a new list
    elif name == "striptags":
        spend(sized(subject) * str(subject).count("<") / 100)


def bounded(name: str, function: Callable[..., t.Any]) -> Callable[..., t.Any]:
    """Return a filter or test whose arguments and value are counted."""

    @wraps(function)
    def within(*args: t.Any, **kwargs: t.Any) -> t.Any:
        given = [measured(value) for value in (args[1:] if hasattr(function, "jinja_pass_arg") else args)]
        check_growth(name, given[0], [*given[1:], *kwargs.values()])
        for value in kwargs.values():
            spend(sized(value))
        before = args[: len(args) - len(given)]
        return measured(function(*before, *given, **kwargs))

    return within


class Bounds(NodeTransformer):
    """Puts counts around what makes values or goes through them; SecurityError for unknown parts of the language."""

    def generic_visit(self, node: nodes.Node, *args: t.Any, **kwargs: t.Any) -> nodes.Node:
        """Visit one part and everything within it."""
        if not isinstance(node, PARTS) or getattr(node, "recursive", False):
            kind = "a recursive loop" if isinstance(node, nodes.For) else type(node).__name__.lower()
            raise SecurityError(f"{kind} is not supported in task files")
        super().generic_visit(node, *args, **kwargs)
        if isinstance(node, nodes.For):
            node.iter = around("looped", t.cast("nodes.Expr", node.iter))
        elif isinstance(node, nodes.Compare | nodes.Operand):
            node.expr = around("measured", node.expr)
        elif isinstance(node, nodes.Concat):
            node.nodes = [around("measured", part) for part in node.nodes]
        is_target = isinstance(node, nodes.Tuple) and node.ctx != "load"
        is_slice = isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice)
        makes = is_slice or isinstance(node, nodes.Concat | nodes.List | nodes.Tuple | nodes.Dict)
        return around("measured", t.cast("nodes.Expr", node)) if makes and not is_target else node


def around(name: str, node: nodes.Expr) -> nodes.Expr:
    """Return a call of one of the counts around an expression."""
    if isinstance(node, nodes.Const):
        return node
    return nodes.Filter(node, f" {name}", [], [], None, None, lineno=node.lineno, environment=node.environment)


def escape(value: t.Any) -> str:
    """Write a value as HTML has it."""
    return str(markupsafe.escape(value))


def tojson(value: t.Any, indent: int | None = None) -> str:
    """Write a value as JSON, with every character as it is."""
    return json.dumps(value, ensure_ascii=False, indent=indent, sort_keys=True)


# Jinja2's own give text marked as HTML, next to which `+` and `format` escape other text; its JSON has no < and no '.
PLAIN: dict[str, Callable[..., t.Any]] = {"safe": str, "e": escape, "escape": escape, "tojson": tojson}


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """The language of task files."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self, filters: dict[str, Callable[..., t.Any]]) -> None:
        """Make the environment with these filters, in addition to those of Jinja2."""
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,  # what a template says is kept to the last line end
            optimized=False,  # nothing is computed before it is counted
            finalize=printed,
            cache_size=0,
        )
        own = {name: self.filters[name] for name in FILTERS} | PLAIN | filters
        self.filters = {name: bounded(name, function) for name, function in own.items()}
        self.filters |= {" measured": measured, " looped": looped}  # no template can call these
        self.tests: dict[str, t.Any] = {name: bounded(name, function) for name, function in self.tests.items()}
        self.globals = {"range": safe_range, "dict": dict}

    def _generate(self, source: nodes.Template, *args: t.Any, **kwargs: t.Any) -> str:
        """Return the Python of a parsed template, with its counts."""
        return super()._generate(Bounds().visit(source), *args, **kwargs)

    def call_binop(self, context: t.Any, operator: str, left: t.Any, right: t.Any) -> t.Any:
        """Return a sum, product, power or format, counted before it is made."""
        sizes = [sized(part) for part in (left, right)]
        if operator in ("*", "**"):
            check_product(operator, left, right, sizes)
        elif operator == "%" and isinstance(left, str):
            check_growth("%", left, [right])
        return measured(super().call_binop(context, operator, left, right))

    def call(self, context: t.Any, function: t.Any, /, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Return the value of a method of data, of range or dict."""
        name, owner = getattr(function, "__name__", ""), getattr(function, "__self__", None)
        known = {method for kind, methods in METHODS.items() if isinstance(owner, kind) for method in methods}
        if function not in (safe_range, dict) and (name not in known or not callable(function)):
            raise SecurityError(f"{name or 'this'} cannot be called")
        given = [measured(value) for value in args]
        for value in kwargs.values():
            spend(sized(value))
        if isinstance(owner, str):
            check_growth(name, owner, [*given, *kwargs.values()])
        if isinstance(owner, str | list | tuple | dict):
            spend(sized(owner))  # which is looked through
        return measured(super().call(context, function, *given, **kwargs))


def check_product(operator: str, left: t.Any, right: t.Any, sizes: list[int]) -> None:
    """Count beforehand what a product or power makes."""
    numbers = [part for part in (left, right) if isinstance(part, int)]
    if len(numbers) == 2:
        bits = abs(left).bit_length() * abs(right) if operator == "**" else sum(part.bit_length() for part in numbers)
        if bits > MOST_BITS:
            raise SecurityError("it makes too large a number")
    elif numbers:
        spend(max(0, numbers[0]) * (max(sizes) + 1))


@pass_context  # so that nothing is printed before it is counted
def printed(context: t.Any, value: t.Any) -> t.Any:
    """Return the text of a value in a template."""
    spend(STEP + sized(value))
    if isinstance(value, list | tuple | dict):
        json.dumps(value, default=str)  # what is missing in it fails, as it does alone
    return value


TROUBLES = (SecurityError, RecursionError, MemoryError, SyntaxError, SystemError)  # of a template, whatever its values

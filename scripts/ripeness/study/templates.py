"""Evaluate Jinja2 in task files: prompts from an item's fields, and values from the columns of a row."""

import random
import re
from collections.abc import Callable, Iterable
from functools import cache
from string import ascii_uppercase
from typing import Any

from jinja2 import Template, TemplateError, TemplateRuntimeError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import SecurityError

from ripeness.runtime.errors import UserError
from ripeness.study import user_patterns
from ripeness.study.bounded_templates import MOST_LONG, TROUBLES, BoundedEnvironment, begin, spend
from ripeness.study.schema import hint

FAILURES = (
    TemplateError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    *TROUBLES,
)
# How people write a line end, a tab and characters by number where YAML and Jinja2 take it for what stands there;
# \times and \rho are of TeX.
ESCAPES = re.compile(r"\\(n|[rt](?![a-z])|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2})")


def letters(n: int) -> list[str]:
    """Return the letters before n options. Raises UserError for more than there are letters."""
    if n > len(ascii_uppercase):
        raise UserError(
            f"{n} options are more than there are letters\n"
            "hint: remove the format `lettered`, or rows with so many options"
        )
    return list(ascii_uppercase[:n])


def lettered(options: list[Any]) -> str:
    """Write options one a line, each after its letter: `A. an oak`."""
    return "\n".join(f"{letter}. {option}" for letter, option in zip(letters(len(options)), options, strict=True))


def shuffled(values: list[Any]) -> list[Any]:
    """Shuffle values by a seed made of the values, so that the order is the same everywhere and always."""
    values = sorted(values, key=str)
    random.Random("\n".join(map(str, values))).shuffle(values)
    return values


def sub(text: str, pattern: str, replacement: str) -> str:
    """Return the text with every match of a regular expression replaced, within a time limit."""

    def expanded(match: Any) -> str:
        found = match.expand(replacement)
        spend(len(found))
        return found

    return user_patterns.sub(pattern, expanded, text)


def turns(text: str, user: str, assistant: str) -> list[dict[str, str]]:
    """Split a conversation into turns {role, content}, each at the start or after an empty line: `Name: words`.

    None where the text begins with neither of the two names.
    """
    roles = {user: "user", assistant: "assistant"}
    before, *parts = re.split(rf"(?:^|\n\n)({'|'.join(map(re.escape, roles))}):", text)
    spoken = zip(parts[::2], parts[1::2], strict=True)
    return [] if before.strip() else [{"role": roles[name], "content": said.strip()} for name, said in spoken]


TEMPLATES = BoundedEnvironment({"lettered": lettered, "shuffled": shuffled, "sub": sub, "turns": turns})


def expression(text: str) -> str | None:
    """Return the expression in the one pair of braces that a text consists of; None for any other text."""
    text = text.strip()
    is_one = text.startswith("{{") and text.endswith("}}") and "{{" not in text[2:]
    return text[2:-2] if is_one else None


@cache
def variables(inner: str) -> list[str]:
    """Return the names that an expression uses."""
    return sorted(meta.find_undeclared_variables(TEMPLATES.parse("{{" + inner + "}}")) - TEMPLATES.globals.keys())


def columns_of(inner: str, known: Iterable[str]) -> list[str]:
    """Return the columns that an expression uses: by name; if none is called `row`, also as row['name'] or row.name."""
    if "row" in known or "row" not in variables(inner):
        return variables(inner)
    return sorted({*variables(inner), *subscripts(inner)} - {"row"})


@cache
def subscripts(inner: str) -> set[str]:
    """Return the columns that an expression uses as row['a name'] or row.name."""
    tree = TEMPLATES.parse("{{" + inner + "}}")
    called = {id(call.node) for call in tree.find_all(nodes.Call)}
    found = (of_row(part) for part in tree.find_all((nodes.Getitem, nodes.Getattr)) if id(part) not in called)
    return {name for name in found if name is not None}


def of_row(part: nodes.Node) -> str | None:
    """Return the column that one part of an expression uses as row['a name'] or row.name; None for another part."""
    if not isinstance(part, nodes.Getitem | nodes.Getattr):
        return None
    if not isinstance(part.node, nodes.Name) or part.node.name != "row":
        return None
    if isinstance(part, nodes.Getattr):
        return part.attr
    return part.arg.value if isinstance(part.arg, nodes.Const) else None


@cache
def compiled(inner: str) -> Callable[..., Any]:
    """Return an expression as a function of its variables; None if it is undefined."""
    return TEMPLATES.compile_expression(inner)


def evaluate(inner: str, values: dict[str, Any]) -> Any:
    """Return the value of an expression, of any type. Raises UserError if it has none."""
    try:
        begin()
        return compiled(inner)(**{name: values[name] for name in variables(inner) if name in values})
    except FAILURES as error:
        raise UserError(
            f"the expression {inner.strip()!r} has no value: {error}\nhint: fix the row or the task file"
        ) from None


@cache
def compiled_template(template: str) -> Template:
    """Return a template, compiled once for all items."""
    return TEMPLATES.from_string(template)


def render(template: str, values: dict[str, Any]) -> str:
    """Fill a template with an item's fields. Raises UserError if it cannot be filled."""
    try:
        begin()
        return compiled_template(template).render(values)
    except FAILURES as error:
        raise UserError(
            f"the template {template!r} cannot be filled with {', '.join(values)}: {error}\n"
            "hint: fix it under `formats` in the task file"
        ) from None


def check_template(where: str, template: str, known: Iterable[str]) -> None:
    """Refuse a template that does not parse, names a variable that is not known or none at all, or reaches too far."""
    known = list(known)
    names = parsed(where, template)
    for name in sorted(names):
        if name not in known:
            near = hint(name, known, otherwise="`fields` says which columns fill the variables")
            raise UserError(f"{where}: unknown variable {name!r}; known are {', '.join(known)}\n{near}")
    plain = "".join(part.data for part in TEMPLATES.parse(template).find_all(nodes.TemplateData))
    check_escapes(where, plain)
    single = next((name for name in known if re.search(rf"\{{\s*{re.escape(name)}\s*\}}", plain)), None)
    if single or not names:
        found = f"{{{single}}} is text, not the field" if single else "every prompt is the same: no field is in it"
        raise UserError(f"{where}: {found}\nhint: two pairs of braces: {{{{ {single or known[0]} }}}}")
    refuse_trouble(where, lambda: TEMPLATES.from_string(template).render(dict.fromkeys(known, "text")))


def check_escapes(where: str, text: str) -> None:
    """Refuse a backslash with a letter where a line end was meant: in YAML only double quotes read it so."""
    if found := ESCAPES.search(text):
        raise UserError(
            f"{where}: {found[0]} is read as {len(found[0])} characters, in {text!r:.100}\n"
            f'hint: YAML reads escapes only in double quotes: "{found[0]}"; if a backslash is meant, '
            "write {{ '\\\\' }} in a template"
        )


def check_value(where: str, text: str) -> None:
    """Refuse what is neither the name of a column nor one expression over columns."""
    if "{{" not in text and "{%" not in text:
        return
    inner = expression(text)
    if inner is None:
        raise UserError(f"{where}: {text!r} is not one expression\nhint: one pair of braces; `~` joins texts")
    parsed(where, text, or_else="a column whose name is no single word: {{ row['Best Answer'] }}")
    refuse_trouble(where, lambda: compiled(inner)(**dict.fromkeys(variables(inner), "text")))


def parsed(where: str, template: str, *, or_else: str = "e.g. {{ text }}") -> set[str]:
    """Return the variables of a template. Raises UserError if it does not parse."""
    if len(template) > MOST_LONG:
        raise UserError(f"{where}: {len(template):,} characters\nhint: a template has at most {MOST_LONG:,}")
    try:
        names = meta.find_undeclared_variables(TEMPLATES.parse(template))
        TEMPLATES.from_string(template)
    except TemplateSyntaxError as error:
        raise UserError(f"{where}: {error.message}\nhint: templates are Jinja2, {or_else}") from None
    except TROUBLES as error:
        raise trouble(where, error) from None
    return names - TEMPLATES.globals.keys()


def refuse_trouble(where: str, attempt: Callable[[], Any]) -> None:
    """Refuse what reaches for Python, has no bounds or is not the same every time, in a trial run on text."""
    try:
        begin()
        attempt()
    except TROUBLES as error:
        raise trouble(where, error) from None
    except user_patterns.PatternError as error:
        raise UserError(f"{where}: {error}\nhint: fix the pattern; nested repeats take the longest") from None
    except OverflowError as error:
        raise trouble(where, SecurityError(str(error))) from None
    except Exception as error:  # noqa: BLE001 (a list or number may stand where this trial has text; items tell)
        if type(error) is TemplateRuntimeError:  # and none of its kinds, such as of a missing value
            raise trouble(where, SecurityError(str(error))) from None


def trouble(where: str, error: BaseException) -> UserError:
    """Make the error for a template that is refused whatever its values are."""
    is_deep = not isinstance(error, SecurityError)
    return UserError(
        f"{where}: {'it is too long or too deeply nested' if is_deep else error}\n"
        "hint: a template may only turn its variables into text, always the same"
    )

"""Refuse a task file whose expressions or templates cannot mean what they say of the rows at hand."""

from collections.abc import Collection, Iterator, Sequence

from jinja2 import nodes

from ripeness.data.column_uses import check_comparisons, guarded, is_false, is_flag, texts_in, truth_columns
from ripeness.data.row_values import asked_for, shown
from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.runtime.wording import hint
from ripeness.study.tasks import Task
from ripeness.study.templates import TEMPLATES, columns_of, expression

# Besides `keep`, which reads words as flags.
KEYS = ("id", "cluster", "label", "options", "answer", "target", "chosen", "rejected")


def check_columns(rows: Sequence[Row], task: Task) -> None:
    """Check the expressions of a task against the rows of all its sources."""
    known = {name for row in rows for name in row.values}
    if task.keep is not None and rows:
        check_known("keep", task.keep, known)
    asked = {key: text for key in KEYS if (text := getattr(task, key)) is not None}
    for key, text in (asked | {f"fields.{name}": text for name, text in task.fields.items()}).items():
        if (inner := expression(text)) is not None:
            check_uses(key, "{{" + inner + "}}", rows, known)


def check_formats(fields: Sequence[Row], task: Task) -> None:
    """Check the templates of a task against the `fields` of all its items."""
    known = {name for row in fields for name in row.values}
    for name, template in task.formats.items():
        check_uses(f"formats.{name}", template, fields, known)


def check_known(key: str, text: str, known: Collection[str]) -> None:
    """Refuse a column that no row of any source has."""
    inner = expression(text)
    names = [text] if inner is None else [name for name in columns_of(inner, known) if name not in guarded(inner)]
    for name in names:
        if name not in known:
            way = (
                f"an expression over columns stands in braces: '{{{{ {text} }}}}'" if inner is None else "fix the name"
            )
            raise UserError(
                f"{key}: no row has a column {name!r}; there are {', '.join(map(shown, sorted(known)))}\n"
                f"{hint(name, sorted(known), otherwise=way)}"
            )


def check_uses(key: str, template: str, rows: Sequence[Row], known: Collection[str]) -> None:
    """Refuse comparisons that are never true, and texts that say false and are tested for truth."""
    root = TEMPLATES.parse(template)
    check_comparisons(key, root, rows, known)
    for name in sorted({name for part in tested(root) for name in truth_columns(part, known)}):
        texts = texts_in(rows, name)
        if is_flag(texts) and (false := sorted(filter(is_false, texts))):
            raise UserError(
                f"{key}: {shown(name)} is tested for truth, but the text {false[0]!r} counts as true\n"
                f"hint: compare it with one of its texts: {asked_for(name)} == {max(texts)!r}"
            )


def tested(root: nodes.Node) -> Iterator[nodes.Node]:
    """List what a template tests for truth."""
    for part in root.find_all((nodes.CondExpr, nodes.If, nodes.Not)):
        if isinstance(part, nodes.Not):
            yield part.node
        elif isinstance(part, nodes.CondExpr | nodes.If):
            yield part.test

"""Datasets as data: read tasks/<name>.yaml and turn an item into a prompt and its answers."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, meta
from jinja2.sandbox import SandboxedEnvironment

from ripeness.config import check_config, hint, read_yaml
from ripeness.errors import UserError

SCHEMA = Path(__file__).parents[2] / "task.schema.yaml"
# Task files may come from others: a template can neither reach the interpreter nor hide a missing variable.
TEMPLATES = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


@dataclass(frozen=True)
class Task:
    """One task file; task.schema.yaml explains the keys."""

    name: str
    title: str
    source: dict[str, Any]
    kind: str
    fields: dict[str, str]
    formats: dict[str, str]
    metric: str
    licence: str
    max_new_tokens: int
    stop: str
    separator: str
    overlap: str
    homepage: str | None = None
    id: str | None = None
    cluster: str | None = None
    max_characters: int | None = None
    label: str | None = None
    values: dict[Any, str] | None = None
    labels: dict[str, str] | None = None
    options: str | None = None
    answer: str | None = None
    target: str | None = None


def load_task(name: str, folder: Path, *, overrides: dict[str, Any]) -> Task:
    """Read and check one task file; `overrides` replace its keys. UserError for the first thing wrong."""
    path = Path(folder) / f"{name}.yaml"
    if not path.exists():
        known = sorted(other.stem for other in Path(folder).glob("*.yaml"))
        raise UserError(f"unknown dataset {name!r}; known are {', '.join(known)}\n{hint(name, known)}")
    try:
        values = check_config(read_yaml(path) | overrides, SCHEMA)
    except UserError as error:
        raise UserError(f"tasks/{name}.yaml: {error}") from None
    known = {field.name for field in fields(Task)}
    task = Task(**{key: value for key, value in values.items() if key in known})
    check_task(task)
    return task


def check_task(task: Task) -> None:
    """Refuse a task whose keys contradict each other."""
    where = f"tasks/{task.name}.yaml"
    ways = {
        "choice": [("label", "labels"), ("options", "answer")],
        "generation": [("target",)],
    }[task.kind]
    if sum(all(getattr(task, key) for key in way) for way in ways) != 1:
        raise UserError(
            f"{where}: a {task.kind} task needs {' or '.join(' and '.join(map(repr, way)) for way in ways)}\n"
            "hint: task.schema.yaml explains every key"
        )
    for value, label in (task.values or {}).items():
        if label not in (task.labels or {}):
            raise UserError(
                f"{where}: the value {value!r} stands for the label {label!r}, which has no word; labels with words are "
                f"{', '.join(task.labels or {})}\nhint: add it under `labels`"
            )
    source_kinds = [kind for kind in ("train", "hub", "world") if kind in task.source]
    if len(source_kinds) != 1:
        raise UserError(
            f"{where}: `source` has {len(source_kinds)} of: files (train, validation, test), hub, world\n"
            "hint: exactly one of them"
        )
    needed = {"train": ["train", "validation", "test"], "hub": ["revision", "splits"], "world": []}[source_kinds[0]]
    if missing := [key for key in needed if key not in task.source]:
        raise UserError(f"{where}: `source` lacks {', '.join(missing)}\nhint: task.schema.yaml explains every key")
    for format_, template in task.formats.items():
        check_template(f"{where}: formats.{format_}", template, task)


def check_template(where: str, template: str, task: Task) -> None:
    """Refuse a template that does not parse or names a variable that the task does not fill."""
    try:
        names = meta.find_undeclared_variables(TEMPLATES.parse(template))
    except TemplateSyntaxError as error:
        raise UserError(f"{where}: {error.message}\nhint: templates are Jinja2, e.g. {{{{ text }}}}") from None
    known = [*task.fields, *(["options"] if task.options else [])]
    for name in sorted(names):
        if name not in known:
            raise UserError(f"{where}: unknown variable {name!r}; known are {', '.join(known)}\n{hint(name, known)}")


def render(template: str, values: dict[str, Any]) -> str:
    """Fill a template with an item's fields."""
    return TEMPLATES.from_string(template).render(values)


def glued(prompt: str, answer: str) -> str:
    """The answer as it follows the prompt: with a space between unless one side brings white space."""
    if not prompt or prompt[-1].isspace() or not answer or answer[0].isspace():
        return answer
    return f" {answer}"

"""Read tasks/<name>.yaml, and refuse keys that contradict each other."""

import re
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.project import ROOT, searched
from ripeness.study.equal_options import composed, plain
from ripeness.study.joined_sources import files_of, parts_of
from ripeness.study.schema import check_config, hint, read_yaml
from ripeness.study.scoring.metrics import BY_NAME, primary_metrics
from ripeness.study.templates import check_escapes, check_template, check_value, expression
from ripeness.study.user_patterns import check_group, check_pattern

SCHEMA = ROOT / "task.schema.yaml"
CHAT, LETTERED = "chat", "lettered"  # formats whose answers differ: a turn of the assistant, the letter of an option
# kind of source, by the key that tells it -> the keys that it needs
ROLES = ["train", "validation", "test"]
SOURCES = {"train": ROLES, "hub": ["hub", "revision", "splits"], "world": ["world"]}
SOURCES |= {"github": ["github", "revision", "files", *ROLES]}
EXTRACTED = "exact_match"  # the primary metric of a task with `extract`
# Keys that name a column or an expression.
VALUES = ("id", "cluster", "keep", "label", "options", "answer", "target", "chosen", "rejected")


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
    normalisation: str
    unconditional: str
    homepage: str | None = None
    id: str | None = None
    cluster: str | None = None
    keep: str | None = None
    max_characters: int | None = None
    rows: dict[str, int] | None = None
    label: str | None = None
    values: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    options: str | None = None
    answer: str | None = None
    target: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    extract: str | None = None
    items: dict[str, Any] | None = None
    rouge_words: str = "english"
    image: str | None = None
    pictures: str | None = None
    view_of: str | None = None
    reward: list[dict[str, Any]] | None = None


def load_task(name: str, folder: Path, *, overrides: dict[str, Any]) -> Task:
    """Read and check one task file; `overrides` replace its keys. Raises UserError for the first thing wrong.

    Of the project's folder, a file of the same name in the user's own tasks/ comes first.
    """
    folders = searched(Path(folder))
    path = next((path for path in (place / f"{name}.yaml" for place in folders) if path.exists()), None)
    if path is None:
        known = sorted({other.stem for place in folders for other in place.glob("*.yaml")})
        near = hint(name, known, otherwise=f"every dataset is a file in tasks/; there is no tasks/{name}.yaml")
        raise UserError(f"unknown dataset {name!r}; known are {', '.join(known)}\n{near}")
    where = f"tasks/{name}.yaml" + (f" with {', '.join(overrides)} of the study" if overrides else "")
    try:
        keys = check_config(read_yaml(path) | overrides, SCHEMA)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if keys["name"] != name:
        raise UserError(f"{where}: the name is {keys['name']!r}\nhint: it must be that of the file, {name!r}")
    if "values" in keys:
        # as text, since settings reach the programs as JSON, in which every key is text
        keys["values"] = {value_text(value): label for value, label in keys["values"].items()}
    names = {field.name for field in fields(Task)}
    task = Task(**{key: value for key, value in keys.items() if key in names})
    check_task(where, task)
    return task


def as_mapping(task: Task) -> dict[str, Any]:
    """Return a task's keys; of those that few tasks have the given ones, so that they rerun nothing of other tasks."""
    of_few = ("image", "pictures", "view_of", "reward", "chosen", "rejected")
    return {key: value for key, value in asdict(task).items() if key not in of_few or value is not None}


def read_task(keys: dict[str, Any]) -> Task:
    """Return a task from its JSON form, as dataset_lookups gives it.

    Raises UserError for a key that is unknown or missing.
    """
    defaults = {field.name: field.default for field in fields(Task)}
    unknown = sorted(keys.keys() - defaults.keys())
    missing = [name for name, default in defaults.items() if default is MISSING and name not in keys]
    if unknown or missing:
        raise UserError(
            f"the task: unknown {', '.join(unknown) or 'none'}; missing {', '.join(missing) or 'none'}\n"
            f"hint: the keys are {', '.join(defaults)}"
        )
    return Task(**keys)


def value_text(value: object) -> str:
    """Write a value of a label column as text, the same from JSON, YAML, Parquet and CSV and in any form of Unicode."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else composed(str(value))


def check_task(where: str, task: Task) -> None:
    """Refuse a task whose keys contradict each other."""
    all_ways: dict[str, list[tuple[str, ...]]] = {
        "choice": [("label", "labels"), ("options", "answer")],
        "generation": [("target",)],
        "preference": [("chosen", "rejected")],
    }
    ways = all_ways[task.kind]
    if sum(all(getattr(task, key) for key in way) for way in ways) != 1:
        raise UserError(
            f"{where}: a {task.kind} task needs {' or '.join(' and '.join(map(repr, way)) for way in ways)}\n"
            "hint: task.schema.yaml explains every key"
        )
    words = [plain(word) for word in (task.labels or {}).values()]  # a space before them is put where it lacks
    if not all(words):
        raise UserError(f"{where}: a label has an empty answer text: {task.labels}\nhint: this text is what is scored")
    if repeated := [word for word in words if words.count(word) > 1]:
        raise UserError(
            f"{where}: two labels have the answer text {repeated[0]!r}\nhint: give each label a text of its own"
        )
    for value, label in (task.values or {}).items():
        if label not in (task.labels or {}):
            raise UserError(
                f"{where}: the value {value!r} maps to the label {label!r}, which has no answer text; defined labels "
                f"are {', '.join(task.labels or {}) or 'none'}\n"
                "hint: add it under `labels`; yes and no need quotes in YAML"
            )
    check_source(where, task.source)
    check_pictures(where, task)
    check_wording(where, task)
    check_extract(where, task)
    check_reward(where, task)
    check_metric(where, task)


def check_metric(where: str, task: Task) -> None:
    """Refuse a primary metric that is unknown, of another kind, or not that of the answer that `extract` finds."""
    known = primary_metrics(task.kind) if task.extract is None else [EXTRACTED]
    if task.metric in known:
        return
    if task.metric not in BY_NAME:
        near = hint(task.metric, known, otherwise=f"it is {' or '.join(map(repr, known))}")
        raise UserError(f"{where}: metric {task.metric!r} is not one of {', '.join(known)}\n{near}")
    reason = f"a {task.kind} task" if task.extract is None else "a task with `extract`"
    raise UserError(
        f"{where}: metric {task.metric!r} does not fit {reason}\nhint: it is {' or '.join(map(repr, known))}"
    )


def check_pictures(where: str, task: Task) -> None:
    """Refuse pictures of GitHub, an expression for them, and a control of pictures where there are none."""
    if task.pictures and not task.image:
        raise UserError(f"{where}: `pictures: {task.pictures}` is for a task with `image`\nhint: name its column")
    if task.image and expression(task.image) is not None:
        raise UserError(f"{where}: image: {task.image!r} is an expression\nhint: name the column with the picture")
    if "images" in task.source and not task.image:
        raise UserError(f"{where}: `source.images` is for a task with `image`\nhint: name the column with the picture")
    if task.image and "github" in task.source:
        raise UserError(
            f"{where}: pictures are read from files on disk, or from the hub\n"
            "hint: save the rows as Parquet, or as JSONL with paths of pictures, and name these files under `source`"
        )


def check_wording(where: str, task: Task) -> None:
    """Refuse expressions and templates that could not be filled, and letters where there are no options."""
    for name, value in task.fields.items():
        check_value(f"{where}: fields.{name}", value)
    for key in VALUES:
        check_value(f"{where}: {key}", getattr(task, key) or "")
    if task.kind == "choice" and "options" in task.fields:
        raise UserError(
            f"{where}: fields.options: in a choice, `options` are those that a model chooses among\n"
            "hint: give the field another name, such as `listed`; `options` names the column with a list of options"
        )
    if task.kind != "choice" and LETTERED in task.formats:
        raise UserError(f"{where}: formats.{LETTERED}: a {task.kind} task has no options\nhint: remove this format")
    if task.kind != "choice" and task.normalisation != "none":
        raise UserError(
            f"{where}: `normalisation` applies to options, and a {task.kind} task has none\nhint: remove it"
        )
    if task.kind != "generation" and task.rouge_words != "english":
        raise UserError(
            f"{where}: `rouge_words` applies to generated text, and a {task.kind} task has none\nhint: remove it"
        )
    words = {f"labels.{label}": word for label, word in (task.labels or {}).items()}
    texts = {"stop": task.stop, "separator": task.separator, "unconditional": task.unconditional}
    for name, text in (words | texts).items():
        check_escapes(f"{where}: {name}", text)
    known = [*task.fields, *(["options"] if task.kind == "choice" else [])]
    for format_, template in task.formats.items():
        check_template(f"{where}: formats.{format_}", template, known)


def check_extract(where: str, task: Task) -> None:
    """Refuse a regular expression that finds nothing, or where nothing is generated."""
    if task.extract is None:
        return
    if task.kind != "generation":
        raise UserError(f"{where}: `extract` applies to generated text, not to a {task.kind} task\nhint: remove it")
    check_group(f"{where}: extract", task.extract)


def check_reward(where: str, task: Task) -> None:
    """Refuse regular expressions that do not parse, or where no text is written."""
    if task.reward and task.kind == "choice":
        raise UserError(f"{where}: `reward` is of texts, and a choice task has none\nhint: remove it")
    for number, one in enumerate(task.reward or []):
        check_pattern(f"{where}: reward[{number}].find", one["find"])


def sizes_of(task: Task, items: dict[str, Any]) -> dict[str, Any]:
    """Return how many items of a dataset are drawn, and the source of its shots: its own keys override the study's."""
    return items | (task.items or {})


def normalisation_of(task: Task, format_: str) -> str:
    """Return how log-likelihoods of options are normalised in one format; letters are not normalised."""
    return "none" if format_ == LETTERED else task.normalisation


def check_source(where: str, source: dict[str, Any]) -> None:
    """Refuse a source that names no place, or two, or cannot be taken apart."""
    kinds = [kind for kind in SOURCES if kind in source and not (kind == "train" and "github" in source)]
    if len(kinds) != 1:
        raise UserError(
            f"{where}: `source` is {' and '.join(kinds) or 'empty'}; it must be one of files (train, validation, "
            "test), hub, github, world\nhint: task.schema.yaml explains every key"
        )
    needed = SOURCES[kinds[0]]
    if missing := [key for key in needed if key not in source]:
        raise UserError(f"{where}: `source` lacks {', '.join(missing)}\nhint: task.schema.yaml explains every key")
    more = {"hub": {"config", "images"}, "world": {"seed"}}.get(kinds[0], set())
    if strange := sorted(source.keys() - {*needed, *more}):
        raise UserError(f"{where}: `source` has {kinds[0]!r} and also {', '.join(strange)}\nhint: remove one of them")
    if kinds[0] != "world":
        check_parts(where, source)


def check_parts(where: str, source: dict[str, Any]) -> None:
    """Refuse roles whose splits or files are empty, duplicate, unknown, or a part of what another role has."""
    named = source.get("splits", source)
    roles = {named[role]: parts_of(source, named[role]) for role in ROLES}
    for text, parts in roles.items():
        if not all(parts) or len(set(parts)) < len(parts):
            raise UserError(
                f"{where}: source: {text!r} has an empty or a duplicate part\nhint: `+` joins different splits or files"
            )
        for other, others in roles.items():
            if other != text and (shared := sorted({*parts} & {*others})):
                raise UserError(
                    f"{where}: source: {text!r} and {other!r} share {', '.join(shared)}\n"
                    "hint: roles share all splits or files, and then get disjoint rows, or none"
                )
    if "github" not in source:
        return
    if not re.fullmatch("[0-9a-f]{40}", source["revision"]):
        raise UserError(
            f"{where}: source.revision: {source['revision']!r} is not a commit\n"
            "hint: give the 40 hexadecimal digits that GitHub shows for the commit"
        )
    for part in dict.fromkeys(part for parts in roles.values() for part in parts):
        if part not in source["files"]:
            near = hint(part, list(source["files"]), otherwise="`files` gives each path a name")
            raise UserError(f"{where}: source: unknown file {part!r}; known are {', '.join(source['files'])}\n{near}")


def files_by_role(task: Task) -> list[tuple[str, str]]:
    """List (role, path) of every file on disk that a dataset is read from."""
    if "train" not in task.source or "github" in task.source:
        return []
    return [(role, path) for role in ("train", "validation", "test") for path in files_of(task.source[role])]

"""From a dataset's rows to items: the same ids, fields and gold answers for every format, checkpoint and method."""

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ripeness.errors import UserError
from ripeness.rows import Row
from ripeness.tasks import Task, glued, render

ROLES = (
    "test",
    "validation",
    "shots",
    "train",
)  # evaluation is drawn first, so training never takes its rows


@dataclass(frozen=True)
class Item:
    """One question of a dataset. `choices` are label names or option texts; `gold` is an index into them.

    A generation item has no choices and gold -1; its `target` is the text to be generated.
    """

    id: str
    cluster: str
    fields: dict[str, Any]
    choices: list[str]
    gold: int
    target: str


def item_of(row: Row, task: Task, number: str) -> Item:
    """Read one row; UserError naming the file and line where a field is missing or a label has no word."""
    fields = {name: column(row, name_in_row) for name, name_in_row in task.fields.items()}
    identity = str(column(row, task.id)) if task.id else number
    cluster = short(str(column(row, task.cluster))) if task.cluster else identity
    if task.kind == "generation":
        return Item(identity, cluster, fields, [], -1, str(column(row, task.target)))
    if task.labels:
        choices, label = list(task.labels), label_of(row, task)
        return Item(identity, cluster, fields, choices, choices.index(label), label)
    choices = [str(option) for option in as_list(row, task.options)]
    answer = column(row, task.answer)
    if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer < len(choices):
        raise UserError(
            f"{row.where}: {task.answer} is {answer!r}, but there are {len(choices)} options, numbered from 0\n"
            "hint: `answer` names the column with the index of the right option"
        )
    return Item(identity, cluster, {**fields, "options": choices}, choices, answer, choices[answer])


def short(text: str) -> str:
    """A name for what items share: the text itself, or a digest where it is a whole passage."""
    return text if len(text) <= 40 else hashlib.sha256(text.encode()).hexdigest()[:16]


def column(row: Row, name: str | None) -> Any:
    """The value of a column; UserError when the row lacks it or it is null."""
    value = row.values.get(name)
    if value is None:
        raise UserError(
            f"{row.where}: the row has no {name!r}; it has {', '.join(sorted(row.values)) or 'nothing'}\n"
            "hint: mend the row, or the column names in the task file"
        )
    return value


def as_list(row: Row, name: str | None) -> list:
    """The value of a column that must hold at least two options."""
    value = column(row, name)
    if not isinstance(value, list) or len(value) < 2:
        raise UserError(f"{row.where}: {name} is {value!r}, not a list of two or more options\nhint: mend the row")
    return value


def label_of(row: Row, task: Task) -> str:
    """The label name of a row."""
    value = str(column(row, task.label))
    names = {str(key): name for key, name in (task.values or {}).items()}
    label = names.get(value, value)
    if label not in task.labels:
        raise UserError(
            f"{row.where}: the label {value!r} has no word; labels with words are {', '.join(task.labels)}\n"
            f"hint: add it under `labels` (or `values`) in tasks/{task.name}.yaml; -1 usually marks an unlabelled split"
        )
    return label


def content(item: Item) -> str:
    """A digest of what an item asks and answers, equal for the same question under two ids."""
    text = json.dumps([item.fields, item.choices, item.target], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def draw_items(rows: dict[str, list[Row]], task: Task, *, sizes: dict[str, int]) -> dict[str, list[Item]]:
    """Draw the items of every role, disjoint, by seed.

    rows: the rows of each source, and in `task.source` which source serves which role.
    sizes: items wanted for train, validation, test and shots, and the seed of the draw. Fewer are taken when a source
    has fewer; none is an error, as are duplicate ids and evaluation rows that also stand in training.
    """
    sources = {role: source_of(role, task) for role in ROLES}
    items = {source: read_items(rows[source], task, source) for source in dict.fromkeys(sources.values())}
    check_ids(items)
    for source, pool in items.items():
        random.Random(f"{sizes['seed']}-{source}").shuffle(pool)
    drawn: dict[str, list[Item]] = {}
    for role in ROLES:
        pool = items[sources[role]]
        drawn[role], items[sources[role]] = pool[: sizes[role]], pool[sizes[role] :]
        if role == "train":
            drawn[role] = without_overlap(drawn, task)
        if not drawn[role]:
            raise UserError(
                f"dataset {task.name!r}: no rows are left for {role} in {sources[role]}\n"
                "hint: the source is empty or too small; lower `items` in the study or name another split"
            )
    return drawn


def source_of(role: str, task: Task) -> str:
    """The file, published split or generated split that serves a role; shots come from the training rows."""
    split = "train" if role == "shots" else role
    if "hub" in task.source:
        return task.source["splits"][split]
    return task.source.get(split, split)


def read_items(rows: list[Row], task: Task, source: str) -> list[Item]:
    """Read every row of a source; the ones that are too long are left out, the same for every model."""
    name = source.rsplit("/", 1)[-1]
    items = [item_of(row, task, f"{name}:{number}") for number, row in enumerate(rows, 1)]
    return [item for item in items if task.max_characters is None or n_characters(item) <= task.max_characters]


def n_characters(item: Item) -> int:
    """Characters of an item's fields and of its longest answer."""
    return sum(len(str(value)) for value in item.fields.values()) + max(map(len, [item.target, *item.choices]))


def check_ids(items: dict[str, list[Item]]) -> None:
    """Refuse an id that two rows bear, within a source or over sources."""
    seen: dict[str, str] = {}
    for source, pool in items.items():
        for item in pool:
            if item.id in seen:
                raise UserError(
                    f"the id {item.id!r} is there twice, in {seen[item.id]} and in {source}\n"
                    "hint: ids pair items over checkpoints and must be unique over all splits; remove `id` from the "
                    "task file to number the rows instead"
                )
            seen[item.id] = source


def without_overlap(drawn: dict[str, list[Item]], task: Task) -> list[Item]:
    """The training items that are neither in test, validation nor shots; refused unless the task says drop."""
    held = {content(item): (role, item.id) for role in ("test", "validation", "shots") for item in drawn[role]}
    clean = [item for item in drawn["train"] if content(item) not in held]
    overlapping = [item for item in drawn["train"] if content(item) in held]
    if overlapping and task.overlap == "refuse":
        role, other = held[content(overlapping[0])]
        raise UserError(
            f"dataset {task.name!r}: {len(overlapping)} training rows also stand among the items held out, e.g. "
            f"{overlapping[0].id!r} is {other!r} of {role}\n"
            "hint: mend the splits, or set `overlap: drop` in the task file to leave such rows out of training"
        )
    return clean


def examples(items: list[Item], task: Task, format_: str) -> Iterator[dict[str, Any]]:
    """Render items in one format: rows of ripeness.tables.EXAMPLES."""
    for item in items:
        prompt = render(task.formats[format_], item.fields)
        choices = [glued(prompt, task.labels[name] if task.labels else name) for name in item.choices]
        target = choices[item.gold] if choices else glued(prompt, item.target)
        yield {
            "item": item.id,
            "cluster": item.cluster,
            "prompt": prompt,
            "choices": choices,
            "gold": item.gold,
            "target": target,
        }

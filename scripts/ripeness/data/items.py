"""From a dataset's rows to items: the same ids, fields and gold answers for every format, checkpoint and method."""

import hashlib
import json
import random
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ripeness.data.kept_rows import kept_rows
from ripeness.data.role_shares import shares
from ripeness.data.row_values import asked_for, column
from ripeness.data.rows import Row
from ripeness.data.task_columns import check_columns, check_formats
from ripeness.runtime.errors import UserError
from ripeness.study.equal_options import composed, plain
from ripeness.study.tasks import Task, value_text
from ripeness.study.templates import expression

ROLES = (
    "test",
    "validation",
    "shots",
    "train",
)  # evaluation is drawn first, so training never takes its rows
SIGNS = ("; ", ";", " | ", "|", "\n", "\t", ", ")  # that may stand between options in one text


@dataclass(frozen=True)
class Item:
    """One question of a dataset. `choices` are label names or option texts; `gold` is an index into them.

    A preference item has two, the better and the worse answer, either one first. A generation item has no choices and
    gold -1; its `target` is the text to be generated, `references` are all texts that are right. `picture` names the
    picture that is asked about, if any.
    """

    id: str
    cluster: str
    fields: dict[str, Any]
    choices: list[str]
    gold: int
    target: str
    references: list[str]
    picture: str = ""


def item_of(row: Row, task: Task, number: str) -> Item:
    """Read one row; UserError naming the file and line where a field is missing or a label has no word."""
    item = item_without_picture(row, task, number)
    return replace(item, picture=str(column(row, task.image))) if task.image else item


def item_without_picture(row: Row, task: Task, number: str) -> Item:
    """Read the text of one row."""
    fields = {name: column(row, name_in_row) for name, name_in_row in task.fields.items()}
    identity = str(column(row, task.id)) if task.id else number
    cluster = short(str(column(row, task.cluster))) if task.cluster else identity
    if task.kind == "generation":
        answers = references(row, task)
        return Item(identity, cluster, fields, [], -1, answers[0], answers)
    if task.kind == "preference":
        return preference(row, task, Item(identity, cluster, fields, [], -1, "", []))
    if task.labels:
        choices, label = list(task.labels), label_of(row, task, task.labels)
        return Item(identity, cluster, fields, choices, choices.index(label), label, [])
    choices = [as_text(row, task.options, option) for option in as_list(row, key_of(task, "options"))]
    gold = place_of(replace(row, values=row.values | {"options": choices}), task, len(choices))
    return Item(identity, cluster, {**fields, "options": choices}, choices, gold, choices[gold], [])


def preference(row: Row, task: Task, item: Item) -> Item:
    """Give an item a better and a worse answer, either one first; UserError where none is better."""
    better, worse = (
        as_text(row, getattr(task, key), column(row, key_of(task, key))).strip() for key in ("chosen", "rejected")
    )
    if not better or not worse or plain(better) == plain(worse):
        raise UserError(
            f"{row.where}: {task.chosen} and {task.rejected} are {better!r:.40} and {worse!r:.40}, of which none is "
            "better\nhint: fix the row, or leave such rows out with `keep`"
        )
    gold = int(hashlib.sha256(f"{better}\0{worse}".encode()).hexdigest(), 16) % 2  # the same for the same question
    choices = [worse, better] if gold else [better, worse]
    return replace(item, choices=choices, gold=gold, target=better)


def key_of(task: Task, key: str) -> str:
    """Read a key of a task that its kind requires; UserError where it is missing."""
    text = getattr(task, key)
    if text is None:
        raise UserError(f"dataset {task.name!r} has no {key!r}\nhint: task.schema.yaml explains every key")
    return text


def references(row: Row, task: Task) -> list[str]:
    """List the right answers of a row; the first one is learned."""
    value = column(row, key_of(task, "target"))
    answers = [as_text(row, task.target, answer) for answer in (value if isinstance(value, list) else [value])]
    if not answers or not all(map(str.strip, answers)):
        raise UserError(
            f"{row.where}: {task.target} is {value!r}, not one or more texts\n"
            "hint: fix the row; a list without answers usually marks an unlabelled split"
        )
    return answers


def as_text(row: Row, name: str | None, value: Any) -> str:
    """Write an option or an answer as text; UserError for a value that has no text of its own."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    words = f"{{{{ 'yes' if {asked_for(name or '')} else 'no' }}}}"
    way = (
        f"give it words: {words}" if isinstance(value, bool) else "an expression over columns can take a text out of it"
    )
    raise UserError(f"{row.where}: {name} has {value!r:.60}, which is no text\nhint: fix the row; {way}")


def place_of(row: Row, task: Task, n: int) -> int:
    """Read the index of the right option among n, from 0; numbers may be text, as everything in a CSV is."""
    answer = column(row, key_of(task, "answer"))
    if isinstance(answer, str) and answer.isdecimal():
        answer = int(answer)
    if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer < n:
        raise UserError(
            f"{row.where}: {task.answer} is {answer!r}, but there are {n} options, numbered from 0\n"
            "hint: `answer` names the column with the place of the right option, or is an expression that gives it"
        )
    return answer


def short(text: str) -> str:
    """Name a cluster: by its text, or by a digest where the text is long."""
    return text if len(text) <= 40 else hashlib.sha256(text.encode()).hexdigest()[:16]


def as_list(row: Row, name: str) -> list[Any]:
    """Read a column that must hold at least two options, none of them empty."""
    value = column(row, name)
    if not isinstance(value, list) or len(value) < 2:
        raise UserError(
            f"{row.where}: {name} is {value!r}, not a list of two or more options\nhint: {split_hint(name, value)}"
        )
    if any(option is None or not str(option).strip() for option in value):
        raise UserError(f"{row.where}: {name} has an empty option: {value!r}\nhint: fix or leave out the row")
    return value


def split_hint(name: str, value: Any) -> str:
    """Write a hint for options that are no list; for a text that joins them, show how a task file splits it."""
    sign = next((sign for sign in SIGNS if sign in value), None) if isinstance(value, str) else None
    if sign is None or expression(name) is not None:
        return "fix the row"
    return f"to split one text with all options, set options: '{{{{ {asked_for(name)}.split({json.dumps(sign)}) }}}}'"


def label_of(row: Row, task: Task, labels: dict[str, str]) -> str:
    """Read the label name of a row, one of `labels`."""
    value, names = value_text(column(row, key_of(task, "label"))), task.values or {}
    # a CSV may hold True for what YAML and JSON call true
    label = next((names[spelled] for spelled in (value, value.lower()) if spelled in names), value)
    known = {composed(name): name for name in labels}
    if composed(label) not in known:
        raise UserError(
            f"{row.where}: no answer text is defined for label {value!r}; defined labels: {', '.join(labels)}\n"
            f"hint: add it under `labels` (or `values`) in tasks/{task.name}.yaml; -1 usually marks an unlabelled split"
        )
    return known[composed(label)]


def content(item: Item) -> str:
    """Compute a digest of an item's question and answers, equal for the same question under two ids."""
    parts = [item.fields, item.choices, item.target, *filter(None, [item.picture])]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def draw_items(rows: dict[str, list[Row]], task: Task, *, sizes: dict[str, int]) -> dict[str, list[Item]]:
    """Draw the items of every role, disjoint, by seed.

    rows: the rows of each source, and in `task.source` which source serves which role.
    sizes: items wanted for train, validation, test and shots, and the seed of the draw. A source that is too small for
    all roles that it serves is split in proportion to what they want (`shares`). None left for a role is an error, as
    are duplicate ids and rows of one role that also stand in another. With shots_from `test`, shots are the first test
    rows instead, and test items too.
    """
    sources = {role: source_of(role, task) for role in ROLES}
    names = short_names(list(dict.fromkeys(sources.values())))
    check_columns([row for source in names for row in rows[source]], task)
    items = {source: read_items(rows[source], task, name) for source, name in names.items()}
    check_formats([Row(item.fields, item.id) for pool in items.values() for item in pool], task)
    check_ids(items)
    head = items[sources["test"]][: sizes["shots"]] if sizes.get("shots_from") == "test" else []
    for source, pool in items.items():
        random.Random(f"{sizes['seed']}-{source}").shuffle(pool)
    drawn: dict[str, list[Item]] = {"shots": head} if head else {}
    held: dict[str, tuple[str, str]] = {}  # what is asked already -> the role and item that ask it
    for role in ROLES:
        if role in drawn:
            continue
        pool = items[sources[role]]
        wanted = {other: sizes[other] for other in ROLES if other not in drawn and sources[other] == sources[role]}
        n = shares(wanted, n_free(pool, held, task, enough=sum(wanted.values())))[role]
        drawn[role], items[sources[role]] = take(pool, n, held, task)
        check_overlap(drawn[role], role, held, task)
        held |= {content(item): (role, item.id) for item in drawn[role]}
        if not drawn[role]:
            raise UserError(f"dataset {task.name!r}: {none_left(role, sources[role], len(rows[sources[role]]), task)}")
    return drawn


def none_left(role: str, source: str, n: int, task: Task) -> str:
    """Say that a role has no rows, with a hint."""
    limits = [key for key in ("keep", "max_characters") if getattr(task, key) is not None]
    way = f"{' and '.join(limits)} of the task file may leave out too many" if n and limits else "name another split"
    return (
        f"no rows are left for {role} in {source}, which has {n:,}\n"
        f"hint: the source is empty or too small; lower `items` in the study, or {way}"
    )


def n_free(pool: list[Item], held: dict[str, Any], task: Task, *, enough: int) -> int:
    """Count the rows of a pool that can be drawn; with `overlap: drop`, one per question that is not held yet.

    Counting ends at `enough`.
    """
    if task.overlap != "drop":
        return len(pool)
    free: set[str] = set()
    for item in pool:
        if len(free) >= enough:
            break
        free |= {content(item)} - held.keys()
    return len(free)


def source_of(role: str, task: Task) -> str:
    """Name the file or split that serves a role; shots come from the training rows."""
    split = "train" if role == "shots" else role
    if "hub" in task.source:
        return task.source["splits"][split]
    return task.source.get(split, split)


def short_names(sources: list[str]) -> dict[str, str]:
    """Name the sources in ids: file names without folders, unless two files share a name."""
    names = {source: source.rsplit("/", 1)[-1] for source in sources}
    return names if len(set(names.values())) == len(names) else {source: source for source in sources}


def read_items(rows: list[Row], task: Task, name: str) -> list[Item]:
    """Read every row of a source; those that are not kept or too long are left out, the same for every model."""
    items = [item_of(row, task, f"{name}:{number}") for number, row in kept_rows(rows, task.keep)]
    return [item for item in items if task.max_characters is None or n_characters(item) <= task.max_characters]


def n_characters(item: Item) -> int:
    """Count the characters of an item's fields and of its longest answer."""
    return sum(len(str(value)) for value in item.fields.values()) + max(map(len, [item.target, *item.choices]))


def check_ids(items: dict[str, list[Item]]) -> None:
    """Refuse an id that two rows bear, within a source or over sources."""
    seen: dict[str, str] = {}
    for source, pool in items.items():
        for item in pool:
            if item.id in seen:
                raise UserError(
                    f"duplicate id {item.id!r}, in {seen[item.id]} and in {source}\n"
                    "hint: ids pair items over checkpoints and must be unique over all splits; remove `id` from the "
                    "task file to number the rows instead"
                )
            seen[item.id] = source


def take(pool: list[Item], n: int, held: dict[str, Any], task: Task) -> tuple[list[Item], list[Item]]:
    """Take the next `n` items of a pool, and return what is left; with `overlap: drop`, skip those held already."""
    waiting = iter(pool)
    new = (item for item in waiting if task.overlap != "drop" or content(item) not in held)
    taken = list(islice(new, n))
    return taken, list(waiting)


def check_overlap(items: list[Item], role: str, held: dict[str, tuple[str, str]], task: Task) -> None:
    """Refuse a role whose items are asked in another role, too."""
    overlapping = [item for item in items if content(item) in held]
    if overlapping:
        other_role, other = held[content(overlapping[0])]
        rows = "validation" if role == "validation" else "training"  # shots come from the training rows
        raise UserError(
            f"dataset {task.name!r}: {len(overlapping)} {rows} rows are also among the held-out items, e.g. "
            f"{overlapping[0].id!r} is {other!r} of {other_role}\n"
            f"hint: fix the splits, or set `overlap: drop` in the task file to leave such rows out of {rows}"
        )

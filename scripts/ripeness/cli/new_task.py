"""Write a task file from the columns of a user's rows: what is asked, what is answered, and how rows are shared."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ripeness.data.row_files import read_rows
from ripeness.runtime.errors import UserError
from ripeness.runtime.wording import hint
from ripeness.study.tasks import value_text

ANSWERS = (
    *(
        "label",
        "labels",
        "answer",
        "answers",
        "target",
        "gold",
        "class",
        "category",
        "output",
        "completion",
        "response",
    ),
    *("summary", "translation", "sentiment", "y"),
)
OPTIONS = ("options", "choices", "candidates", "endings")
NO_INPUT = re.compile(r"(id|idx|index|uid|uuid|guid|split|url|source|.*_id)", re.IGNORECASE)
MOST_LABELS = 20
ROWS_A_LABEL = 5  # at least, on average; fewer are answers of their own
LONG_WORDS = 5  # of a typical answer; longer ones are compared by their words
MOST_NEW_TOKENS = 256
TEST, VALIDATION, SHOTS = 0.4, 0.12, 8  # shares of the rows of one file, and examples before a question
MOST = {"train": 2000, "validation": 200, "test": 1000}
FEWEST_ROWS = 20
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Columns:
    """What the columns of rows are for: `answer` holds the right answer, `options` the options of a row, if any."""

    inputs: tuple[str, ...]
    answer: str
    options: str | None = None


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Read the rows; UserError for too few of them."""
    rows = list(read_rows(path).values())
    if len(rows) < FEWEST_ROWS:
        raise UserError(
            f"{path}: {len(rows)} rows are too few to tune and to test a model\nhint: {FEWEST_ROWS} at least; 200 show "
            "large differences only, 1,000 show those of 5 points"
        )
    return rows


def guessed(rows: Rows, *, answer: str | None = None, inputs: Sequence[str] = ()) -> Columns:
    """Say what the columns are for, by their names and values; what is given wins. UserError where nothing tells."""
    known = list(dict.fromkeys(name for row in rows for name in row))
    for name in [*inputs, *([answer] if answer else [])]:
        if name not in known:
            near = hint(name, known, otherwise="columns are named as in the file")
            raise UserError(f"there is no column {name!r}; there are {', '.join(known)}\n{near}")
    options = next((name for name in OPTIONS if name in known and is_list(rows, name)), None)
    lower = {name.lower(): name for name in reversed(known)}
    found = answer or next((lower[name] for name in ANSWERS if name in lower), None)
    if found is None:
        raise UserError(
            f"which column holds the right answer? There are {', '.join(known)}\nhint: --answer {known[-1]}"
        )
    others = [name for name in known if name not in (found, options) and not NO_INPUT.fullmatch(name)]
    asked = tuple(inputs) or tuple(name for name in others if is_text(rows, name))
    if not asked:
        raise UserError(
            f"no column besides {found!r} holds text to be asked; there are {', '.join(known)}\nhint: --input COLUMN"
        )
    return Columns(asked, found, options)


def is_list(rows: Rows, name: str) -> bool:
    """Say whether a column holds lists."""
    return all(isinstance(row.get(name), list) for row in rows)


def is_text(rows: Rows, name: str) -> bool:
    """Say whether a column holds text in most rows."""
    return sum(isinstance(row.get(name), str) for row in rows) > len(rows) / 2


def task_of(
    name: str, rows: Rows, columns: Columns, source: Mapping[str, str], *, template: str | None
) -> dict[str, Any]:
    """Return the keys of the task file."""
    fields = {variable(column): column for column in columns.inputs}
    task: dict[str, Any] = {
        "name": name,
        "title": f"Rows of {Path(source['train']).name}",
        "source": dict(source),
        **answered(rows, columns),
        "fields": fields,
        "overlap": "drop",
        "licence": "not stated",
        "formats": {"default": template or default_template(fields)},
    }
    return task


def answered(rows: Rows, columns: Columns) -> dict[str, Any]:
    """Return the keys on the answer: options of a row, labels that are the same for all, or text."""
    values = [row.get(columns.answer) for row in rows]
    if columns.options is not None:
        is_place = all(isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) for value in values)
        answer = columns.answer if is_place else f"{{{{ options.index(row['{columns.answer}']) }}}}"
        return {"kind": "choice", "options": columns.options, "answer": answer, "metric": "accuracy"}
    if any(value is None for value in values):
        n = sum(value is None for value in values)
        raise UserError(f"{columns.answer}: {n} of {len(rows)} rows have no answer\nhint: leave them out of the file")
    texts = [value_text(value) for value in values if not isinstance(value, list)]
    labels = sorted(set(texts))
    if len(texts) == len(values) and 2 <= len(labels) <= MOST_LABELS and len(rows) >= ROWS_A_LABEL * len(labels):
        words = {label: f" {label}" for label in labels}
        return {"kind": "choice", "label": columns.answer, "labels": words, "metric": "accuracy"}
    answers = [value_text(value[0] if isinstance(value, list) else value) for value in values]
    typical = sorted(len(text.split()) for text in answers)[len(answers) // 2]
    n_tokens = min(MOST_NEW_TOKENS, max(16, max(map(len, answers)) // 2))
    metric = "rouge_l" if typical > LONG_WORDS else "exact_match"
    stop = "" if any("\n" in text.strip() for text in answers) else "\n"
    return {"kind": "generation", "target": columns.answer, "metric": metric, "max_new_tokens": n_tokens, "stop": stop}


def variable(column: str) -> str:
    """Name a column as a variable of a template."""
    word = re.sub(r"\W+", "_", column).strip("_").lower()
    return word if word and not word[0].isdigit() else f"column_{word}"


def default_template(fields: Mapping[str, str]) -> str:
    """Write the prompt: the text alone where there is one column, else each after its name."""
    if len(fields) == 1:
        lines = [f"{{{{ {name} }}}}" for name in fields]
    else:
        lines = [f"{name.replace('_', ' ').capitalize()}: {{{{ {name} }}}}" for name in fields]
    return "\n".join([*lines, "Answer:"])


def sizes_for(n_rows: int, n_test: int | None) -> dict[str, int]:
    """Share rows among training, validation, test and shots; `n_test`: rows of a test file of its own."""
    test = min(MOST["test"], round(TEST * n_rows) if n_test is None else n_test)
    validation = min(MOST["validation"], max(4, round(VALIDATION * n_rows)))
    shots = min(SHOTS, n_rows // 10)
    left = n_rows - validation - shots - (test if n_test is None else 0)
    return {"train": min(MOST["train"], left), "validation": validation, "test": test, "shots": shots}

"""Write a task file from the columns of a user's rows: what is asked, what is answered, and how rows are shared."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ripeness.cli.new_answers import Rows, answered
from ripeness.data.row_files import read_rows
from ripeness.data.rows import as_read
from ripeness.runtime.errors import UserError
from ripeness.runtime.wording import hint
from ripeness.study.templates import TEMPLATES

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
# What a template reads as a word of its own, or has as a variable of its own.
RESERVED = {"and", "else", "false", "if", "in", "is", "none", "not", "or", "true", "loop", "options", "self"}
RESERVED |= {str(name) for name in TEMPLATES.globals}
TEST, VALIDATION, SHOTS = 0.4, 0.12, 8  # shares of the rows of one file, and examples before a question
MOST = {"train": 2000, "validation": 200, "test": 1000}
FEWEST_ROWS = 20


@dataclass(frozen=True)
class Columns:
    """What the columns of rows are for: `answer` holds the right answer, `options` the options of a row, if any."""

    inputs: tuple[str, ...]
    answer: str
    options: str | None = None


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Read the rows as a study reads them; UserError for too few of them."""
    if not path.exists():
        raise UserError(f"there is no file {path}\nhint: --rows and --test are relative to {Path.cwd()}")
    rows = [as_read(row) for row in read_rows(path).values()]
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
    named = [name for name in OPTIONS if name in known]
    options = next((name for name in named if is_list(rows, name)), None)
    if named and options is None and not inputs and answer != named[0]:
        odd = next(row.get(named[0]) for row in rows if not isinstance(row.get(named[0]), list))
        raise UserError(
            f"{named[0]}: not every row has a list of options; one has {odd!r:.80}\n"
            "hint: save the options of a row as a list of texts; --input names the columns that are asked as they are"
        )
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
    fields = variables(columns.inputs)
    task: dict[str, Any] = {
        "name": name,
        "title": f"Rows of {Path(source['train']).name}",
        "source": dict(source),
        **answered(rows, columns.answer, columns.options),
        "fields": fields,
        "overlap": "drop",
        "licence": "not stated",
        "formats": {"default": template or default_template(fields)},
    }
    return task


def variables(columns: Sequence[str]) -> dict[str, str]:
    """Name columns as variables of a template, each by a name of its own."""
    found: dict[str, str] = {}
    for column in columns:
        name = word = variable(column)
        number = 1
        while name in found or name in RESERVED:
            number += 1
            name = f"{word}_{number}"
        found[name] = column
    return found


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

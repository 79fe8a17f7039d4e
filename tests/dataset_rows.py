"""Read tests/rows/<task>.yaml: invented rows of a published dataset, the wording expected of some, and published facts.

Keys of a file:
- rows: a dozen rows in the published shape; or rows_of: the task whose file has them, where several read one dataset.
- columns: the columns and their types, as published.
- varied: the columns whose text differs between splits, so that no row is in two of them.
- left_out: the places of rows that the task leaves out.
- unlabelled: the column of the answer, and what it holds in a split that is published without answers.
- published: repository, revision, config, rows of each split, split that serves as test (where it is not `test`),
  labels of the values in the label column (where they differ), start of the licence as a regular expression.
- expected: examples of rows, written out by hand: prompt or turns, answers that may follow, place of the right answer.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "rows"
ROLES = ("train", "validation", "test")
FIRST_TURN = "\n\nHuman: "  # how a conversation starts that is published as one text


@cache
def read(name: str) -> dict[str, Any]:
    """Read the file of one task."""
    return yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def file_with_rows(name: str) -> dict[str, Any]:
    """Read the file that has the rows of a task."""
    return read(read(name).get("rows_of", name))


def rows_of(name: str, role: str) -> list[dict[str, Any]]:
    """The dozen invented rows of a task, with other texts in each split."""
    file = file_with_rows(name)
    return [row | {column: varied(row[column], role) for column in file["varied"]} for row in file["rows"]]


def varied(value: Any, role: str) -> Any:
    """Put the name of a split at the start of a text, or of the first turn of a conversation."""
    if isinstance(value, list):
        return [value[0] | {"content": varied(value[0]["content"], role)}, *value[1:]]
    start = FIRST_TURN if value.startswith(FIRST_TURN) else ""
    return f"{start}{role}: {value.removeprefix(start)}"

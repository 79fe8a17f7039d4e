"""The items of one dataset as they were drawn, which the audit looks at."""

from dataclasses import dataclass
from typing import Any

from ripeness.study.tasks import Task

Drawn = dict[str, list[dict[str, Any]]]  # by role


@dataclass(frozen=True)
class Drawing:
    """The items of a dataset by role, its task, how many were wanted, and what was published as their answers.

    published: of the test source, how often each value stands in the column that decides the answer, with one row;
    n_shots: the most shots that any prompt has; is_tuned: whether any model is tuned on the dataset.
    """

    dataset: str
    task: Task
    items: Drawn
    sizes: dict[str, int]
    published: dict[str, tuple[int, dict[str, Any]]]
    n_shots: int = 0
    is_tuned: bool = True

"""Invented rows and a task that reads them, for the tests of items."""

from dataclasses import replace
from pathlib import Path

import pytest

from ripeness.data.rows import Row
from ripeness.study.tasks import load_task

ROOT = Path(__file__).parents[1]

SIZES = {"train": 20, "validation": 5, "test": 8, "shots": 4, "seed": 0}


def rows(n, name="all.jsonl", **more):
    return [
        Row({"text": f"{name} {i}", "sentiment": ["positive", "negative"][i % 2]} | more, f"{name}:{i + 1}")
        for i in range(n)
    ]


@pytest.fixture
def task():
    loaded = load_task("nursery-sentiment", ROOT / "tasks", overrides={})
    return replace(loaded, id=None, source={"train": "all.jsonl", "validation": "all.jsonl", "test": "all.jsonl"})


def ids(items):
    return [item.id for item in items]

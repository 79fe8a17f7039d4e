"""Items: disjoint, drawn by seed, the same for every format."""

from dataclasses import replace
from pathlib import Path

import pytest

from ripeness.errors import UserError
from ripeness.items import draw_items, examples
from ripeness.rows import Row
from ripeness.tasks import load_task

ROOT = Path(__file__).parents[2]
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


def test_roles_that_share_a_file_get_disjoint_rows(task):
    drawn = draw_items({"all.jsonl": rows(100)}, task, sizes=SIZES)
    assert {role: len(items) for role, items in drawn.items()} == {"test": 8, "validation": 5, "shots": 4, "train": 20}
    everything = [i for items in drawn.values() for i in ids(items)]
    assert len(set(everything)) == len(everything)


def test_the_draw_is_a_function_of_its_seed(task):
    again = [draw_items({"all.jsonl": rows(100)}, task, sizes=SIZES | {"seed": seed}) for seed in (0, 0, 1)]
    assert again[0] == again[1] and ids(again[0]["test"]) != ids(again[2]["test"])


def test_more_test_items_keep_those_there_were(task):
    small = draw_items({"all.jsonl": rows(100)}, task, sizes=SIZES)
    large = draw_items({"all.jsonl": rows(100)}, task, sizes=SIZES | {"test": 30})
    assert ids(large["test"])[:8] == ids(small["test"])


def test_rows_of_training_that_are_held_out_are_refused_or_dropped(task):
    task = replace(task, source={"train": "a", "validation": "b", "test": "c"})
    sources = {"a": rows(50, "a"), "b": rows(10, "b"), "c": rows(5, "a")}
    with pytest.raises(UserError, match="training rows also stand"):
        draw_items(sources, task, sizes=SIZES | {"train": 50})
    drawn = draw_items(sources, replace(task, overlap="drop"), sizes=SIZES | {"train": 50})
    held = {item.fields["text"] for item in drawn["test"]}
    assert drawn["train"] and not held & {item.fields["text"] for item in drawn["train"]}


def test_rows_that_are_too_long_are_left_out_of_every_role(task):
    mixed = rows(60) + rows(60, "a much longer text that does not fit anywhere.jsonl")
    drawn = draw_items({"all.jsonl": mixed}, replace(task, max_characters=30), sizes=SIZES)
    assert all(item.fields["text"].startswith("all") for items in drawn.values() for item in items)


@pytest.mark.parametrize(
    ("raw", "label"), [(1, "positive"), ("1", "positive"), (True, "negative"), ("positive", "positive")]
)
def test_labels_are_known_by_value_or_by_name(task, raw, label):
    task = replace(task, values={raw: label})
    drawn = draw_items({"all.jsonl": rows(100, sentiment=raw)}, task, sizes=SIZES)
    assert {item.target for item in drawn["test"]} == {label}


def test_formats_ask_the_same_items_with_the_same_answers(task):
    items = draw_items({"all.jsonl": rows(100)}, task, sizes=SIZES)["test"]
    made = {name: list(examples(items, task, name)) for name in task.formats}
    assert len({str([(row["item"], row["choices"], row["gold"]) for row in some]) for some in made.values()}) == 1
    assert len({some[0]["prompt"] for some in made.values()}) == len(task.formats)
    assert all(row["target"] == row["choices"][row["gold"]] for some in made.values() for row in some)

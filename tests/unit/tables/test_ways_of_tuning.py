"""Which way of tuning stands for a study, and which are compared: tables of cells whose methods are planted."""

import pytest

from ripeness.tables.columns import CELLS, conform
from ripeness.tables.ways_of_tuning import (
    comparable_ways,
    most_comparable,
    plain_way,
    smaller_methods,
    ways_from_checkpoints,
    ways_of,
)

WAYS = {
    "adapter": {"kind": "adapter"},
    "after": {"kind": "full", "start": "sft"},
    "after-small": {"kind": "lora", "start": "sft"},
    "classifier": {"kind": "head"},
    "continued": {"kind": "full", "learns": "text"},
    "dose-n128": {"kind": "full", "examples": 128, "doses_of": "dose"},
    "dose-n32": {"kind": "full", "examples": 32, "doses_of": "dose"},
    "known": {"kind": "features"},
    "sgd": {"kind": "full"},
}
SIZES = {"adapter": 10, "after": 100, "after-small": 8, "classifier": 104, "known": 4, "sgd": 100, "dose-n32": 100}


def cells(*left_out):
    rows = [{"method": "base"}]
    for name, facts in WAYS.items():
        row = {"learns": "answers", "trainable_parameters": SIZES.get(name)} | facts | {"method": name}
        rows += [row, {"method": name, "status": "missing"}]  # a cell that is not there says nothing
    return conform([row for row in rows if row["method"] not in left_out], CELLS)


def test_the_way_that_stands_for_a_study_tunes_the_checkpoint_on_all_answers():
    assert plain_way(cells(), "after") == "after" and plain_way(cells(), "unknown") == "adapter"
    # one after the other is left out, until a map to labels is all that there is
    order = ["adapter", "sgd", "dose-n128", "dose-n32", "continued", "after", "after-small", "classifier", "known"]
    for number, name in enumerate(order):
        assert plain_way(cells(*order[:number]), "unknown") == name
    assert plain_way(cells(*order), "unknown") is None


@pytest.mark.parametrize(
    ("plain", "alike"),
    [
        ("sgd", ["adapter", "classifier", "known", "sgd"]),
        ("after-small", ["after", "after-small"]),
        ("continued", ["continued"]),
        ("dose-n32", ["dose-n32"]),
        ("unknown", []),
    ],
)
def test_ways_compare_that_start_from_the_same_model_and_learn_the_same(plain, alike):
    assert comparable_ways(cells(), plain) == alike


def test_ways_from_checkpoints_learn_answers_and_start_from_no_tuned_model():
    expected = sorted(WAYS.keys() - {"after", "after-small", "continued"})
    assert ways_from_checkpoints(cells()) == expected


def test_smaller_ways_are_among_those_that_compare():
    assert smaller_methods(cells(), "sgd") == ["adapter", "known"]
    assert smaller_methods(cells(), "after") == ["after-small"]
    assert smaller_methods(cells(), "continued") == smaller_methods(cells(), "dose-n32") == []


def test_a_group_of_ways_that_compare_is_counted():
    assert most_comparable(ways_of(cells()).values()) == 4 and most_comparable([]) == 0

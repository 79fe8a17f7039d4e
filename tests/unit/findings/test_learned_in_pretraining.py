"""What pre-training teaches, on studies whose truth is planted."""

from dataclasses import replace

import numpy as np
from planted import (
    AMURO,
    found,
    simulate,
)

from ripeness.findings.scores import Scores


def test_one_dataset_shows_no_two_kinds_in_however_many_series():
    world = replace(AMURO, kinds={"sentiment": "choice"})
    scores = simulate(world, 1)
    again = {
        key: replace(one, rows=[row._replace(series="again") for row in one.rows]) for key, one in scores.blocks.items()
    }
    blocks = {
        key: replace(one, rows=one.rows + again[key].rows, values=np.concatenate([one.values, 0 * one.values]))
        for key, one in scores.blocks.items()
    }
    points = scores.checkpoints["run"]
    both = {"run": points, "again": [point._replace(series="again") for point in points]}
    finding = found(world, Scores(both, blocks))["learned-in-pretraining"]
    assert {(row["series"], row["class"]) for row in finding.details} == {("run", "learned"), ("again", "never")}
    assert finding.verdict == "undecided" and "one dataset cannot show that there are two kinds. " in finding.statement
    assert finding.effect is None and "Of 2 trajectories of 1 dataset (" in finding.statement


def test_datasets_are_sorted_as_planted_with_the_numbers_in_the_sentence():
    finding = found(AMURO, simulate(AMURO, 3))["learned-in-pretraining"]
    assert {row["dataset"]: row["class"] for row in finding.details} == {
        "sentiment": "learned",
        "summary": "learned",
        "classes": "never",
    }
    rows = {row["dataset"]: row for row in finding.details}
    assert rows["summary"]["floor_name"] == "first checkpoint"
    assert f"sentiment {rows['sentiment']['late']:.2f} against 0.50" in finding.statement


def test_a_dataset_that_starts_high_is_not_called_learned():
    world = replace(AMURO, base=AMURO.base | {"classes": [0.9] * 6})
    finding = found(world, simulate(world, 1))["learned-in-pretraining"]
    assert {row["dataset"]: row["class"] for row in finding.details}["classes"] == "high from the start"
    assert finding.verdict == "undecided"

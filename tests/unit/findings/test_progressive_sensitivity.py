"""What noise costs at each checkpoint, on planted tables."""

from dataclasses import replace

import pytest
from overtrained import BRITTLE, found


def test_the_trend_is_that_of_trained_stable_checkpoints():
    one = found(BRITTLE, "progressive-sensitivity")
    assert one.effect == pytest.approx(1, abs=0.05)
    assert one.n_checkpoints == 3 * 12
    assert "the same holds under relative noise" in one.statement
    assert {row["normalisation"] for row in one.details} == {"init", "relative"}


def test_disagreeing_normalisations_are_said_to_disagree():
    one = found(replace(BRITTLE, noise={"init": 1.5, "relative": -1.0}), "progressive-sensitivity")
    assert one.verdict == "supported"
    assert "The normalisations disagree: under relative noise it falls" in one.statement

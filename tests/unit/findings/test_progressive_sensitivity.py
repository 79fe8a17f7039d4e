"""What noise costs at each checkpoint, on planted tables."""

from dataclasses import replace

import numpy as np
import pytest
from overtrained import BRITTLE, found


def test_the_trend_is_that_of_trained_stable_checkpoints():
    one = found(BRITTLE, "progressive-sensitivity")
    slope = 1.5 * np.log2(10) / 11  # doublings of the increase for each of eleven doublings of tokens
    assert one.effect == pytest.approx(slope, abs=0.02) and one.low < slope < one.high
    assert one.smallest == 0.1 and one.unit.startswith("exponent") and "exact p" in one.statement
    assert f"{2**one.effect:.2f} times [{2**one.low:.2f}, {2**one.high:.2f}] as much" in one.statement
    assert one.n_checkpoints == 3 * 12
    assert "the same holds under relative noise" in one.statement
    assert {row["normalisation"] for row in one.details} == {"init", "relative"}


def test_disagreeing_normalisations_are_said_to_disagree():
    one = found(replace(BRITTLE, noise={"init": 1.5, "relative": -1.0}), "progressive-sensitivity")
    assert one.verdict == "supported"
    assert "The normalisations disagree: under relative noise it adds less loss" in one.statement

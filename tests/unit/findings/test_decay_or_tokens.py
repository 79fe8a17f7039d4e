"""Decayed against stable checkpoints, on planted tables."""

from dataclasses import replace

import pytest
from overtrained import BRITTLE, changed, found, on_overtraining, planted


def test_a_decayed_twin_is_compared_at_equal_tokens():
    one = found(BRITTLE, "decay-or-tokens")
    assert one.effect == pytest.approx(1, abs=0.15)  # twice as much is one doubling
    even = found(replace(BRITTLE, decay=1.0), "decay-or-tokens")
    assert even.verdict == "undecided"
    assert even.low < 0 < even.high
    assert found(replace(BRITTLE, decay=0.5), "decay-or-tokens").verdict == "reversed"


def test_without_noise_decay_is_told_by_tuning():
    tables = planted(BRITTLE)
    one = on_overtraining(changed(tables, sensitivity=None))["decay-or-tokens"]
    assert one.verdict == "supported"
    assert one.statement.startswith("By tuning")

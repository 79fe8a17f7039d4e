"""How far tuning moves the weights, on planted tables."""

from dataclasses import replace

import pytest
from overtrained import BRITTLE, found


def test_a_displacement_that_grows_is_not_constant():
    one = found(replace(BRITTLE, moves=4.0), "displacement-constancy")
    assert one.verdict == "reversed"
    assert one.effect == pytest.approx(4 / 11, abs=0.02)

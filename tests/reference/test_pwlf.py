"""Two lines that meet are found where pwlf finds them."""

import numpy as np
import pytest

pwlf = pytest.importorskip("pwlf", reason="pwlf is not installed; it is in requirements-dev.lock")

from ripeness.stats.turning_points import turning_point  # noqa: E402


@pytest.mark.parametrize(("n", "place"), [(8, 0.45), (12, 0.55), (20, 0.7)])
def test_the_knot_and_the_slopes_are_those_of_pwlf(n, place):
    x = np.linspace(22, 26, n)  # log tokens
    noise = 0.03 * np.random.default_rng(n).standard_normal((n, 3))
    values = (-x + 0.8 * np.maximum(x - 22 - 4 * place, 0))[:, None] + noise
    theirs = pwlf.PiecewiseLinFit(x, values.mean(axis=1), seed=0)
    _, knot, _ = theirs.fit(2, bounds=[(x[1], x[-2])])
    ours = turning_point(x, values, better="lower", draws=199)
    assert ours.stick.knot == pytest.approx(knot, abs=1e-3)
    assert [ours.stick.before, ours.stick.after] == pytest.approx(theirs.slopes.tolist(), abs=1e-3)
    assert ours.turn.low <= knot <= ours.turn.high

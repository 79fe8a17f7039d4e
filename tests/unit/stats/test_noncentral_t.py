"""Chances of the noncentral t agree with scipy's where that returns, and are there where it does not."""

import numpy as np
import pytest
from scipy import special

from ripeness.stats.noncentral_t import chance_below, shift_above


@pytest.mark.parametrize("df", [1.0, 2.5, 4.0, 30.0, 1e4])
@pytest.mark.parametrize("limit", [-3.0, 0.0, 2.0, 6.0])
def test_a_chance_is_that_of_scipy(df, limit):
    for shift in (-2.0, 0.0, 0.5, 3.0):
        assert chance_below(limit, df=df, shift=shift) == pytest.approx(special.nctdtr(df, shift, limit), abs=2e-4)


@pytest.mark.parametrize("level", [0.05, 0.005, 0.0005])
@pytest.mark.parametrize("df", [1.0, 1.0137, 1.9, 2.0, 3.3, 17.2, 250.0, 1e6])
def test_a_shift_has_the_power_that_it_is_sought_for(df, level):
    limit = float(special.stdtrit(df, 1 - level / 2))
    shift = shift_above(limit, df=df, power=0.8)
    assert 1 - chance_below(limit, df=df, shift=shift) == pytest.approx(0.8, abs=1e-6)
    many = (np.random.default_rng(0).standard_normal(200_000) + shift) / np.sqrt(
        np.random.default_rng(1).chisquare(df, 200_000) / df
    )
    assert np.mean(many > limit) == pytest.approx(0.8, abs=0.005)

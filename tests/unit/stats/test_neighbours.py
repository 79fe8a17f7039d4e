"""How alike neighbouring checkpoints are: measured where it is planted, and not where a curve or white noise is."""

import numpy as np
import pytest

from ripeness.stats.neighbours import (
    CORRELATIONS,
    about_any_curve,
    about_smooth_curve,
    correlated_noise,
    drawn_about_smooth_curve,
)


def measured(n, rho, truth=0.0, studies=300, measure=about_smooth_curve, seed=5):
    place = np.arange(n) * np.log(2)
    noise = correlated_noise(n, studies, seed, rho)
    x = place if measure is about_smooth_curve else tuple(place.tolist())
    return [measure(x, truth + column) for column in noise.T]


@pytest.mark.parametrize("n", [8, 20])
def test_half_of_all_estimates_are_above_the_planted_correlation(n):
    for rho in (0.3, 0.6):
        above = np.mean([one.rho > rho for one in measured(n, rho)])
        assert above == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("n", [4, 6, 8, 20])
def test_white_noise_is_seldom_called_alike(n):
    found = measured(n, 0.0)
    assert np.mean([one.is_clear for one in found]) == pytest.approx(0.1, abs=0.05)
    assert np.mean([one.rho == 0 for one in found]) == pytest.approx(0.5, abs=0.1)
    medians, _ = drawn_about_smooth_curve(tuple((np.arange(n) * np.log(2)).tolist()))
    assert (np.diff(medians) >= 0).all() and len(medians) == len(CORRELATIONS)


def test_long_lasting_noise_is_seen_by_many_checkpoints():
    assert np.mean([one.is_clear for one in measured(20, 0.6)]) > 0.6


@pytest.mark.parametrize("measure", [about_smooth_curve, about_any_curve])
def test_a_parabola_is_no_correlation(measure):
    bowl = 30 * (np.linspace(0, 1, 12) - 0.4) ** 2
    assert np.mean([one.is_clear for one in measured(12, 0.0, bowl, measure=measure)]) < 0.2


def test_a_steep_fall_is_no_correlation_about_the_curve_that_fits():
    fall = 100 * np.exp(-6 * np.linspace(0, 1, 12))
    stiff, fitting = measured(12, 0.0, fall), measured(12, 0.0, fall, measure=about_any_curve)
    assert np.mean([one.rho for one in stiff]) > 0.8  # a parabola takes the shape for noise that lasts
    assert np.mean([one.rho for one in fitting]) < 0.5


def test_points_on_a_curve_have_no_neighbours_that_are_alike():
    assert about_any_curve(tuple(range(8)), np.arange(8.0)).rho == 0

"""What checkpoint noise may be like: weights follow the data, and know neither the curve nor the size of noise."""

import numpy as np
import pytest

from ripeness.stats.checkpoint_noise import BEFOREHAND, GROWTHS, KINDS, RHOS, drawn_from, likely, roots
from ripeness.stats.curves import design_of
from ripeness.stats.neighbours import kinds_about_any_curve
from ripeness.stats.peaks import peak_contrast
from ripeness.stats.random_levels import correlated

RHO, GROWTH = (np.array(values) for values in zip(*KINDS, strict=True))


def places(n):
    return tuple(np.linspace(0, 3, n).tolist())


def parabola(n):
    return np.vander(np.linspace(0, 1, n), 3)


def noise(n, rho, growth, rng):
    size = growth ** np.linspace(0, 1, n)
    return size * (np.linalg.cholesky(correlated(n, rho)) @ rng.standard_normal(n))


def test_roots_have_the_correlation_and_the_growth_of_their_kind():
    for (rho, growth), root in zip(KINDS, roots(places(9)), strict=True):
        covariance = root @ root.T
        sd = np.sqrt(np.diag(covariance))
        assert np.mean(sd**2) == pytest.approx(1) and sd[-1] / sd[0] == pytest.approx(growth)
        assert covariance[3, 4] / sd[3] / sd[4] == pytest.approx(rho, abs=1e-9)


@pytest.mark.parametrize("n", [6, 12])
def test_weights_know_neither_the_curve_nor_the_size_of_noise(n):
    x, values = places(n), noise(n, 0.5, 2.0, np.random.default_rng(0))
    weights = likely(x, parabola(n), values)
    assert weights.sum() == pytest.approx(1) and (weights > 0).all()
    assert likely(x, parabola(n), 40 * values + parabola(n) @ [3.0, -2.0, 5.0]) == pytest.approx(weights, rel=1e-6)


def test_without_residuals_all_is_as_likely_as_beforehand():
    assert likely(places(8), parabola(8), parabola(8) @ [1.0, 2.0, 3.0]) is BEFOREHAND
    assert BEFOREHAND.sum() == pytest.approx(1)
    assert BEFOREHAND @ np.log(GROWTH) == pytest.approx(0) and pytest.approx(np.mean(RHOS)) == BEFOREHAND @ RHO


def test_many_checkpoints_tell_the_kind():
    rng, n = np.random.default_rng(1), 80

    def mean_of(what, rho, growth):
        found = [likely(places(n), parabola(n), noise(n, rho, growth, rng)) @ what for _ in range(30)]
        return float(np.mean(found))

    assert mean_of(RHO, 0.0, 1.0) < 0.15 and mean_of(RHO, 0.6, 1.0) == pytest.approx(0.6, abs=0.1)
    assert mean_of(np.log(GROWTH), 0.0, 4.0) > 1.0 > -1.0 > mean_of(np.log(GROWTH), 0.0, 0.25)


def test_likely_kinds_have_their_share_of_the_draws():
    white = np.random.default_rng(2).standard_normal((6, 1000))
    assert drawn_from(places(6), None, white) is white
    alone = np.zeros(len(KINDS))
    alone[[3, 40]] = 0.25, 0.75
    drawn = drawn_from(places(6), alone, white)
    assert drawn[:, :250] == pytest.approx(roots(places(6))[3] @ white[:, :250])
    assert drawn[:, 250:] == pytest.approx(roots(places(6))[40] @ white[:, 250:])
    assert drawn_from(places(6), BEFOREHAND, white).shape == white.shape and len(GROWTHS) * len(RHOS) == len(KINDS)


@pytest.mark.parametrize(("n", "rho", "growth"), [(8, 0.5, 1.0), (12, 0.5, 1.0), (20, 0.0, 3.7)])
def test_noise_that_lasts_or_grows_is_seldom_a_rise_and_is_covered(n, rho, growth):
    """The truth is a bowl whose last checkpoint is 0.02 above the best, twice the noise."""
    n_sets, rise, u = 150, 0.02, np.linspace(0, 1, n)
    bowl = ((u - 0.6) / 0.4) ** 2
    truth = rise * (bowl - bowl.min()) / (bowl[-1] - bowl.min())
    size = growth**u / np.sqrt(np.mean(growth ** (2 * u)))
    root = 0.01 * size[:, None] * np.linalg.cholesky(correlated(n, rho))
    above, covered = 0, 0
    for k, noise in enumerate(np.random.default_rng([2203, n]).standard_normal((n_sets, n))):
        means, x = truth + root @ noise, tuple(u.tolist())
        kinds = kinds_about_any_curve(x, means)
        peak = peak_contrast(design_of(x), means, confidence=0.95, draws=499, seed=k % 5, kinds=kinds)
        above += peak.low > rise
        covered += peak.low <= rise <= peak.high
    assert above / n_sets <= 0.05 + 3 * (0.05 * 0.95 / n_sets) ** 0.5
    assert covered / n_sets >= 0.92 - 3 * (0.92 * 0.08 / n_sets) ** 0.5

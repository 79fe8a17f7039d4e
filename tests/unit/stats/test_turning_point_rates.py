"""Turning points, simulated: intervals cover as often as they say, and tests are rarely wrong."""

import numpy as np
import pytest
from planted_turns import DRAWN, found, kinked, noisy, u
from scipy import stats

from ripeness.stats.broken_stick import broken_stick, kink_p, knot_p, line_p
from ripeness.stats.curves import design_of, hinge, line_residuals, project_out
from ripeness.stats.neighbours import correlated_noise
from ripeness.stats.peaks import peak_contrast

SIMULATED = 200


def simulations(truth, seed=0):
    return truth[:, None] + 0.06 * np.random.default_rng(seed).standard_normal((len(truth), SIMULATED))


@pytest.mark.release
@pytest.mark.parametrize("n", [8, 20])
def test_the_interval_of_a_knot_holds_it_as_often_as_it_says(n):
    design = design_of(tuple(u(n).tolist()))
    for before in (-0.5, -2.0, -10.0):
        p = knot_p(design, simulations(kinked(n, before=before)), 0.55, draws=999, seed=1)
        assert 0.915 <= (p > 0.05).mean() <= 0.985


def test_the_interval_that_is_printed_is_what_the_test_of_a_knot_holds():
    means, design = noisy(kinked(10))[:, 0], design_of(tuple(u(10).tolist()))
    stick = broken_stick(design, means, p_line=0.0, confidence=0.9, may_kink=False, **DRAWN)
    places = np.linspace(design.x[1], design.x[-2], 801)
    held = places[[knot_p(design, means[:, None], place, **DRAWN)[0] > 0.1 for place in places]]
    assert [stick.low, stick.high] == pytest.approx([held.min(), held.max()], abs=0.002)


def test_an_interval_may_be_narrower_than_any_grid():
    values = kinked(9, place=0.437, before=-3.0, after=-1.0) + 1e-5 * np.sin(np.arange(9) ** 2)
    stick = found(values[:, None]).stick
    assert stick.low < stick.knot < stick.high and stick.high - stick.low < 1e-4
    assert stick.knot == pytest.approx(0.437, abs=1e-4)


@pytest.mark.parametrize("n", [8, 12])
def test_the_contrast_covers_and_gives_few_false_alarms(n):
    design = design_of(tuple(u(n).tolist()))
    for truth in (0 * u(n), 1.2 * np.abs(u(n) - 0.55), -u(n)):
        peaks = [peak_contrast(design, means, confidence=0.95, draws=399, seed=0) for means in simulations(truth).T]
        effect = truth[-1] - truth[:-1].min()
        assert 0.9 <= np.mean([peak.low <= effect <= peak.high for peak in peaks]) <= 0.99
        assert np.mean([int(truth.argmin()) in peak.candidates for peak in peaks]) >= 0.9
        if effect <= 0:
            assert np.mean([peak.p_value <= 0.05 and peak.effect > 0 for peak in peaks]) <= 0.08
            assert np.mean([peak.p_monotone <= 0.05 for peak in peaks]) <= 0.1
        assert all((peak.p_value <= 0.05) == (peak.low > 0 or peak.high < 0) for peak in peaks)


def lasting(n, rho, seed=2):
    return 0.06 * correlated_noise(n, SIMULATED, seed, rho)


@pytest.mark.parametrize("n", [8, 20])
def test_noise_that_lasts_over_checkpoints_widens_the_contrast(n):
    def contrasts(values):
        return [found(column[:, None], draws=399).peak for column in values.T]

    truth = 0.3 * (u(n) - 0.6)[:, None] ** 2 / 0.16
    effect = float(truth[-1, 0] - truth[:-1].min())
    alike, plain = contrasts(truth + lasting(n, 0.5)), contrasts(truth + lasting(n, 0.0))
    assert np.mean([peak.low > effect for peak in plain]) <= 0.06
    assert np.mean([peak.low > effect for peak in alike]) <= 0.11
    assert 0.9 <= np.mean([peak.low <= effect <= peak.high for peak in plain]) <= 0.99
    assert np.mean([peak.low <= effect <= peak.high for peak in alike]) >= 0.84


def test_neighbours_that_are_alike_are_said_to_be():
    results = [found(column[:, None]) for column in lasting(20, 0.8)[:, :40].T]
    clear = [result for result in results if result.neighbours.is_clear]
    assert len(clear) > 20
    for result in results:
        assert ("alike beyond the curve" in " ".join(result.statement)) == result.neighbours.is_clear


def test_tests_of_a_line_and_of_a_smooth_curve_are_rarely_wrong():
    design = design_of(tuple(u(12).tolist()))
    assert (line_p(design, simulations(-u(12)), seed=0) <= 0.05).mean() <= 0.08
    p = [kink_p(design, means, **DRAWN) for means in simulations(np.exp(-3 * u(12))).T]
    assert np.mean(np.array(p) <= 0.05) <= 0.08
    p = [kink_p(design, means, **DRAWN) for means in simulations(kinked(12, before=-6.0)).T]
    assert np.mean(np.array(p) <= 0.05) >= 0.9


def test_where_lines_meet_steeply_the_drawn_threshold_is_that_of_the_f_distribution():
    n, place, confidence = 12, 0.5, 0.95
    design = design_of(tuple(u(n).tolist()))
    means = simulations(kinked(n, place=place, before=-40.0))
    term = project_out(hinge(u(n), np.array([place])), design.line)[0]
    left = line_residuals(design, means)
    best, here = design.hinges.explained_ss(left), (term @ left) ** 2
    f = np.maximum(best - here, 0) / (((left**2).sum(axis=0) - np.maximum(best, here)) / design.df)
    plain = f <= stats.f.ppf(confidence, 1, design.df)
    drawn = knot_p(design, means, place, draws=1999, seed=0) > 1 - confidence
    assert np.mean(plain == drawn) >= 0.97

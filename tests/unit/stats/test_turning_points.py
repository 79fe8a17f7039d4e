"""Turning points: planted ones are found where they are, others are not, and what cannot be told is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_turns import found, kinked, noisy, u

from ripeness.stats.broken_stick import orthogonal_noise
from ripeness.stats.curves import best_curve, design_of, hinge, line_residuals, p_from_draws, project_out, residual_sd
from ripeness.stats.peaks import least_squares, valley_gain
from ripeness.stats.turning_points import KINDS, MIN_FOR_KINK, Refused, turning_point


def test_a_planted_kink_is_found_where_it_is():
    result = found(noisy(kinked(16)))
    assert result.kind == "kink" and result.n_checkpoints == 16 and result.n_seeds == 3
    assert result.turn.low < 0.55 < result.turn.high and result.turn.high - result.turn.low < 0.2
    assert result.turn.place == pytest.approx(0.55, abs=0.05)
    assert result.stick.before == pytest.approx(-2, abs=0.2) and result.stick.after == pytest.approx(0, abs=0.2)


def test_a_planted_peak_is_found_with_its_size():
    result = found(noisy(2 * np.abs(u(8) - 4 / 7)))
    assert result.kind == "peak"
    assert result.turn.place == pytest.approx(4 / 7) and result.turn.low <= 4 / 7 <= result.turn.high
    assert result.peak.effect == pytest.approx(6 / 7, abs=0.1)
    assert result.peak.low < 6 / 7 < result.peak.high and result.peak.p_value <= 0.05
    assert result.peak.p_monotone <= 0.05
    assert result.bend == "curvature" and any("There is a peak" in part for part in result.statement)


def test_more_is_better_for_scores():
    values = noisy(2 * np.abs(u(8) - 4 / 7))
    low, high = found(values), found(-values, "higher")
    assert (high.kind, high.turn, high.peak) == (low.kind, low.turn, low.peak)
    assert found(values, "higher").kind != "peak" or found(values, "higher").turn != low.turn


@pytest.mark.parametrize("n", [8, 12])
def test_a_straight_fall_and_a_flat_line_turn_nowhere(n):
    for truth in (-u(n), 0 * u(n)):
        result = found(noisy(truth, seed=3))
        assert result.kind == "none" and result.turn is None
        assert result.peak.low < 0


def test_without_any_noise_a_line_has_no_bend_and_a_valley_a_certain_peak():
    assert found((3 - 2 * u(8))[:, None]).kind == "none"
    result = found(np.abs(u(9) - 0.5)[:, None])
    assert result.kind == "peak" and result.turn.place == 0.5
    assert result.peak.low == pytest.approx(0.5, abs=1e-4) and result.peak.high == pytest.approx(0.5, abs=1e-4)


def test_a_smooth_curve_is_curvature_and_no_kink():
    result = found(noisy(np.exp(-3 * u(16)), sd=0.005))
    assert result.kind == "curvature" and result.stick.p_line <= 0.05 < result.stick.p_kink


@pytest.mark.parametrize("n", range(6, MIN_FOR_KINK))
def test_with_few_checkpoints_even_a_plain_kink_is_called_curvature(n):
    result = found(kinked(n, place=0.5, after=-0.5)[:, None] + 0.001 * np.sin(np.arange(n) ** 2)[:, None])
    assert result.kind == "curvature" and result.stick.p_kink is None
    assert not any("There is a kink" in part or "inflection" in part for part in result.statement)
    assert any("cannot be distinguished" in part for part in result.statement)


def test_an_end_beyond_which_the_knot_may_lie_is_open():
    result = found(
        kinked(8, place=6 / 7, before=0.0, after=3.0)[:, None] + 0.02 * np.sin(np.arange(8) ** 2)[:, None], "higher"
    )
    assert result.kind == "curvature" and result.turn.high is None and result.turn.low is not None
    assert any("(open above)" in part for part in result.statement)


@pytest.mark.parametrize(
    ("values", "more", "reason"),
    [
        (np.ones((5, 3)), {}, "there are 5 checkpoints, and at least 6 are needed"),
        (np.ones((8, 3)), {}, "all checkpoints have the same value"),
        (np.zeros((8, 3)), {}, "all checkpoints have the same value"),
        (np.where(np.eye(8, 3) == 1, np.nan, 1.0), {}, "no seed was measured at every checkpoint"),
        (noisy(0 * u(8)), {"floor": 5.0, "better": "higher"}, "within 2 standard errors of no skill"),
        (0.3 + 0.67 * u(8)[:, None], {"ceiling": 0.95, "better": "higher"}, "is at the ceiling of the scale"),
        (np.exp(-20 * u(8))[:, None], {"floor": 0.0, "se": [1e-3] * 8}, "is at the floor of the scale"),
        (2 - 0.001 * u(8)[:, None], {"ceiling": 2.0, "se": [0.01] * 8}, "within 2 standard errors of no skill"),
    ],
)
def test_what_cannot_be_estimated_is_refused_with_the_reason(values, more, reason):
    result = found(values, **more)
    assert isinstance(result, Refused) and reason in result.reason and reason in result.statement[0]
    assert result.n_checkpoints == len(values) and result.kind == "refused"


def test_a_loss_that_scatters_much_is_not_at_its_floor_for_that():
    means = np.array([9, 10, 11, 10, 14, 11, 12, 16, 11, 5, 6, 12, 7])[:, None]
    result = found(means.astype(float), floor=0.0)
    assert result.kind == "none" and result.peak.low < 0 < result.peak.high


def test_a_start_without_skill_leaves_the_peak_but_no_bend():
    scores = np.array([0.25, 0.25, 0.251, 0.5, 0.7, 0.9, 0.8, 0.6])[:, None]
    result = found(scores, "higher", floor=0.25, ceiling=0.95, se=[0.01] * 8)
    assert result.stick is None and result.kind in ("peak", "none")
    assert "3 of 8 checkpoints have no skill" in result.statement[-1]


def test_seeds_that_are_not_measured_everywhere_are_left_out():
    values = noisy(kinked(12))
    broken = np.column_stack([values, values[:, 0] + 5])
    broken[3, 3] = np.nan
    assert found(broken) == found(values)


def test_errors_of_items_that_are_larger_than_the_scatter_widen_the_contrast():
    values = noisy(2 * np.abs(u(8) - 4 / 7))
    narrow, wide = found(values).peak, found(values, se=[0.2] * 8).peak
    assert wide.sd == pytest.approx(0.2) and wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert found(values, se=[1e-4] * 8).peak == narrow


def test_wrong_calls_are_errors():
    with pytest.raises(ValueError, match="'lower' or 'higher'"):
        found(noisy(u(8)), "more")
    with pytest.raises(ValueError, match="must increase"):
        turning_point([0, 1, 1, 2, 3, 4], np.ones((6, 1)), better="lower")
    with pytest.raises(ValueError, match="must increase"):
        turning_point([0, 1, 2, 3, 4, 5], np.ones(6), better="lower")


NUMBERS = st.lists(st.integers(-50, 50), min_size=8, max_size=13).filter(lambda values: len(set(values)) > 3)


@settings(max_examples=15, deadline=None)
@given(NUMBERS, st.floats(-100, 100), st.floats(0.1, 100), st.integers(0, 5))
def test_units_and_the_order_of_seeds_do_not_matter(numbers, shift, scale, seed):
    draw = np.random.default_rng(seed)
    values = np.array(numbers, float)[:, None] + draw.standard_normal((len(numbers), 3))
    x = np.sort(draw.uniform(0, 10, len(numbers)))
    plain = turning_point(x, values, better="lower", draws=99)
    moved = turning_point(2 * x + 7, scale * values[:, ::-1] + shift, better="lower", draws=99)
    assert plain.kind == moved.kind and plain.kind in KINDS
    assert plain.peak.candidates == moved.peak.candidates and plain.peak.best == moved.peak.best
    for name in ("low", "effect", "high", "sd"):
        assert scale * getattr(plain.peak, name) == pytest.approx(getattr(moved.peak, name), abs=1e-6 * scale)
    for name in ("p_line", "p_kink"):
        assert getattr(plain.stick, name) == pytest.approx(getattr(moved.stick, name), abs=0.011)
    assert 2 * plain.stick.knot + 7 == pytest.approx(moved.stick.knot)
    assert plain.peak.low <= plain.peak.effect <= plain.peak.high or plain.peak.low <= plain.peak.high


@settings(max_examples=50, deadline=None)
@given(NUMBERS)
def test_a_valley_fits_at_least_as_well_as_a_fall_and_a_fall_as_well_as_itself(numbers):
    means = np.array(numbers, float)
    assert valley_gain(means) >= -1e-9
    assert valley_gain(np.sort(means)[::-1]) == pytest.approx(0, abs=1e-9)
    assert least_squares(np.sort(means), increasing=True) == pytest.approx(0, abs=1e-9)


def test_a_fit_is_that_of_least_squares():
    means, x = noisy(kinked(10), seeds=1)[:, 0], u(10)
    design = design_of(tuple(x.tolist()))
    for knot, term in zip(design.knots, project_out(hinge(x, design.knots), design.line), strict=True):
        columns = np.vstack([np.ones(10), x, hinge(x, np.array([knot]))[0]]).T
        (expected,) = np.linalg.lstsq(columns, means, rcond=None)[1]
        left = line_residuals(design, means[:, None])[:, 0]
        assert left @ left - (term @ left) ** 2 == pytest.approx(expected)
    curve = best_curve(design, means)
    assert residual_sd(design, means[:, None])[0] ** 2 * 6 == pytest.approx(((means - curve) ** 2).sum())


@pytest.mark.parametrize("n", [6, 9, 20])
def test_hinges_between_checkpoints_are_found_without_a_grid(n):
    design = design_of(tuple(np.sort(np.random.default_rng(n).uniform(0, 3, n)).tolist()))
    left = line_residuals(design, np.random.default_rng(1).standard_normal((n, 50)))
    knots = np.linspace(design.x[1], design.x[-2], 5000)
    on_grid = ((project_out(hinge(design.x, knots), design.line) @ left) ** 2).max(axis=0)
    taken = design.hinges.explained_ss(left)
    assert taken == pytest.approx(on_grid, rel=0.01) and (taken >= on_grid - 1e-9).all()
    for column in left.T:
        _, term = design.hinges.best(column)
        assert (term @ column) ** 2 == pytest.approx(float(design.hinges.explained_ss(column[:, None])[0]))
        assert np.linalg.norm(term) == pytest.approx(1)


def test_drawn_residuals_are_free_of_what_was_fitted():
    design = design_of(tuple(u(9).tolist()))
    term = project_out(hinge(u(9), np.array([0.4])), design.line)[0]
    noise = orthogonal_noise(design, term, np.random.default_rng(0).standard_normal((9, 50)))
    assert np.allclose(design.line.T @ noise, 0) and np.allclose(term @ noise, 0)
    assert np.allclose(np.linalg.norm(noise, axis=0), 1)


def test_p_counts_what_was_seen_as_one_draw():
    assert p_from_draws(np.array([[True, False, False], [False, False, False]])).tolist() == [0.5, 0.25]

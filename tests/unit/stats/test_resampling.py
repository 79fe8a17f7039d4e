"""Intervals that cover, variances without bias, bands and verdicts that say what they should."""

import numpy as np
import pytest
from scipy import stats

from ripeness.stats.resampling import (
    Above,
    Level,
    estimate,
    format_variance,
    grouped_means,
    kendall,
    mean_of,
    null_spread,
    paired_only,
    permuted,
    redraw,
    redraw_items,
    spread,
    weighted_means,
)
from ripeness.stats.verdicts import EFFECT, Part


def rng(seed=0):
    return np.random.default_rng(seed)


def plain_weights(n, draws=400, seed=0):
    return redraw_items(np.arange(n), np.zeros(n, int), draws=draws, rng=rng(seed)).weights()


def mean_row(draws, weights):
    return (draws * weights).sum(axis=0) / (weights * np.ones_like(draws)).sum(axis=0)


def contrast(values, draws=200, seed=0):
    """Estimate the mean of paired differences [seeds, items]."""
    seeds = Level(unit=np.zeros(len(values), int), member=np.arange(len(values)))
    drawn = weighted_means(values, plain_weights(values.shape[1], draws, seed))
    above = Above(lambda weights: mean_row(drawn[:, :1], weights), [seeds], rng(seed + 1))
    replicates = mean_row(drawn, np.ones((1, 1)))
    return estimate(replicates, n_items=values.shape[1], confidence=0.95, above=above)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_redrawn_weights_give_an_unbiased_variance_of_the_mean_even_for_two_units(n):
    values = rng().standard_normal(n)
    counts, weight = redraw(n, 20_000, rng(1))
    means = (counts * weight * values).mean(axis=1)
    assert means.mean() == pytest.approx(values.mean(), abs=0.02)
    assert means.var() == pytest.approx(values.var(ddof=1) / n, rel=0.05)


def test_one_unit_is_never_redrawn():
    counts, weight = redraw(1, 5, rng())
    assert np.array_equal(counts * weight, np.ones((5, 1)))


def test_items_of_a_cluster_are_drawn_together_and_strata_keep_their_weight():
    clusters = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    strata = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    weights = redraw_items(clusters, strata, draws=50, rng=rng()).weights()
    assert np.array_equal(weights[0], np.ones(8))
    assert np.array_equal(weights[:, 0::2], weights[:, 1::2])
    assert np.allclose(weights[:, :4].sum(axis=1), 4)


def test_a_mean_leaves_out_what_was_not_measured():
    values = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan]])
    means = weighted_means(values, np.array([[1.0, 1.0, 1.0], [2.0, 5.0, 0.0]]))
    assert means[0].tolist() == [2.0, 1.0]
    assert np.isnan(means[1]).all()
    assert mean_of(values[0]) == 2.0


def test_the_interval_of_a_paired_contrast_covers_its_truth():
    covered = []
    for seed in range(300):
        draw = rng(seed)
        difficulty = draw.standard_normal(60)
        before = difficulty + draw.standard_normal(60) < 0.0
        after = difficulty + draw.standard_normal((3, 60)) < 0.5
        truth = stats.norm.cdf(0.5 / np.sqrt(2)) - 0.5
        result = contrast(after.astype(float) - before, seed=seed)
        covered.append(result.low <= truth <= result.high)
    assert 0.92 <= np.mean(covered) <= 0.99


@pytest.mark.parametrize(("n_seeds", "least"), [(2, 0.85), (3, 0.90), (5, 0.91)])
def test_the_interval_covers_when_seeds_differ_as_much_as_items_and_nearly_so_with_two(n_seeds, least):
    covered = []
    for seed in range(200):
        draw = rng(seed)
        shift = 0.1 * draw.standard_normal((n_seeds, 1))
        result = contrast(0.3 + shift + 0.1 * draw.standard_normal((n_seeds, 80)), seed=seed)
        covered.append(result.low <= 0.3 <= result.high)
    assert least <= np.mean(covered) <= 0.99


def test_pairing_by_item_narrows_the_interval():
    draw = rng()
    difficulty = draw.standard_normal(200)
    before, after = difficulty + 0.1 * draw.standard_normal((2, 200))
    paired = contrast((after - before)[None])
    alone = contrast((after - before[::-1])[None])
    assert paired.high - paired.low < 0.3 * (alone.high - alone.low)


def test_a_larger_confidence_and_fewer_seeds_widen_the_interval():
    values = 0.1 * rng().standard_normal((4, 100)) + np.array([[0.0], [0.1], [0.2], [0.3]])
    assert contrast(values).df < 10
    assert contrast(values[:1]).df > 90


def test_items_that_all_agree_leave_an_interval_of_some_width():
    result = contrast(np.ones((1, 100)))
    assert result.effect == 1.0
    assert 0.01 < result.high - result.low < 0.1


def test_the_smallest_detectable_effect_is_found_in_four_of_five_studies():
    drawn = [contrast(rng(seed).standard_normal((1, 100))) for seed in range(900, 920)]
    size = np.mean([Part(one, 0.0, EFFECT).detectable(0.05) for one in drawn])
    found = [contrast(size + rng(seed).standard_normal((1, 100)), seed=seed).low > 0 for seed in range(300)]
    assert 0.72 <= np.mean(found) <= 0.88


def test_the_variance_over_formats_has_no_bias_from_the_sampling_of_items():
    none, some = [], []
    for seed in range(150):
        draw = rng(seed)
        noise = draw.standard_normal((1, 80)) + 0.5 * draw.standard_normal((3, 80))
        weights = plain_weights(80, 200, seed)
        none.append(format_variance(noise[None], weights)[0])
        some.append(format_variance((noise + np.array([[0.0], [0.2], [0.4]]))[None], weights)[0])
    none, some = np.array(none), np.array(some)
    assert np.mean(none[:, 0]) == pytest.approx(0.0, abs=0.0008)
    assert np.mean(some[:, 0]) == pytest.approx(0.04, abs=0.004)
    assert np.mean(some[:, 1:]) == pytest.approx(np.mean(some[:, 0]), abs=1e-9)


def test_the_noise_of_formats_is_half_the_mean_paired_variance():
    values = rng().standard_normal((3, 100)) + rng(1).standard_normal(100)
    raw = values.mean(axis=1).var(ddof=1)
    paired = np.mean([(values[i] - values[j]).var(ddof=1) / 100 / 2 for i, j in ((0, 1), (0, 2), (1, 2))])
    corrected = format_variance(values[None], plain_weights(100, 5000))[0, 0]
    assert raw - corrected == pytest.approx(paired, rel=0.1)


def test_the_null_band_holds_the_spread_when_formats_do_nothing():
    outside, sizes = [], []
    for seed in range(120):
        draw = rng(seed)
        chance = 1 / (1 + np.exp(-1.5 * draw.standard_normal(100)))
        values = (draw.random((1, 4, 100)) < chance).astype(float)
        band = null_spread(values, permuted(4, 100, permutations=60, rng=rng(seed)))
        outside.append(spread(values)[0] > np.quantile(band, 0.95))
        sizes.append(spread(values)[0] - band.mean())
    assert 0.0 < np.mean(outside) <= 0.10
    assert np.mean(sizes) == pytest.approx(0.0, abs=0.006)


def test_the_null_band_lies_below_the_spread_of_formats_that_matter():
    values = (rng().random((2, 3, 200)) < np.array([0.5, 0.6, 0.8])[:, None]).astype(float)
    band = null_spread(values, permuted(3, 200, permutations=100, rng=rng(1)))
    assert (spread(values) > band.max(axis=1)).all()


def test_the_null_spread_is_that_of_values_permuted_one_by_one():
    values = rng().random((5, 3, 40))
    values[0, 1, 7] = np.nan
    orders = permuted(3, 40, permutations=30, rng=rng(1))
    each = [spread(np.take_along_axis(paired_only(values), order[None].astype(int), axis=1)) for order in orders]
    assert np.allclose(null_spread(values, orders), np.stack(each, axis=1))
    assert np.isnan(null_spread(np.full((1, 3, 40), np.nan), orders)).all()


def test_weights_in_little_space_are_those_of_all_draws():
    clusters, strata = np.array([2, 0, 0, 1, 3, 3]), np.array([0, 1, 1, 0, 1, 1])
    weights = redraw_items(clusters, strata, draws=500, rng=rng()).weights()
    assert weights.shape == (501, 6)
    assert set(np.unique(weights)) == {0.0, 1.0, 2.0}
    assert np.allclose(weights[:, [1, 4]].sum(axis=1), 2)  # one cluster of two in a stratum, twice
    assert np.allclose(weights[:, [0, 3]].sum(axis=1), 2)


@pytest.mark.parametrize("seed", range(3))
def test_means_by_group_are_those_of_the_rows_of_each(seed):
    draw = rng(seed)
    values, weights, groups = draw.random((20, 4)), draw.random((20, 4)), draw.integers(0, 6, 20) * 2
    values[draw.random((20, 4)) < 0.2] = np.nan
    means = grouped_means(values, weights, groups)
    assert means.shape == (groups.max() + 1, 4)
    for group in range(len(means)):
        rows = groups == group
        measured = np.where(np.isnan(values[rows]), 0, weights[rows])
        with np.errstate(invalid="ignore"):
            expected = (np.nan_to_num(values[rows]) * measured).sum(axis=0) / measured.sum(axis=0)
        assert np.allclose(means[group], expected, equal_nan=True)
    assert grouped_means(np.empty((0, 4)), np.empty((0, 4)), np.empty(0, int)).shape == (0, 4)


def test_redrawing_many_rows_part_by_part_changes_no_number(monkeypatch):
    values = rng().standard_normal((6, 30))
    whole = contrast(values)
    monkeypatch.setattr("ripeness.stats.resampling.AT_ONCE", 7)
    assert contrast(values) == whole


def test_an_item_that_was_not_asked_in_every_format_is_left_out_of_the_spread():
    values = np.array([[[1.0, 0.0, 1.0], [1.0, 0.0, np.nan]]])
    assert spread(values).tolist() == [0.0]


@pytest.mark.parametrize("seed", range(5))
def test_rank_correlation_agrees_with_scipy(seed):
    values = rng(seed).integers(0, 5, 9).astype(float)
    assert kendall(values[:, None])[0] == pytest.approx(stats.kendalltau(np.arange(9), values).statistic)


def test_ranks_that_all_tie_have_no_correlation():
    assert np.isnan(kendall(np.ones((5, 1)))[0])

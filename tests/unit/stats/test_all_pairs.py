"""Pairs of models on the same items: interval, power, counts and verdicts, against formulas and drawn truth."""

import numpy as np
import pytest
from scipy import stats

from ripeness.stats.all_pairs import LOST, UNDECIDED, WON, clustered_variance, compare_all

ALONE = np.arange(400)


def drawn(levels, *, n_items=400, n_seeds=3, seed=0, shift=0.0):
    """Scores of 0 and 1 [models, 1 format, seeds, items]; items are as hard for all models."""
    rng = np.random.default_rng(seed)
    ease = rng.random(n_items)
    own = rng.random((len(levels), 1, n_seeds, n_items))
    moved = shift * rng.standard_normal((len(levels), 1, n_seeds, 1))
    return (0.7 * ease + 0.3 * own < np.array(levels)[:, None, None, None] + moved).astype(float)


def test_the_interval_of_two_fixed_models_is_the_paired_t_interval():
    scores = drawn([0.5, 0.6], n_seeds=1)
    (pair,) = compare_all(scores, ALONE, np.array([True, True]), confidence=0.95, smallest=0.02)
    change = scores[1, 0, 0] - scores[0, 0, 0]
    right = stats.t.interval(0.95, 399, loc=change.mean(), scale=stats.sem(change))
    assert (pair.low, pair.high) == pytest.approx(right, rel=1e-3)
    assert pair.p == pytest.approx(stats.ttest_1samp(change, 0).pvalue, rel=1e-2)
    assert (pair.won, pair.lost) == ((change > 0).sum(), (change < 0).sum())
    assert pair.won + pair.lost + pair.both + pair.neither == 400
    assert pair.outcome == WON and pair.covers_seeds


def test_items_of_one_cluster_count_once():
    """Twice the same items are no more than once these items."""
    answers = drawn([0.5, 0.6], n_items=200, n_seeds=1)[:, 0, 0]
    once, _ = clustered_variance(answers, np.arange(200))
    twice, df = clustered_variance(np.tile(answers, 2), np.tile(np.arange(200), 2))
    assert twice == pytest.approx(once) and df == 199
    apart, _ = clustered_variance(np.tile(answers, 2), np.arange(400))
    assert apart[0, 1] == pytest.approx(once[0, 1] / 2, rel=0.01)


def test_with_one_seed_nothing_is_decided_and_the_interval_covers_items():
    found = compare_all(drawn([0.2, 0.8], n_seeds=1), ALONE, np.array([False, False]), confidence=0.95, smallest=0.02)
    assert [(pair.outcome, pair.covers_seeds) for pair in found] == [(UNDECIDED, False)]
    assert found[0].low > 0.4


def test_seeds_widen_the_interval_and_a_fixed_model_adds_none():
    scores = drawn([0.5, 0.5, 0.5], shift=0.1)
    trained, mixed = (
        compare_all(scores, ALONE, np.array(fixed), confidence=0.95, smallest=0.02)
        for fixed in ([False] * 3, [True, False, False])
    )
    assert trained[0].high - trained[0].low > mixed[0].high - mixed[0].low > 0


def test_so_many_items_make_the_smallest_effect_detectable():
    scores = drawn([0.5, 0.55], n_seeds=1)
    (pair,) = compare_all(scores, ALONE, np.array([True, True]), confidence=0.95, smallest=0.02)
    assert pair.detectable > 0.02 and pair.items_needed > 400
    assert pair.detectable * np.sqrt(400 / pair.items_needed) == pytest.approx(0.02, rel=0.01)
    (scattered,) = compare_all(
        drawn([0.5, 0.55], shift=0.2), ALONE, np.array([False, False]), confidence=0.95, smallest=0.02
    )
    assert scattered.items_needed is None  # more items do not help


def test_the_second_loses_what_the_first_wins():
    pairs = compare_all(drawn([0.8, 0.4, 0.4]), ALONE, np.array([False] * 3), confidence=0.95, smallest=0.02)
    assert [pair.outcome for pair in pairs] == [LOST, LOST, UNDECIDED]


def test_equal_models_are_distinguished_in_at_most_the_stated_share_of_maps():
    """Holm's correction holds over the whole map of four equal models."""
    wrong = sum(
        any(
            pair.outcome != UNDECIDED
            for pair in compare_all(
                drawn([0.5] * 4, n_items=100, seed=seed), np.arange(100), np.array([False] * 4),
                confidence=0.95, smallest=0.02,
            )
        )
        for seed in range(200)
    )  # fmt: skip
    assert wrong <= 20


def test_items_that_a_model_was_not_asked_count_for_none():
    scores = drawn([0.5, 0.6])
    scores[1, :, :, :100] = np.nan
    (pair,) = compare_all(scores, ALONE, np.array([False, False]), confidence=0.95, smallest=0.02)
    assert pair.n_items == 300

"""Two intervals of one effect: on the datasets of a study, and on datasets like these."""

import numpy as np
import pytest

from ripeness.stats.at_large import Course, Sources, at_large, filled, on_these, sources_of
from ripeness.stats.random_levels import Component
from ripeness.stats.resampling import Above, Level, grouped_means

ITEMS, SEEDS = Component(0.01**2, 999.0), Component(0.02**2, 8.0)


def test_gaps_are_filled_with_what_the_point_and_the_unit_are():
    whole = np.array([0.1, 0.4, 0.2])[:, None] + np.array([0.0, 0.3, 0.5, 0.1])
    gappy = whole.copy()
    gappy[0, 1] = gappy[2, 3] = np.nan
    assert filled(gappy) == pytest.approx(whole, abs=1e-6)
    assert not np.isnan(filled(np.array([[np.nan, np.nan], [0.1, 0.3], [0.2, 0.4]]))).any()


def test_the_larger_of_seeds_and_checkpoints_is_in_the_interval_on_these_datasets():
    seeds, checkpoints = (
        on_these(0.1, Sources(ITEMS, SEEDS, checkpoints=Component(sd**2, 5.0)), confidence=0.95).se
        for sd in (0.01, 0.05)
    )
    assert seeds == pytest.approx((0.01**2 + 0.02**2) ** 0.5)
    assert checkpoints == pytest.approx((0.01**2 + 0.05**2) ** 0.5)


def test_datasets_like_these_vary_at_least_by_items_and_by_what_checkpoints_do_to_all():
    alike, apart = (at_large(0.1, Component(sd**2, 4.0), Sources(ITEMS, SEEDS), confidence=0.95) for sd in (0.001, 0.1))
    assert alike.se == pytest.approx(0.01)
    assert (apart.se, apart.df) == (pytest.approx(0.1), 4.0)
    shared = Sources(ITEMS, SEEDS, shared=Component(0.03**2, 2.0))
    assert at_large(0.1, Component(0.1**2, 4.0), shared, confidence=0.95).se == pytest.approx(0.1044, abs=1e-4)


def test_two_datasets_that_happen_to_agree_do_not_make_an_interval_narrow():
    lucky = at_large(0.1, Component(0.0001**2, 1.0), Sources(ITEMS, SEEDS), confidence=0.95)
    assert lucky.low == pytest.approx(on_these(0.1, Sources(ITEMS, SEEDS), confidence=0.95).low)
    apart = at_large(0.1, Component(0.01**2, 1.0), Sources(ITEMS, SEEDS), confidence=0.95)
    assert apart.high - apart.effect == pytest.approx(12.706 * 0.01, rel=1e-3)


def test_sources_are_separated_from_draws_repeats_and_checkpoints():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal(12)[:, None]
    unit, seed = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    seeds = Level(unit, seed)

    def mean(weights: np.ndarray) -> np.ndarray:
        return grouped_means(rows, weights, np.zeros(12, int))[0]

    course = Course(np.arange(8.0), (rng.standard_normal((8, 4)),), np.full(8, 1 / 8))
    replicates = 0.1 * rng.standard_normal(400)
    whole = sources_of(replicates, Above(mean, [seeds], rng), [course], n_items=100)
    assert whole.items.variance == pytest.approx(0.01, rel=0.2)
    assert whole.seeds is not None and whole.seeds.variance == pytest.approx(rows.var() / 12, rel=0.6)
    assert whole.checkpoints is not None and whole.checkpoints.variance == pytest.approx(1 / 32, rel=0.8)
    one = Level(unit[::3], seed[::3])
    alone = Above(lambda weights: mean(weights.repeat(3, axis=0)), [one], rng)
    assert sources_of(replicates, alone, [], n_items=100).seeds is None


def test_a_unit_with_one_seed_borrows_from_the_others():
    rng = np.random.default_rng(1)
    rows = rng.standard_normal(7)[:, None]
    units = np.array([0, 0, 0, 1, 1, 1, 2])
    level = Level(units, np.array([0, 1, 2, 0, 1, 2, 0]))

    def mean_of_units(weights: np.ndarray) -> np.ndarray:
        return grouped_means(rows, weights, units).mean(axis=0)

    found = sources_of(0.1 * rng.standard_normal(2000), Above(mean_of_units, [level], rng), [], n_items=50).seeds
    own = [rows[units == unit, 0].var(ddof=1) for unit in (0, 1)]
    assert found is not None
    assert found.variance == pytest.approx((sum(own) / 3 + sum(own) / 2) / 9, rel=0.15)

"""Designs of a study: what they detect, and which is the cheapest."""

import json

import numpy as np
import pytest

from ripeness.stats.designs import (
    Design,
    Deviations,
    as_row,
    at_worst,
    cheapest,
    detectable,
    from_row,
    sizes_around,
    worth_showing,
)
from ripeness.stats.larger_studies import Size
from ripeness.stats.random_levels import Component, over_units
from ripeness.stats.resampling import with_interval

OWN = Size(items=400, seeds=1, checkpoints=6, datasets=8)


def test_at_the_detectable_effect_80_percent_of_drawn_studies_support_the_claim():
    """The deviations are those of single items, seeds, checkpoints and datasets, of which studies are drawn."""
    own, one = OWN._replace(seeds=2), Deviations(datasets=0.04)
    effect = detectable(one.spread(own, is_difference=False), own, smallest=0.02, level=0.05)
    rng, found = np.random.default_rng(0), 0
    for _ in range(1000):
        values = (
            effect
            + one.datasets * rng.standard_normal(8)
            + one.items / 50**0.5 * rng.standard_normal(8)
            + one.checkpoints * rng.standard_normal((6, 8)).mean(axis=0)
            + one.seeds * rng.standard_normal((12, 8)).mean(axis=0)
            + one.shared * rng.standard_normal((6, 1)).mean()
        )
        part = over_units(values)
        found += with_interval(values.mean(), part.variance**0.5, df=part.df, confidence=0.95).low > 0.02
    assert found / 1000 == pytest.approx(0.8, abs=0.04)


def test_the_difference_of_two_halves_is_harder_to_find_than_a_mean():
    own, one = OWN._replace(seeds=2), Deviations()
    mean, halves = (
        detectable(one.spread(own, is_difference=is_difference), own, smallest=0.02, level=0.05)
        for is_difference in (False, True)
    )
    assert halves - 0.02 > 1.9 * (mean - 0.02)


def test_the_variance_of_a_pilot_outlives_a_file():
    spread = Deviations().spread(OWN._replace(seeds=2), is_difference=False)
    assert from_row(json.loads(json.dumps(as_row(spread)))).at(OWN._replace(seeds=4)) == spread.at(
        OWN._replace(seeds=4)
    )


def test_the_cheapest_design_that_finds_an_effect_is_marked_and_beaten_ones_are_left_out():
    designs = [Design(OWN, *rest) for rest in [(0.1, 10, 1.0), (0.05, 20, 2.0), (0.06, 30, 3.0), (0.04, 40, 4.0)]]
    none = Design(OWN, None, 1, 0.5)
    assert worth_showing([none, *designs]) == [designs[0], designs[1], designs[3]]
    assert cheapest([none, *designs], 0.05) == designs[1] and cheapest(designs, 0.01) is None
    assert {size.seeds for size in sizes_around(OWN)} == {2, 4, 8} and len(sizes_around(OWN)) == 81


def test_four_of_five_pilots_keep_the_largest_scatter_that_is_planned_for():
    rng, n = np.random.default_rng(0), 6
    pilots = rng.normal(0, 0.08, (2000, n)).var(axis=1, ddof=1)
    kept = [at_worst(Component(float(measured), n - 1)).variance >= 0.08**2 for measured in pilots]
    assert abs(np.mean(kept) - 0.8) < 0.03

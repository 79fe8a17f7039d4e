import numpy as np
import pytest
from scipy import special

from ripeness.stats.looks import share_of


@pytest.mark.parametrize("planned", [None, 1, 5, 30])
def test_all_looks_together_spend_the_allowed_error_and_no_more(planned):
    spent = [share_of(look, planned) for look in range(1, 5001)]
    assert sum(spent) == pytest.approx(1, abs=1e-3)
    assert sum(spent) <= 1 + 1e-12
    assert min(spent) >= 0


def test_no_look_after_the_last_planned_one_spends_anything():
    assert [share_of(look, 2) for look in (1, 2, 3)] == [0.5, 0.5, 0.0]


@pytest.mark.parametrize("planned", [None, 10])
def test_who_looks_ten_times_at_growing_results_without_an_effect_is_wrong_in_5_per_cent(planned):
    """Means of 10, 20, ... 100 values, each tested: two in ten studies are wrong without shares."""
    drawn = np.random.default_rng(7).normal(size=(20_000, 10))
    z = np.abs(drawn.cumsum(axis=1) / np.sqrt(np.arange(1, 11)))
    levels = 0.05 * np.array([share_of(look, planned) for look in range(1, 11)])
    assert (z > special.ndtri(0.975)).any(axis=1).mean() > 0.15
    assert 0.02 < (z > special.ndtri(1 - levels / 2)).any(axis=1).mean() < 0.05

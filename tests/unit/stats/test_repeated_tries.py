"""Numbers of several texts after each prompt are those of the definition, on cases small enough to count."""

from itertools import combinations

import pytest

from ripeness.stats.repeated_tries import (
    distinct_share,
    ks_of,
    mean_with_interval,
    pass_at,
    share_with_interval,
    win_share,
)


@pytest.mark.parametrize("n_right", range(7))
@pytest.mark.parametrize("k", range(1, 7))
def test_one_of_k_is_right_as_often_as_in_all_ways_to_choose_k_tries(n_right, k):
    tries = [True] * n_right + [False] * (6 - n_right)
    ways = [any(chosen) for chosen in combinations(tries, k)]
    assert pass_at(k, 6, n_right) == pytest.approx(sum(ways) / len(ways))


def test_as_many_tries_as_are_asked_for_must_be_there():
    assert pass_at(64, 64, 1) == 1
    with pytest.raises(ValueError, match="65 of 64 tries"):
        pass_at(65, 64, 1)
    assert ks_of(64) == [1, 2, 4, 8, 16, 32, 64]
    assert ks_of(100) == ks_of(64)
    assert ks_of(9) == [1, 2, 4, 8]


def test_wins_are_counted_over_all_pairs():
    assert win_share([1.0, 0.3], [0.3]) == 0.75
    assert win_share([0.0], [0.3, 1.0]) == 0
    assert win_share([1.0], [1.0, 1.0]) == 0.5


def test_texts_that_are_the_same_are_not_distinct():
    assert distinct_share(["a", "a", "b"]) == pytest.approx(4 / 6)
    assert distinct_share(["a", "a"]) == 0
    assert distinct_share(["a", "b", "c"]) == 1
    assert distinct_share(["a"]) is None


def test_an_interval_of_a_share_is_that_of_wilson_and_never_vanishes():
    found = share_with_interval([1.0] * 30 + [0.0] * 10, [str(n) for n in range(40)])
    assert found["value"] == 0.75
    # Wilson's interval of 29.25 of 39: the error of a mean divides by one less
    assert (found["low"], found["high"]) == pytest.approx((0.5959, 0.8594), abs=2e-3)
    alike = share_with_interval([1.0] * 40, [str(n) for n in range(40)])
    assert alike["high"] == pytest.approx(1)
    assert alike["low"] == pytest.approx(40 / (40 + 1.959964**2))
    assert share_with_interval([1.0, 0.5], ["a", "a"])["se"] is None


def test_items_that_belong_together_widen_an_interval():
    values, apart = [0.0, 0.0, 1.0, 1.0] * 5, [str(n) for n in range(20)]
    together = [str(n // 2) for n in range(20)]
    narrow, wide = mean_with_interval(values, apart), mean_with_interval(values, together)
    assert narrow["value"] == wide["value"] == 0.5
    assert wide["high"] - wide["low"] > 1.3 * (narrow["high"] - narrow["low"])

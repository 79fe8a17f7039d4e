"""How an indicator orders candidates: worked out by hand, and on samples whose truth is planted."""

import numpy as np
import pytest

from ripeness.stats.indicators import Share, Unit, skill_of


def rows(*values):
    return np.array([values], float)


def unit(indicator, outcome, reference=None, *, dataset="a", group="run"):
    return Unit(group, dataset, rows(*indicator), rows(*outcome), rows(*(reference or outcome)))


def judged(*units):
    return skill_of(units, confidence=0.95)


def test_pairs_ranks_and_loss_are_those_worked_out_by_hand():
    # of six pairs one is in the other order and one is a tie of the indicator
    skill = judged(unit([1, 3, 2, 3], [0.1, 0.2, 0.4, 0.7]))
    assert skill.accuracy.these.effect == pytest.approx((4 + 0.5) / 6)
    assert 2 * skill.tau.these.effect - 1 == pytest.approx((4 - 1) / np.sqrt(5 * 6))
    # the two with most of the indicator are picked equally often
    assert skill.regret.these.effect == pytest.approx(0.7 - (0.2 + 0.7) / 2)
    assert skill.blind_regret == pytest.approx(0.7 - 0.35)
    assert skill.late_accuracy == 1.0 and (skill.n_candidates, skill.n_datasets) == (4, 1)


def test_the_best_is_that_of_the_reference_and_not_the_highest_outcome():
    skill = judged(unit([1, 2, 3, 0], [0.1, 0.5, 0.3, 0.9], reference=[0, 1, 0, 0]))
    assert skill.regret.these.effect == pytest.approx(0.5 - 0.3)


def test_evaluations_and_then_datasets_count_alike():
    right, wrong = [1, 2, 3], [3, 2, 1]
    both = Unit("run", "a", np.array([right, wrong], float), np.array([right, right], float), rows(*right))
    skill = judged(both, unit(right, right, dataset="b"), unit(right, right, dataset="c"))
    assert skill.accuracy.main.effect == pytest.approx((0.5 + 1 + 1) / 3)


def test_two_datasets_say_nothing_of_datasets_like_these():
    two = [unit([1, 2, 3, 4], [1, 2, 3, 4], dataset=name) for name in "ab"]
    assert judged(*two).accuracy.like_these is None
    assert judged(*two, unit([1, 2, 3, 4], [1, 2, 4, 3], dataset="c")).accuracy.like_these is not None


def test_no_order_is_certain_however_well_it_fits():
    skill = judged(*(unit(range(8), range(8), dataset=name) for name in "abcd"))
    assert skill.accuracy.main.effect == 1.0 and 0.8 < skill.accuracy.main.interval(0.95)[0] < 0.95


def test_what_was_not_measured_counts_for_nothing():
    nan = float("nan")
    skill = judged(unit([1, nan, 3, 2, 4], [1, 9, 2, 3, nan]))
    assert skill.n_candidates == 3 and skill.accuracy.these.effect == pytest.approx(2 / 3)
    assert judged(unit([1, nan, 3], [1, 2, 3])) is None and judged() is None


def test_candidates_of_several_groups_are_different_ones():
    one, two = unit([1, 2, 3], [1, 2, 3]), unit([1, 2, 3], [3, 2, 1], group="other")
    skill = judged(one, two)
    assert skill.n_candidates == 6 and skill.accuracy.these.effect == 0.5


def test_an_indicator_without_variation_says_nothing():
    skill = judged(unit([2, 2, 2, 2], [1, 2, 3, 4]))
    assert (skill.accuracy.these.effect, skill.tau.these.effect) == (0.5, 0.5)
    assert skill.regret.these.effect == pytest.approx(skill.blind_regret)


@pytest.mark.parametrize("origin", [0.0, 0.5])
def test_the_test_of_a_share_is_that_of_its_interval(origin):
    share = Share(0.8, n_pairs=20, df=9, origin=origin)
    low, high = share.interval(0.95)
    assert 0 < low + origin < 0.8 < high + origin < 1
    assert share.p_above(low) == pytest.approx(0.025) and share.p_below(high) == pytest.approx(0.025)
    assert share.p_above(1 - origin) == 1 and share.p_below(-origin) == 1
    assert Share(1.0, n_pairs=20, df=9).interval(0.95)[1] == pytest.approx(1)


def drawn(rng, *, n, n_datasets, tells, spread=0.0, common=0.0):
    """Draw checkpoints of a quality that all datasets share in part, and an indicator that tells it or not."""
    quality, shared = rng.normal(size=n), rng.normal(size=n)
    for number in range(n_datasets):
        true = quality + 0.5 * rng.normal(size=n)
        noise = common * shared + np.sqrt(1 - common**2) * rng.normal(size=n)
        said = (tells + spread * rng.normal()) * true + noise
        seen = [values + 0.3 * rng.normal(size=(8, n)) for values in (said, true, true)]
        yield Unit("run", str(number), *seen)


def intervals(n_draws, **truth):
    found = [skill_of(list(drawn(np.random.default_rng(k), **truth)), confidence=0.95) for k in range(n_draws)]
    return np.array([(one.accuracy.main.effect, *one.accuracy.main.interval(0.95)) for one in found])


@pytest.mark.parametrize("common", [0.0, 1.0])
def test_an_indicator_that_predicts_is_distinguished_from_one_that_does_not(common):
    tells = intervals(40, n=12, n_datasets=6, tells=2.0)
    assert (tells[:, 1] > 0.5).mean() > 0.9
    nothing = intervals(40, n=12, n_datasets=6, tells=0.0, common=common)
    assert (nothing[:, 1] > 0.5).mean() < 0.1 and (nothing[:, 2] < 0.5).mean() < 0.1


@pytest.mark.parametrize(
    "truth",
    [
        {"n": 8, "n_datasets": 10, "tells": 0.6, "spread": 0.4},
        {"n": 20, "n_datasets": 10, "tells": 0.0, "common": 1.0},
        {"n": 20, "n_datasets": 4, "tells": 0.0, "spread": 0.4},
    ],
)
def test_the_truth_is_within_the_interval_as_often_as_is_said(truth):
    found = intervals(150, **truth)
    true = found[:, 0].mean()
    held = ((found[:, 1] <= true) & (true <= found[:, 2])).mean()
    assert held > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 150)

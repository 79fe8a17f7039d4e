"""Every variance is that of many draws: its interval covers the truth as often as it says, and known cases agree."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy import optimize, special, stats

from ripeness.stats.random_levels import (
    Component,
    between_classes,
    combined,
    correlated,
    lag_one,
    larger,
    over_checkpoints,
    over_crossed,
    over_pairs,
    over_units,
    whole_and_shared,
)

N = 400


def reach(part: Component) -> float:
    return float(special.stdtrit(part.df, 0.975)) * part.variance**0.5


def coverage(draw: Callable[[np.random.Generator], tuple[float, Component | None]], seed: int, n: int = N) -> float:
    """Count how often 0 is within the interval, in percent."""
    rng = np.random.default_rng(seed)
    drawn = [draw(rng) for _ in range(n)]
    return 100 * float(np.mean([abs(effect) <= reach(part) for effect, part in drawn if part]))


def test_units_alone_give_the_t_interval_of_their_mean():
    values = np.array([0.1, 0.4, 0.2, 0.7])
    part = over_units(values)
    assert part is not None
    assert part.variance == pytest.approx(values.var(ddof=1) / 4)
    assert part.df == pytest.approx(3)
    assert over_units(np.array([0.3])) is None


def test_weights_of_units_are_those_of_the_mean():
    rng, weights = np.random.default_rng(0), np.array([1.0, 1.0, 1.0, 3.0, 0.5])
    values = rng.standard_normal((4000, 5))
    means = values @ weights / weights.sum()
    parts = [over_units(row, weights) for row in values]
    assert np.mean([part.variance for part in parts if part]) == pytest.approx(means.var(), rel=0.05)


def test_two_classes_are_welchs_test():
    rng = np.random.default_rng(1)
    first, second = rng.standard_normal(5), 3 * rng.standard_normal(3)
    known = stats.ttest_ind(first, second, equal_var=False)
    part = between_classes(first, second)
    assert part is not None
    assert part.df == pytest.approx(known.df)
    assert (first.mean() - second.mean()) / part.variance**0.5 == pytest.approx(known.statistic)


def test_a_class_of_one_borrows_the_variance_of_the_other():
    first = np.array([0.1, 0.3, 0.2])
    known = stats.ttest_ind(first, [0.5])
    part = between_classes(first, np.array([0.5]))
    assert part is not None
    assert part.df == pytest.approx(known.df)
    assert (first.mean() - 0.5) / part.variance**0.5 == pytest.approx(known.statistic)
    assert between_classes(np.array([0.1]), np.array([0.5])) is None


@pytest.mark.parametrize(("first", "second"), [(3, 2), (4, 2), (8, 3), (3, 1)])
def test_classes_cover(first, second):
    def draw(rng):
        one, other = rng.standard_normal(first), 1.5 * rng.standard_normal(second) if second > 1 else rng.normal(size=1)
        return one.mean() - other.mean(), between_classes(one, other)

    assert 92 <= coverage(draw, seed=first) <= 98


def cells(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.indices((n, m))
    return first.ravel(), second.ravel()


CROSSED = [(4, 4, 1.0, 1.0, 0.3), (4, 2, 1.0, 1.0, 0.3), (8, 4, 1.0, 0.0, 0.3), (6, 3, 0.5, 1.0, 1.0)]


@pytest.mark.parametrize(("n", "m", "sd_first", "sd_second", "sd_cell"), CROSSED)
def test_crossed_levels_cover(n, m, sd_first, sd_second, sd_cell):
    first, second = cells(n, m)

    def draw(rng):
        values = sd_first * rng.standard_normal(n)[first] + sd_second * rng.standard_normal(m)[second]
        values = values + sd_cell * rng.standard_normal(n * m)
        return values.mean(), over_crossed(values, np.ones(n * m), first, second)

    assert 92 <= coverage(draw, seed=n + m) <= 97.5


def test_crossed_levels_agree_with_restricted_maximum_likelihood():
    n, m = 6, 5
    first, second = cells(n, m)
    rng = np.random.default_rng(3)
    values = rng.standard_normal(n)[first] + 0.7 * rng.standard_normal(m)[second] + 0.5 * rng.standard_normal(n * m)
    level = [np.equal.outer(codes, codes).astype(float) for codes in (first, second, np.arange(n * m))]

    def against(logs: np.ndarray) -> float:
        total = sum(np.exp(2 * log) * one for log, one in zip(logs, level, strict=True))
        inverse, ones = np.linalg.inv(total), np.ones(n * m)
        mean = ones @ inverse @ values / (ones @ inverse @ ones)
        rest = values - mean
        return float(np.linalg.slogdet(total)[1] + np.log(ones @ inverse @ ones) + rest @ inverse @ rest)

    best = optimize.minimize(against, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10})
    variances = np.exp(2 * best.x)
    part = over_crossed(values, np.ones(n * m), first, second)
    assert part is not None
    assert part.variance == pytest.approx(variances[0] / n + variances[1] / m + variances[2] / (n * m), rel=1e-3)


def test_a_level_with_one_member_says_nothing():
    assert over_crossed(np.array([0.1, 0.2]), np.ones(2), np.array([0, 0]), np.array([0, 1])) is None


def pairs_of(sizes: list[int]) -> Iterator[tuple[int, int, int]]:
    start = 0
    for kind, n in enumerate(sizes):
        yield from ((start + i, start + j, kind) for i in range(n) for j in range(n) if i != j)
        start += n


@pytest.mark.parametrize("sizes", [[3], [4, 2], [5, 4]])
@pytest.mark.parametrize(("rho", "sd_cell"), [(0.0, 0.3), (0.7, 0.3), (-0.9, 0.3), (0.0, 2.0)])
def test_pairs_of_one_kind_cover_however_giving_and_taking_are_related(sizes, rho, sd_cell):
    first, second, kind = (np.array(codes) for codes in zip(*pairs_of(sizes), strict=True))
    n = sum(sizes)

    def draw(rng):
        gives = rng.standard_normal(n)
        takes = rho * gives + (1 - rho**2) ** 0.5 * rng.standard_normal(n)
        values = gives[first] + takes[second] + sd_cell * rng.standard_normal(len(first))
        return values.mean(), over_pairs(values, first, second, kind)

    assert 90.5 <= coverage(draw, seed=n) <= 98.5


def test_pairs_of_two_units_alone_say_nothing():
    assert over_pairs(np.array([0.1, 0.3]), np.array([0, 1]), np.array([1, 0]), np.zeros(2, int)) is None


def noise(rng: np.random.Generator, n: int, rho: float, units: int) -> np.ndarray:
    return np.linalg.cholesky(correlated(n, rho)) @ rng.standard_normal((n, units))


def late_half(n: int) -> np.ndarray:
    return np.where(np.arange(n) >= n - n // 2, 1 / (n // 2), 0.0)


@pytest.mark.parametrize(("n", "rho", "least"), [(4, 0.0, 92), (8, 0.0, 92), (12, 0.0, 92), (20, 0.5, 85)])
def test_checkpoints_about_a_curve_cover(n, rho, least):
    place = np.log(np.geomspace(1, 64, n))
    weights = late_half(n)

    def draw(rng):
        curve = 0.3 * place if n < 6 else 0.3 * place - 0.05 * place**2
        values = curve[:, None] + noise(rng, n, rho, 1)
        part = over_checkpoints(place, values, weights, lag_one(place, values))
        return float(weights @ (values[:, 0] - curve)), part

    assert least <= coverage(draw, seed=n) <= 97.5


def test_few_checkpoints_say_nothing():
    assert over_checkpoints(np.arange(3.0), np.zeros((3, 2)), np.ones(3) / 3) is None


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
def test_correlation_of_neighbours_is_that_of_the_noise_and_not_of_the_curve(rho):
    rng, place = np.random.default_rng(5), np.arange(30.0)
    measured = [lag_one(place, 0.1 * place[:, None] ** 2 + noise(rng, 30, rho, 10)) for _ in range(40)]
    assert np.mean(measured) == pytest.approx(rho, abs=0.06)


def test_one_short_curve_is_not_said_to_be_correlated():
    rng, place = np.random.default_rng(5), np.arange(8.0)
    assert np.mean([lag_one(place, noise(rng, 8, 0.0, 1)) > 0 for _ in range(200)]) < 0.15
    assert lag_one(place, np.zeros((8, 3))) == 0


def test_a_short_curve_that_bends_is_not_taken_for_correlated_noise():
    levelling = np.array([0.3, 0.4, 0.4, 0.4])[:, None].repeat(6, axis=1)
    assert lag_one(np.arange(4.0), levelling) == 0


def test_what_all_datasets_share_is_added_and_what_they_do_not_is_left_out():
    place, weights = np.arange(10.0), late_half(10)
    rng = np.random.default_rng(6)
    alone = [whole_and_shared(place, noise(rng, 10, 0.0, 8), weights) for _ in range(200)]
    both = [whole_and_shared(place, noise(rng, 10, 0.0, 8) + noise(rng, 10, 0.0, 1), weights) for _ in range(200)]
    (first, none), (whole, shared) = (list(zip(*kind, strict=True)) for kind in (alone, both))
    # 8 datasets, the mean of 5 checkpoints
    assert np.mean([part.variance for part in first]) == pytest.approx(1 / 40, rel=0.1)
    assert np.mean([part.variance for part in whole]) == pytest.approx(1 / 40 + 1 / 5, rel=0.1)
    assert np.mean([part is not None for part in none]) == pytest.approx(0.25, abs=0.09)
    assert np.mean([part.variance if part else 0.0 for part in shared]) == pytest.approx(1 / 5, rel=0.1)


def test_one_dataset_shares_nothing():
    found = whole_and_shared(np.arange(5.0), np.array([[0.1, 0.3, 0.2, 0.2, 0.5]]).T, np.full(5, 0.2))
    assert found is not None
    assert found[0].variance > 0
    assert found[1] is None
    assert whole_and_shared(np.arange(3.0), np.zeros((3, 2)), np.full(3, 1 / 3)) is None


@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
def test_datasets_with_shared_checkpoints_cover(shared):
    place, weights = np.arange(8.0)[-4:], np.full(4, 0.25)

    def draw(rng):
        values = 0.5 * rng.standard_normal(6) + rng.standard_normal((4, 6)) + shared * rng.standard_normal((4, 1))
        means, found = over_units(values.mean(axis=0)), whole_and_shared(place, values, weights)
        assert means is not None
        assert found is not None
        return values.mean(), combined([means, *([found[1]] if found[1] else [])])

    assert 92 <= coverage(draw, seed=7) <= 98


def test_no_variance_keeps_the_fewest_degrees_of_freedom():
    assert combined([Component(0.0, 5.0), Component(0.0, 2.0)]) == Component(0.0, 2.0)
    assert larger(Component(1.0, 2.0), Component(2.0, 9.0)) == Component(2.0, 9.0)

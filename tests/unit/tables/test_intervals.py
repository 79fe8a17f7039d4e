"""Intervals of means over seeds and items."""

import math

import polars as pl
import pytest

from ripeness.tables import intervals


def rows(values: list[float], *, se: float = 0.05) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "probe": "a",
            "seed": range(len(values)),
            "value": values,
            "se": se,
            "n_items": 100,
            "chance": 0.5,
            "majority": 0.5,
        }
    )


def test_averaging_over_seeds_keeps_the_variance_of_items_and_adds_that_of_seeds():
    pooled = intervals.pooled(rows([0.4, 0.6]), ["probe"]).row(0, named=True)
    assert pooled["value"] == pytest.approx(0.5)
    assert pooled["item_variance"] == pytest.approx(0.05**2)
    assert pooled["seed_variance"] == pytest.approx(0.02 / 2)  # the variance of 0.4 and 0.6 is 0.02
    assert pooled["n_seeds"] == 2


def test_one_seed_has_no_variance_between_seeds():
    assert intervals.pooled(rows([0.4]), ["probe"])["seed_variance"].to_list() == [0.0]


def test_interval_of_a_share_is_wilsons():
    # 40 of 100: Wilson (1927) gives 0.3094 to 0.4980
    frame = intervals.pooled(rows([0.4], se=math.sqrt(0.4 * 0.6 / 100)), ["probe"])
    low, high = intervals.with_interval(frame, is_share=True).select("low", "high").row(0)
    assert (low, high) == pytest.approx((0.3094, 0.4980), abs=1e-4)


def test_interval_does_not_vanish_where_every_item_is_right():
    frame = intervals.with_interval(intervals.pooled(rows([1.0], se=0.0), ["probe"]), is_share=True)
    low, high = frame.select("low", "high").row(0)
    assert low == pytest.approx(0.963, abs=1e-3)  # 100 of 100
    assert high == pytest.approx(1.0)


@pytest.mark.parametrize("value", [1e-10, 0.27])
def test_interval_is_bounded_where_all_items_score_the_same(value):
    frame = intervals.with_interval(intervals.pooled(rows([value], se=0.0), ["probe"]), is_share=True)
    low, high = frame.select("low", "high").row(0)
    assert low <= value < high < value + 0.05


def test_paired_variance_is_that_of_a_mean_of_clusters():
    shared = {"series": "s", "checkpoint": "c", "probe": "p", "probe_format": "io", "probe_kind": "choice"}
    shared |= {"shots": 0, "split": "test", "dataset": "p", "format": "io", "seed": 1}
    gains = {"a": (0, 1), "b": (0, 1), "c": (0, 0), "d": (1, 1)}  # items a and b share a passage
    items = pl.DataFrame(
        [
            shared | {"method": method, "item": item, "cluster": "ab" if item in "ab" else item, "score": float(value)}
            for item, pair in gains.items()
            for method, value in zip(("base", "full"), pair, strict=True)
        ]
    )
    # differences 1, 1, 0, 0 with mean 0.5: cluster sums of deviations 1, -0.5, -0.5; 1.5 / 16 * 3 / 2
    assert intervals.paired_variance([items.lazy()], ["series"])["paired_variance"].item() == pytest.approx(
        1.5 / 16 * 1.5
    )

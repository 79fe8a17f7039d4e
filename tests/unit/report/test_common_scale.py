"""The scale on which the intervals of all claims are drawn."""

import pytest

from ripeness.report.common_scale import place, reach_of, scale_of, ticks


def claim(smallest, low, effect, high, **others):
    return {"smallest": smallest, "low": low, "effect": effect, "high": high} | others


def test_the_zone_is_at_the_same_place_whatever_the_unit_of_a_claim():
    claims = [claim(0.02, -0.01, 0.01, 0.03), claim(5.0, 50.0, 60.0, 70.0)]
    reach = reach_of(claims)
    scales = [scale_of(one, reach) for one in claims]
    assert scales[0]["zone_high"] == scales[1]["zone_high"] and scales[0]["zone_low"] == 100 - scales[0]["zone_high"]
    # an end beyond the smallest effect is outside the zone, one below it inside
    assert scales[0]["effect"] < scales[0]["zone_high"] < scales[0]["high"]
    assert reach == pytest.approx(1.1 * 70 / 5) and scales[1]["high"] < 100


def test_the_interval_that_decided_sets_how_far_the_scale_goes():
    wide = claim(1.0, -1.0, 0.0, 1.0, decided_low=-9.0, decided_high=20.0)
    assert reach_of([wide]) == pytest.approx(22)
    found = scale_of(wide, 22)
    assert 0 < found["decided_low"] < found["low"] < found["effect"] == 50 < found["high"] < found["decided_high"] < 100


def test_a_claim_without_a_smallest_effect_or_an_interval_has_no_place():
    assert scale_of(claim(None, 0.0, 1.0, 2.0), 3) is None and scale_of(claim(0.1, None, 1.0, None), 3) is None
    assert reach_of([claim(None, 0.0, 1.0, 200.0)]) == pytest.approx(3.3)


def test_ticks_stand_where_their_values_are():
    for reach in (3.3, 12.0, 40.0, 900.0):
        named = ticks(reach)
        assert [name for name, _ in named].count("0") == 1 and 3 <= len(named) <= 5
        for name, at in named:
            assert at == pytest.approx(place(float(name.replace("−", "-")), reach)) and 0 <= at <= 100

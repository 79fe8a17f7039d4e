"""What gentler ways of tuning keep, on planted tables."""

from dataclasses import replace

import pytest
from overtrained import BRITTLE, SETTINGS, found


@pytest.mark.parametrize(
    ("treatment", "verdict", "shown"),
    [
        (("gentle", -0.2, 0.0), "supported", "text"),
        (("costly", -0.2, 0.3), "contradicted", "answers"),
        (("useless", 0.2, 0.0), "contradicted", "text"),
    ],
)
def test_a_treatment_must_buy_something_for_nothing(treatment, verdict, shown):
    one = found(replace(BRITTLE, treatments=(treatment,)), "mitigation")
    assert one.verdict == verdict
    # the number that decides is the number that is shown
    assert one.effect == pytest.approx(treatment[1 if shown == "text" else 2], abs=0.03)
    assert shown in one.unit and one.low < one.effect < one.high
    assert (one.p_value < 0.05) and (verdict == "supported" or max(one.low, one.high) > SETTINGS.smallest_loss)


def test_several_treatments_have_wider_intervals():
    name = ("gentle", -0.2, 0.0)
    alone = found(replace(BRITTLE, treatments=(name,)), "mitigation")
    several = found(replace(BRITTLE, treatments=(name, ("useless", 0.1, 0.0), ("costly", -0.1, 0.5))), "mitigation")
    assert several.confidence == pytest.approx(1 - 0.05 / 3)
    assert alone.confidence == pytest.approx(0.95)

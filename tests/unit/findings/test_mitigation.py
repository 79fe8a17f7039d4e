"""What gentler ways of tuning keep, on planted tables."""

from dataclasses import replace

import pytest
from overtrained import BRITTLE, found


@pytest.mark.parametrize(
    ("treatment", "verdict", "shown"),
    [
        (("gentle", -0.2, 0.0), "supported", "answers"),
        (("costly", -0.2, 0.3), "reversed", "answers"),
        (("useless", 0.2, 0.0), "reversed", "text"),
        (("empty", 0.0, 0.0), "too small to matter", "text"),
    ],
)
def test_a_treatment_must_buy_something_for_nothing(treatment, verdict, shown):
    one = found(replace(BRITTLE, treatments=(treatment,)), "mitigation")
    assert one.verdict == verdict
    # the number that decides is the number that is shown: the weaker of two proofs, or what a claim falls to
    kept = one.part.endswith("pre-training text kept")
    assert one.effect == pytest.approx(-treatment[1] if kept else treatment[2], abs=0.03)
    assert shown == ("text" if kept else "answers") and one.low < one.effect < one.high
    assert one.p_value < 0.05 and {part["label"] for part in one.parts} == {
        f"{treatment[0]}: pre-training text kept",
        f"{treatment[0]}: cost on the answers",
    }


def test_a_claim_on_any_treatment_falls_only_with_all_of_them():
    costly, useless, gentle = ("costly", -0.2, 0.3), ("useless", 0.2, 0.0), ("gentle", -0.2, 0.0)
    fallen = found(replace(BRITTLE, treatments=(costly, useless)), "mitigation")
    assert fallen.verdict == "reversed" and len(fallen.parts) == 4
    held = found(replace(BRITTLE, treatments=(costly, useless, gentle)), "mitigation")
    assert held.verdict == "supported" and held.part.startswith("gentle: ")


def test_several_treatments_have_wider_intervals():
    name = ("gentle", -0.2, 0.0)
    alone = found(replace(BRITTLE, treatments=(name,)), "mitigation")
    several = found(replace(BRITTLE, treatments=(name, ("useless", 0.1, 0.0), ("costly", -0.1, 0.5))), "mitigation")
    assert several.confidence == pytest.approx(1 - 0.05 / 3)
    assert alone.confidence == pytest.approx(0.95)

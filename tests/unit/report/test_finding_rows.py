"""How a claim stands in its row: verdict, rule, p value and intervals as text."""

import pytest

from ripeness.report import finding_rows
from ripeness.runtime.errors import UserError


def test_unknown_verdict_is_an_error():
    known = "supported, too small to matter, reversed, undecided"
    with pytest.raises(UserError, match=f"(?s)unknown verdict 'perhaps'.*{known}\n.*hint: "):
        finding_rows.finding_row({"id": "x", "verdict": "perhaps"})


def test_the_rule_of_a_verdict_is_said_by_what_the_claim_expects():
    rules = [
        finding_rows.rule_of({"smallest": 0.02, "expects": expects}) for expects in ("effect", "no effect", "no harm")
    ]
    assert rules == [
        "Supported if the interval lies above +0.02; too small to matter within ±0.02; reversed below −0.02.",
        "Supported if the interval lies within ±0.02; reversed if it lies outside.",
        "Supported if the interval ends below +0.02; reversed if it begins above.",
    ]
    assert finding_rows.rule_of({"smallest": None}) == ""


def test_p_and_interval_of_a_claim_are_text():
    ends = {"decided_low": -0.2, "decided_high": 0.2, "decided_confidence": 0.99, "confidence": 0.95, "p_holm": 0.0312}
    row = finding_rows.finding_row({"id": "x", "verdict": "undecided", "low": -0.1, "effect": 0.0, "high": 0.1} | ends)
    assert row["decided"] == "−0.20 to +0.20 (99 %)" and row["p"] == "0.031" and row["interval"] == "−0.10 to +0.10"

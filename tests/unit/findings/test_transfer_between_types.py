"""What tuning costs on the other type of task, on studies whose truth is planted."""

from dataclasses import replace

import pytest
from planted import AMURO, found, simulate, widened


def test_nothing_can_be_lost_where_nothing_is_known():
    world = replace(AMURO, base=AMURO.base | {"summary": [0.3] * 6}, harm={("choice", "generation"): 0.3})
    finding = found(world, simulate(world, 0))["transfer-between-types"]
    assert finding.verdict == "undecided" and finding.mde is None and finding.power_at_zero is None
    assert finding.part == "generation to choice" and finding.high < 0.02  # what would be supported were it alone
    assert "nothing to lose" in finding.statement
    harmful = widened(replace(world, harm={("generation", "choice"): 0.3}))
    fallen = found(harmful, simulate(harmful, 0))["transfer-between-types"]
    assert fallen.verdict == "reversed" and fallen.decided_low > 0.02  # one part is enough for a claim to fall


def test_transfer_gives_difference_and_ratio_and_median():
    finding = found(AMURO, simulate(AMURO, 0))["transfer-between-types"]
    parts = {row["direction"]: row for row in finding.details if row["level"] == "direction"}
    harmed = parts["choice to generation"]
    assert harmed["effect"] == pytest.approx(-0.4, abs=0.05)
    assert harmed["ratio_mean"] < -0.4
    assert harmed["ratio_median"] < -0.4
    assert parts["generation to choice"]["low"] < 0 < parts["generation to choice"]["high"]


@pytest.mark.parametrize(
    ("harm", "verdict", "shown"),
    [
        ({("choice", "generation"): 0.4}, "supported", None),
        ({("choice", "generation"): 0.4, ("generation", "choice"): 0.2}, "reversed", "generation to choice"),
        ({("choice", "generation"): -0.2}, "reversed", "choice to generation"),
    ],
)
def test_the_number_of_transfer_that_is_shown_is_the_one_that_decides(harm, verdict, shown):
    world = widened(replace(AMURO, harm=harm, format_effect=None, n_items=300), 3)
    finding = found(world, simulate(world, 0))["transfer-between-types"]
    assert finding.verdict == verdict and finding.p_holm < 0.05
    parts = {part["label"]: part for part in finding.parts}
    assert parts.keys() == {"choice to generation", "generation to choice"}
    name, part = finding.part, parts[finding.part]
    assert part["verdict"] == verdict and (shown is None or name == shown)
    assert all(part[key] == getattr(finding, key) for key in ("effect", "low", "high", "smallest", "expects", "unit"))
    against = [one["p_value"] for one in parts.values() if one["verdict"] == verdict]
    assert finding.p_value == (max(against) if verdict == "supported" else min(against))
    end = " by tuning on choices" if name.startswith("choice") else " by tuning on generated answers"
    assert finding.unit.endswith(end)


def test_one_dataset_of_a_type_is_no_sample_of_it():
    finding = found(AMURO, simulate(AMURO, 0))["transfer-between-types"]
    assert finding.verdict == "undecided" and finding.p_value is None
    assert finding.statement.startswith("Cannot be decided: one dataset tuned on, or one asked, cannot show")
    assert "On datasets like these: not known." in finding.statement
    assert finding.on_these == {"effect": finding.effect, "low": finding.low, "high": finding.high}

"""What tuning costs on the other type of task, on studies whose truth is planted."""

from dataclasses import replace

import pytest
from planted import AMURO, found, simulate


def test_nothing_can_be_lost_where_nothing_is_known():
    world = replace(AMURO, base=AMURO.base | {"summary": [0.3] * 6}, harm={("choice", "generation"): 0.3})
    finding = found(world, simulate(world, 0))["transfer-between-types"]
    assert finding.verdict == "undecided"
    assert finding.effect is None
    assert "nothing to lose" in finding.statement


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
        ({("choice", "generation"): 0.4, ("generation", "choice"): 0.2}, "contradicted", "generation to choice"),
        ({("choice", "generation"): -0.2}, "contradicted", "choice to generation"),
    ],
)
def test_the_number_of_transfer_that_is_shown_is_the_one_that_decides(harm, verdict, shown):
    world = replace(AMURO, harm=harm)
    finding = found(world, simulate(world, 0))["transfer-between-types"]
    parts = {row["direction"]: row for row in finding.details if row["level"] == "direction"}
    assert finding.verdict == verdict
    (name,) = [name for name, part in parts.items() if part["effect"] == pytest.approx(-finding.effect)]
    assert parts[name]["verdict"] == verdict and (shown is None or name == shown)
    assert (finding.low, finding.high) == pytest.approx((-parts[name]["high"], -parts[name]["low"]))
    assert f"The effect shown is that of {name}, which decides." in finding.statement and finding.p_value < 0.05
    end = " by tuning on choices" if name.startswith("choice") else " by tuning on generated answers"
    assert finding.unit.endswith(end)

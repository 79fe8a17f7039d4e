"""What tuning carries over within a type of task, on studies whose truth is planted."""

from dataclasses import replace

from planted import AMURO, found, simulate


def test_what_is_carried_over_stands_with_the_pairs_that_gain_and_lose_most():
    world = replace(AMURO, harm={("choice", "choice"): 0.2})
    finding = found(world, simulate(world, 0))["transfer-within-type"]
    assert "by −0.2" in finding.statement and "from classes to sentiment" in finding.statement
    assert finding.low < finding.effect < finding.high
    assert {row["half"] for row in finding.details} == {"earlier", "later"}
    assert {(row["dataset"], row["probe"]) for row in finding.details} == {
        ("sentiment", "classes"),
        ("classes", "sentiment"),
    }

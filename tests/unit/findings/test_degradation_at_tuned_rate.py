"""What later checkpoints lose at chosen rates, on planted tables."""

from dataclasses import replace

from overtrained import BRITTLE, found


def test_a_chosen_rate_that_falls_removes_the_degradation():
    rates = tuple(1e-3 / 2**k for k in range(11, -1, -1))
    helped = found(replace(BRITTLE, rates=rates, tuned_helps=True), "degradation-at-tuned-rate")
    assert helped.verdict == "supported"
    assert "with twice the tokens the chosen rate is 0.50 times as high" in helped.statement
    kept = found(replace(BRITTLE, rates=rates), "degradation-at-tuned-rate")
    assert kept.verdict == "reversed"


def test_the_four_readings_of_a_grid_stand_side_by_side():
    one = found(replace(BRITTLE, rates=(1e-4, 3e-4, 1e-3)), "degradation-at-tuned-rate")
    assert {row["reading"] for row in one.details} == {
        "fixed",
        "tuned",
        "tuned, answers",
        "equal displacement",
        "equal answer loss",
    }
    assert "fixed rates" in one.statement
    assert "equal displacement" in one.statement


def test_where_fixed_rates_do_not_degrade_there_is_nothing_to_remove():
    flat = replace(BRITTLE, rates=(1e-4, 3e-4, 1e-3), harm=0.0)  # tuning adds the same at every checkpoint
    one = found(flat, "degradation-at-tuned-rate")
    assert one.verdict == "undecided" and one.p_value is None and one.effect is not None
    assert one.statement.startswith("Cannot be decided: fixed rates do not clearly degrade")
    assert "there is nothing to remove" in one.statement

"""Findings on overtraining on planted tables: each can come out supported, contradicted and undecided."""

import polars as pl
import pytest
from overtrained import QUICK, Truth, planted

from ripeness.findings.finding import Finding, replace
from ripeness.findings.mitigation.claim import mitigation
from ripeness.findings.overtraining import FINDINGS, Measured, overtraining_findings

RUNS = {f"run{k}": "run" for k in range(3)}
SETTINGS = replace(QUICK, runs=RUNS, families=RUNS)
BRITTLE = Truth(noise={"init": 1.5, "relative": 1.0})


def found(truth: Truth, name: str, settings=SETTINGS) -> Finding:
    """One finding on a planted study."""
    return FINDINGS[name][1](planted(truth), settings)


@pytest.fixture(scope="module")
def brittle() -> dict[str, Finding]:
    """All findings on a study in which later checkpoints are brittle at a fixed rate."""
    return {one.id: one for one in overtraining_findings(planted(BRITTLE), SETTINGS)}


def test_brittle_models_are_found_brittle(brittle):
    verdicts = {name: one.verdict for name, one in brittle.items()}
    assert verdicts == {
        "progressive-sensitivity": "supported",
        "degradation-at-fixed-rate": "supported",
        "turning-point": "supported",
        "decay-or-tokens": "supported",
        "displacement-constancy": "supported",
    }


def test_the_trend_is_that_of_trained_stable_checkpoints(brittle):
    one = brittle["progressive-sensitivity"]
    assert one.effect == pytest.approx(1, abs=0.05)
    assert one.n_checkpoints == 3 * 12
    assert "so it does under relative noise" in one.statement
    assert {row["normalisation"] for row in one.details} == {"init", "relative"}


def test_disagreeing_normalisations_are_said_to_disagree():
    one = found(replace(BRITTLE, noise={"init": 1.5, "relative": -1.0}), "progressive-sensitivity")
    assert one.verdict == "supported"
    assert "The normalisations disagree: under relative noise it falls" in one.statement


def test_models_that_grow_robust_contradict():
    robust = replace(BRITTLE, noise={"init": -1.5}, harm=-1.0)
    assert found(robust, "progressive-sensitivity").verdict == "contradicted"
    assert found(robust, "degradation-at-fixed-rate").verdict == "contradicted"  # the last is the best
    assert found(robust, "turning-point").verdict != "supported"


def test_the_turn_is_where_the_planted_loss_is_lowest(brittle):
    # after noise: 3 - u + c 10^(1.5 u) with c the mean over scales, lowest where its derivative is zero
    one = brittle["turning-point"]
    assert one.low <= one.effect <= one.high
    assert 0 < one.effect < 9
    assert "noise of size 0.5 at" in one.statement


def test_where_nothing_turns_the_contrast_that_decides_is_shown():
    falling = found(replace(BRITTLE, noise={"init": -1.0}, harm=-1.0), "turning-point")
    assert falling.verdict == "contradicted" and falling.high < 0 and "nats a token" in falling.unit
    turned = found(BRITTLE, "turning-point")
    assert turned.verdict == "supported" and "doublings" in turned.unit and "above the best" in turned.statement


def test_few_checkpoints_are_undecided_and_never_an_inflection_point():
    few = replace(BRITTLE, n_steps=3)
    assert found(few, "progressive-sensitivity").verdict == "undecided"
    assert "too few" in found(few, "progressive-sensitivity").statement
    assert found(few, "degradation-at-fixed-rate").verdict == "undecided"
    eight = found(replace(BRITTLE, n_steps=8), "turning-point")
    assert any("not an inflection point" in caveat for caveat in eight.caveats)


def test_a_decayed_twin_is_compared_at_equal_tokens(brittle):
    one = brittle["decay-or-tokens"]
    assert one.effect == pytest.approx(1, abs=0.15)  # twice as much is one doubling
    even = found(replace(BRITTLE, decay=1.0), "decay-or-tokens")
    assert even.verdict == "undecided"
    assert even.low < 0 < even.high
    assert found(replace(BRITTLE, decay=0.5), "decay-or-tokens").verdict == "contradicted"


def test_without_noise_decay_is_told_by_tuning():
    tables = planted(BRITTLE)
    one = FINDINGS["decay-or-tokens"][1](Measured(tables.measurements, tables.cells), SETTINGS)
    assert one.verdict == "supported"
    assert one.statement.startswith("By tuning")


def test_a_displacement_that_grows_is_not_constant():
    one = found(replace(BRITTLE, moves=4.0), "displacement-constancy")
    assert one.verdict == "contradicted"
    assert one.effect == pytest.approx(4 / 11, abs=0.02)


def test_a_chosen_rate_that_falls_removes_the_degradation():
    rates = tuple(1e-3 / 2**k for k in range(11, -1, -1))
    helped = found(replace(BRITTLE, rates=rates, tuned_helps=True), "degradation-at-tuned-rate")
    assert helped.verdict == "supported"
    assert "the chosen rate falls by" in helped.statement
    kept = found(replace(BRITTLE, rates=rates), "degradation-at-tuned-rate")
    assert kept.verdict == "contradicted"


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


def test_one_checkpoint_decides_nothing_about_pre_training():
    tables = planted(replace(BRITTLE, n_runs=1, treatments=(("costly", -0.2, 0.3),)))
    last = tables.measurements["tokens"].max()
    for n, verdict in [(1, "undecided"), (3, "undecided"), (4, "contradicted")]:
        few = tables.measurements.filter(pl.col("tokens") > last / 2 ** (n - 0.5))
        one = mitigation(few, SETTINGS)
        assert one.verdict == verdict and one.effect == pytest.approx(0.3, abs=0.03), one
        few = "one checkpoint is" if n == 1 else f"{n} checkpoints are"
        assert one.statement.startswith(f"Cannot be decided: {few} too few (at") == (verdict == "undecided")
    pair = FINDINGS["decay-or-tokens"][1](Measured(tables.measurements, tables.cells), SETTINGS)
    assert pair.verdict == "undecided" and pair.low > 0  # two checkpoints: a twin and its stable one


def test_several_treatments_have_wider_intervals():
    name = ("gentle", -0.2, 0.0)
    alone = found(replace(BRITTLE, treatments=(name,)), "mitigation")
    several = found(replace(BRITTLE, treatments=(name, ("useless", 0.1, 0.0), ("costly", -0.1, 0.5))), "mitigation")
    assert several.confidence == pytest.approx(1 - 0.05 / 3)
    assert alone.confidence == pytest.approx(0.95)


def test_one_run_and_one_seed_decide_nothing():
    tables = planted(replace(BRITTLE, n_runs=1))
    one_seed = pl.col("seed") == 1
    tables = Measured(tables.measurements.filter(one_seed), tables.cells.filter(one_seed))
    assert FINDINGS["displacement-constancy"][1](tables, SETTINGS).verdict == "undecided"
    assert FINDINGS["decay-or-tokens"][1](tables, SETTINGS).verdict == "undecided"


def test_a_study_without_running_text_has_none_of_these_findings():
    tables = planted(BRITTLE)
    bare = Measured(tables.measurements.filter(pl.col("probe_kind") != "text"), tables.cells)
    assert overtraining_findings(bare, SETTINGS) == []

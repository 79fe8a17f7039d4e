"""Claims are decided together: Holm's correction gives the verdict, and what is shown is what decides."""

import json
from dataclasses import replace

import pytest
from overtrained import BRITTLE, planted
from planted import WIDE, simulate, tables_of

from ripeness.findings.deciding import adjusted
from ripeness.findings.finding import Finding, Settings, on_enough, undecided, with_effect, with_parts
from ripeness.findings.register import all_findings, as_rows
from ripeness.stats.resampling import with_interval
from ripeness.stats.verdicts import EFFECT, NO_HARM, UNDECIDED, Part, verdict_of

SETTINGS = Settings()
UNCERTAIN = replace(WIDE, format_effect=[0.1, 0.09, 0.08, 0.07, 0.06, 0.05], seed_sd=0.05, n_items=60)


def claim(effect, se=0.01, *, expects=EFFECT, name="one"):
    result = with_interval(effect, se, df=1000, confidence=0.95)
    return replace(with_parts(Finding(id=name), [[Part(result, 0.02, expects)]], SETTINGS), expects=expects)


def test_a_verdict_that_does_not_outlive_the_correction_is_undecided():
    near, clear, open_ = claim(0.042), claim(0.1), claim(0.02)
    (alone,) = adjusted([near], SETTINGS)
    assert alone.verdict == "supported" and alone.p_value == alone.p_holm < 0.05
    assert (alone.decided_low, alone.decided_confidence) == (pytest.approx(alone.low), pytest.approx(0.95))
    with_open = adjusted([near, open_], SETTINGS)
    assert [one.verdict for one in with_open] == [UNDECIDED, UNDECIDED]
    assert with_open[0].low > 0.02 > with_open[0].decided_low and with_open[0].decided_confidence == 0.975
    assert with_open[0].p_holm == 2 * alone.p_value > 0.05 and not with_open[0].caveats
    # Holm steps down: once the clear one is decided, the near one has the whole level
    assert [one.verdict for one in adjusted([near, clear], SETTINGS)] == ["supported", "supported"]


def test_a_claim_that_may_not_be_decided_keeps_its_numbers_and_is_not_counted():
    few = on_enough(replace(claim(0.1), statement="Much."), 3, SETTINGS)
    assert few.statement == "Cannot be decided: 3 checkpoints are too few (at least 4). Much."
    near, few = adjusted([claim(0.042), few], SETTINGS)
    assert near.verdict == "supported" and near.p_holm == near.p_value
    assert few.verdict == UNDECIDED and few.effect == 0.1 and few.low > 0.02
    assert (few.p_value, few.p_holm, few.mde, few.decided_low) == (None,) * 4
    assert undecided(claim(0.1), "no").tests == ()


def test_the_detectable_effect_is_that_of_the_verdict_at_the_level_of_its_step():
    alone, among = (adjusted(found, SETTINGS)[0] for found in ([claim(0.03)], [claim(0.03) for _ in range(7)]))
    assert alone.mde == pytest.approx(0.02 + (1.962 + 0.842) * 0.01, abs=1e-4)
    assert among.mde > alone.mde and alone.power_at_zero is None
    (harmless,) = adjusted([claim(0.0, expects=NO_HARM)], SETTINGS)
    assert harmless.mde is None and 0.4 < harmless.power_at_zero < 0.6  # 2 standard errors from the limit


def test_an_effect_without_an_interval_decides_nothing():
    nothing = with_effect(Finding(), with_interval(float("nan"), float("nan"), df=1, confidence=0.95), SETTINGS)
    (found,) = adjusted([nothing], SETTINGS)
    assert found.verdict == UNDECIDED and found.p_value is None


def test_an_undecided_claim_on_scores_says_what_would_decide_it():
    found = all_findings(tables_of(UNCERTAIN, simulate(UNCERTAIN, 2)), Settings(draws=200, permutations=50))
    assert all(one.needs_more is None for one in found if one.verdict != UNDECIDED or not one.tests)
    (spread,) = [one for one in found if one.id == "format-spread"]
    needs = spread.needs_more
    now = {name: row["now"] for name, row in needs.items()}
    assert now == {
        "items": spread.n_items,
        "seeds": 2,
        "checkpoints": spread.n_checkpoints,
        "datasets": len(UNCERTAIN.kinds),
        "times all of them": 1,
    }
    assert needs["items"]["needed"] is None  # items are the least part here
    assert needs["seeds"]["needed"] > 2 and needs["checkpoints"]["needed"] > 6
    assert needs["times all of them"]["needed"] == 2


def test_what_is_added_to_a_study_is_another_look_and_needs_more():
    """The second look spends an eighth of what the first does, so that more is needed; planned looks spend alike."""
    drawn, fast = tables_of(UNCERTAIN, simulate(UNCERTAIN, 2)), Settings(draws=200, permutations=50)

    def needed(**looks):
        found = {one.id: one for one in all_findings(drawn, replace(fast, **looks))}["format-spread"]
        return found.needs_more and found.needs_more["checkpoints"]["needed"]

    assert needed() < needed(look=1, looks=2) < needed(look=1, looks=4)
    assert needed(look=1) is None  # 100 times as many would not do
    assert needed(look=1, looks=1) is None  # no look is left


@pytest.mark.parametrize("tables", [tables_of(WIDE, simulate(WIDE, 0)), planted(BRITTLE)], ids=["items", "losses"])
def test_every_verdict_of_a_study_is_that_of_the_rule_on_the_interval_shown_as_deciding(tables):
    found = all_findings(tables, Settings(draws=200, permutations=50))
    tested = [one for one in found if one.tests]
    assert len(tested) >= 5
    for one in tested:
        read = verdict_of(one.decided_low, one.decided_high, smallest=one.smallest, expects=one.expects)
        assert one.verdict == read, one.id
        assert (one.p_holm <= 0.05) == (one.verdict != UNDECIDED), one.id
        assert one.decided_low <= one.low and one.high <= one.decided_high, one.id
        assert bool(one.part) == bool(one.parts) and all(len(part) == 12 for part in one.parts)
    rows = json.loads(json.dumps(as_rows(found), allow_nan=False))
    assert {row["id"]: row["verdict"] for row in rows} == {one.id: one.verdict for one in found}
    assert all("tests" not in row for row in rows)

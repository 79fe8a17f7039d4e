"""Verdicts of all claims on items on studies whose truth is planted."""

from dataclasses import replace

import pytest
from planted import AMURO, NOTHING, ON_ITEMS, QUICK, SMOOTH, WIDE, World, found, simulate, verdicts, widened, without

from ripeness.findings.finding import settings_from
from ripeness.findings.scores import Scores
from ripeness.runtime.errors import UserError

RISING = AMURO.base | dict.fromkeys(("sentiment", "classes"), [0.5, 0.6, 0.7, 0.8, 0.9, 0.95])


def world_for(finding: str) -> World:
    """Give a claim as many datasets as it needs: two of each type say little of how both levels of pairs differ."""
    return widened(replace(AMURO, format_effect=None), 3) if finding == "transfer-between-types" else WIDE


@pytest.mark.parametrize("finding", ON_ITEMS)
def test_a_planted_truth_is_supported(finding):
    n_items = 3000 if finding == "transfer-within-type" else 300  # that nothing changes takes more to show
    got = verdicts(replace(world_for(finding), n_items=n_items), range(5), finding)
    assert got.count("supported") >= 4
    assert set(got) <= {"supported", "undecided"}


@pytest.mark.release
def test_nothing_is_rarely_supported_or_reversed():
    """In the long run 0.2 % and 0.3 % of verdicts; intervals of 95 % allow 2.5 % (4 of 160) each."""
    got = [one.verdict for seed in range(40) for one in found(NOTHING, simulate(NOTHING, seed), QUICK).values()]
    assert got.count("supported") <= 4
    assert got.count("reversed") <= 4


@pytest.mark.parametrize(
    ("finding", "truth"),
    [
        ("gain-by-learning", {"gain": {"sentiment": 0.1, "classes": -0.2, "summary": 0.1}}),
        ("format-spread", {"format_effect": SMOOTH[::-1]}),
        ("transfer-between-types", {"harm": {("choice", "generation"): -0.1, ("generation", "choice"): 0.2}}),
        ("transfer-within-type", {"harm": {("choice", "choice"): -0.4}, "base": RISING}),  # less and less to gain
    ],
)
def test_the_opposite_truth_is_reversed(finding, truth):
    world = replace(AMURO, **truth)
    if finding == "format-spread":
        world = replace(world, base={name: [0.3, 0.6, 0.6, 0.6, 0.6, 0.6] for name in world.kinds})
    got = verdicts(widened(world), range(5), finding)
    assert got.count("reversed") >= 4
    assert "supported" not in got


def test_that_both_kinds_exist_cannot_fall_to_datasets_of_one_kind():
    got = verdicts(replace(AMURO, base={name: [0.5] * 6 for name in AMURO.kinds}), range(5), "learned-in-pretraining")
    assert set(got) == {"undecided"}


@pytest.mark.parametrize("name", ["gain-by-learning", "transfer-between-types"])
def test_few_checkpoints_decide_no_claim_and_keep_their_numbers(name):
    world = world_for(name)
    steps = sorted({row.checkpoint for row in simulate(world, 0).blocks["classes0", "test"].rows})
    for n, verdict in [(4, "supported"), (3, "undecided")]:
        kept = without(simulate(world, 0), lambda row, block, n=n: row.method == "full" and row[1] not in steps[-n:])
        finding = found(world, kept, QUICK)[name]
        assert finding.verdict == verdict and finding.effect is not None, (n, finding)
        assert (finding.p_value is None) == (finding.decided_low is None) == (n < 4)
        assert finding.statement.startswith("Cannot be decided: 3 checkpoints are too few (at least 4). ") == (n < 4)


def test_an_unknown_setting_is_named_with_the_choices():
    with pytest.raises(UserError, match="unknown key 'smalest_effect'; known are smallest_effect"):
        settings_from({"smalest_effect": 0.1})


def test_another_method_is_tested_where_full_was_not_measured():
    scores = simulate(WIDE, 0)
    blocks = {
        key: replace(one, rows=[r._replace(method="lora") if r.method == "full" else r for r in one.rows])
        for key, one in scores.blocks.items()
    }
    finding = found(WIDE, Scores(scores.checkpoints, blocks))["gain-by-learning"]
    assert finding.verdict == "supported"
    assert any("'lora'" in caveat for caveat in finding.caveats)

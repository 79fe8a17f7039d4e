"""Verdicts on studies whose truth is planted."""

from dataclasses import replace

import numpy as np
import pytest
from planted import AMURO, NOTHING, QUICK, World, found, limits, simulate, verdicts, without

from ripeness.findings.finding import settings_from
from ripeness.findings.register import FINDINGS
from ripeness.findings.scores import Scores
from ripeness.runtime.errors import UserError


@pytest.mark.parametrize("finding", FINDINGS)
def test_a_planted_truth_is_supported(finding):
    n_items = 3000 if finding == "transfer-within-type" else 300  # that nothing changes takes more to show
    got = verdicts(replace(AMURO, n_items=n_items), range(8), finding)
    assert got.count("supported") >= 6
    assert "contradicted" not in got


def test_nothing_is_rarely_supported_or_contradicted():
    """In the long run 0.2 % and 0.3 % of verdicts; intervals of 95 % allow 2.5 % (4 of 160) each."""
    got = [one.verdict for seed in range(40) for one in found(NOTHING, simulate(NOTHING, seed), QUICK).values()]
    assert got.count("supported") <= 4
    assert got.count("contradicted") <= 4


@pytest.mark.parametrize(
    ("finding", "truth"),
    [
        ("learned-in-pretraining", {"base": {name: [0.5] * 6 for name in AMURO.kinds}}),
        ("gain-by-learning", {"gain": {"sentiment": 0.1, "classes": -0.2, "summary": 0.1}}),
        ("format-spread", {"format_effect": [0.0, 0.0, 0.0, 0.0, 0.2, 0.2]}),
        ("transfer-between-types", {"harm": {("choice", "generation"): -0.1, ("generation", "choice"): 0.2}}),
        ("transfer-within-type", {"harm": {("choice", "choice"): -0.4}}),  # later there is less left to gain
    ],
)
def test_the_opposite_truth_is_contradicted(finding, truth):
    world = replace(AMURO, **truth)
    if finding == "format-spread":
        world = replace(world, base={name: [0.3, 0.6, 0.6, 0.6, 0.6, 0.6] for name in world.kinds})
    got = verdicts(world, range(5), finding)
    assert got.count("contradicted") >= 4
    assert "supported" not in got


def test_one_dataset_shows_no_two_kinds_in_however_many_series():
    world = replace(AMURO, kinds={"sentiment": "choice"})
    scores = simulate(world, 1)
    again = {
        key: replace(one, rows=[row._replace(series="again") for row in one.rows]) for key, one in scores.blocks.items()
    }
    blocks = {
        key: replace(one, rows=one.rows + again[key].rows, values=np.concatenate([one.values, 0 * one.values]))
        for key, one in scores.blocks.items()
    }
    points = scores.checkpoints["run"]
    both = {"run": points, "again": [point._replace(series="again") for point in points]}
    finding = found(world, Scores(both, blocks))["learned-in-pretraining"]
    assert {(row["series"], row["class"]) for row in finding.details} == {("run", "learned"), ("again", "never")}
    assert finding.verdict == "undecided" and "One dataset cannot show that there are two kinds." in finding.caveats
    assert finding.statement.startswith("Of 2 trajectories of 1 dataset (")


def test_datasets_are_sorted_as_planted_with_the_numbers_in_the_sentence():
    finding = found(AMURO, simulate(AMURO, 3))["learned-in-pretraining"]
    assert {row["dataset"]: row["class"] for row in finding.details} == {
        "sentiment": "learned",
        "summary": "learned",
        "classes": "never",
    }
    rows = {row["dataset"]: row for row in finding.details}
    assert rows["summary"]["floor_name"] == "first checkpoint"
    assert f"sentiment {rows['sentiment']['late']:.2f} against 0.50" in finding.statement


def test_a_dataset_that_starts_high_is_not_called_learned():
    world = replace(AMURO, base=AMURO.base | {"classes": [0.9] * 6})
    finding = found(world, simulate(world, 1))["learned-in-pretraining"]
    assert {row["dataset"]: row["class"] for row in finding.details}["classes"] == "high from the start"
    assert finding.verdict == "undecided"


def test_the_gain_is_estimated_without_bias_where_noise_sorts_the_datasets():
    names = [f"d{number}" for number in range(6)]
    world = World(
        kinds=dict.fromkeys(names, "choice"),
        base={name: [0.5] * 3 + [0.6] * 3 for name in names},  # at the margin: chance alone decides the class
        gain=dict.fromkeys(names, 0.1),
        harm={},
        n_items=40,
        n_seeds=1,
    )
    effects = [
        finding.effect
        for seed in range(40)
        if (finding := FINDINGS["gain-by-learning"](limits(world), simulate(world, seed), QUICK)).effect is not None
    ]
    assert len(effects) > 25
    assert np.mean(effects) == pytest.approx(0.0, abs=0.025)


def test_the_interval_of_the_gain_covers_the_truth():
    world = replace(AMURO, format_effect=None, seed_sd=0.03)
    effects = [FINDINGS["gain-by-learning"](limits(world), simulate(world, seed), QUICK) for seed in range(40)]
    truth = 0.4 - (0.03 + 0.05) / 2
    assert np.mean([one.low <= truth <= one.high for one in effects]) >= 0.88
    assert np.mean([one.effect for one in effects]) == pytest.approx(truth, abs=0.02)


def test_no_headroom_is_named_as_a_caveat():
    finding = found(AMURO, simulate(AMURO, 0))["gain-by-learning"]
    assert any(caveat.startswith("Ceiling") for caveat in finding.caveats)


def test_at_the_floor_there_is_nothing_for_a_format_to_change():
    finding = found(AMURO, simulate(AMURO, 0))["format-spread"]
    assert any("at the floor" in caveat for caveat in finding.caveats)
    untouched = [row for row in finding.details if row["condition"] == "untouched" and row["dataset"] == "classes"]
    assert not any(row["is_off_floor"] for row in untouched)


def test_the_null_spread_stands_beside_every_spread():
    world = replace(AMURO, format_effect=None)
    rows = found(world, simulate(world, 0))["format-spread"].details
    assert np.mean([row["spread"] - row["null"] for row in rows]) == pytest.approx(0.0, abs=0.01)
    assert np.mean([row["spread"] > row["null_high"] for row in rows]) <= 0.15


def test_formats_that_never_differ_have_no_spread_and_no_trend():
    scores = simulate(AMURO, 0)
    for one in scores.blocks.values():
        first = {
            row._replace(probe_format="io"): index for index, row in enumerate(one.rows) if row.probe_format != "io"
        }
        for index, row in enumerate(one.rows):
            one.values[index] = one.values[first.get(row, index)]
    finding = found(AMURO, scores)["format-spread"]
    assert finding.verdict == "undecided"
    assert finding.effect == 0.0
    assert "tau with tokens undefined" in finding.statement


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
    assert f"What decides is {name}" in finding.statement and finding.p_value < 0.05
    end = " by tuning on choices" if name.startswith("choice") else " by tuning on generated answers"
    assert finding.unit.endswith(end)


@pytest.mark.parametrize("name", ["gain-by-learning", "transfer-between-types"])
def test_few_checkpoints_decide_no_claim_and_keep_their_numbers(name):
    steps = sorted({row.checkpoint for row in simulate(AMURO, 0).blocks["classes", "test"].rows})
    for n, verdict in [(4, "supported"), (3, "undecided")]:
        kept = without(simulate(AMURO, 0), lambda row, block, n=n: row.method == "full" and row[1] not in steps[-n:])
        finding = found(AMURO, kept)[name]
        assert finding.verdict == verdict and finding.low > 0, (n, finding)
        assert finding.statement.startswith("Cannot be decided: 3 checkpoints are too few (at least 4). ") == (n < 4)


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


def test_an_unknown_setting_is_named_with_the_choices():
    with pytest.raises(UserError, match="unknown key 'smalest_effect'; known are smallest_effect"):
        settings_from({"smalest_effect": 0.1})


def test_another_method_is_tested_where_full_was_not_measured():
    scores = simulate(AMURO, 0)
    blocks = {
        key: replace(one, rows=[r._replace(method="lora") if r.method == "full" else r for r in one.rows])
        for key, one in scores.blocks.items()
    }
    finding = found(AMURO, Scores(scores.checkpoints, blocks))["gain-by-learning"]
    assert finding.verdict == "supported"
    assert any("'lora'" in caveat for caveat in finding.caveats)

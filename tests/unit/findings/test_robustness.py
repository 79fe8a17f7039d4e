"""What a verdict rests on: planted studies in which one dataset carries it, and studies in which none does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from overtrained import BRITTLE, SETTINGS, planted
from planted import AMURO, FAST, QUICK, WIDE, World, simulate, tables_of

from ripeness.findings.deciding import adjusted, levels_of
from ripeness.findings.finding import Finding, Settings, with_effect
from ripeness.findings.left_out import MOST_CHECKPOINTS, Member, members_of, scores_without, without
from ripeness.findings.own_selection import OwnClaim
from ripeness.findings.register import all_findings
from ripeness.findings.robustness import retests_of, robustness_of, verdict_at, with_robustness
from ripeness.findings.scores import Scores, Stored, Wanted
from ripeness.findings.study_tables import Tables
from ripeness.stats.resampling import with_interval
from ripeness.stats.verdicts import EFFECT
from ripeness.tables.columns import MEASUREMENTS, conform


def judged(world: World, seed: int = 0, settings: Settings = QUICK) -> dict[str, Finding]:
    tables = tables_of(world, simulate(world, seed))
    return {one.id: one for one in with_robustness(all_findings(tables, settings), tables, settings)}


def changed(finding: Finding, kind: str) -> dict[str, str]:
    assert finding.robustness is not None
    return {
        one["left_out"]: one["verdict"] for one in finding.robustness["changes"] if one["left_out"].startswith(kind)
    }


def test_a_verdict_that_one_dataset_carries_falls_without_it():
    """Both kinds exist, but only one dataset is not learned."""
    finding = judged(replace(AMURO, n_items=300))["learned-in-pretraining"]
    assert finding.verdict == "supported"
    assert changed(finding, "dataset") == {"dataset classes": "undecided"}
    assert finding.robustness["n_same"] < finding.robustness["n_tried"]


def test_a_verdict_that_no_dataset_carries_stands_without_any():
    found = judged(replace(WIDE, n_items=300, n_seeds=3))
    gain, learned = found["gain-by-learning"], found["learned-in-pretraining"]
    assert (gain.verdict, learned.verdict) == ("supported", "supported")
    assert not changed(gain, "dataset") and not changed(gain, "seed")
    assert (gain.robustness["at_half"], gain.robustness["at_double"]) == ("supported", "supported")
    # untouched models have no seeds, so that the claim on them is not told from itself without one
    assert learned.robustness["kinds"] == ["dataset", "checkpoint"]
    assert learned.robustness["n_tried"] == 6 + 6
    assert gain.robustness["kinds"] == ["dataset", "seed", "checkpoint"]
    assert gain.robustness["n_tried"] == 6 + 3 + 6


def test_one_dataset_alone_may_leave_a_claim_undecided():
    """Datasets that are not learned gain more, but for one that is harmed."""
    names = [f"known{n}" for n in range(4)] + [f"new{n}" for n in range(4)]
    world = World(
        kinds=dict.fromkeys(names, "choice"),
        base={name: [0.5, 0.6, 0.7, 0.7, 0.7, 0.7] if name.startswith("known") else [0.5] * 6 for name in names},
        gain={name: 0.1 if name.startswith("known") else 0.4 for name in names} | {"new0": -0.3},
        harm={},
        n_items=300,
    )
    finding = judged(world)["gain-by-learning"]
    assert finding.verdict == "undecided"
    assert changed(finding, "dataset") == {"dataset new0": "supported"}


def test_a_claim_is_tested_again_at_the_level_that_decided_it():
    tables = planted(BRITTLE)
    found = all_findings(tables, SETTINGS)
    levels = levels_of(found, SETTINGS)
    assert [verdict_at(one, level) for one, level in zip(found, levels, strict=True) if level] == [
        one.verdict for one in found if one.tests
    ]
    assert all((level is None) == (one.p_value is None) for one, level in zip(found, levels, strict=True))
    for one, level in zip(found, levels, strict=True):
        if one.decided_confidence is not None and not one.parts and one.tests[0][0].tries == 1:
            assert one.decided_confidence == pytest.approx(1 - level)


@pytest.mark.release
def test_each_checkpoint_is_left_out_in_all_runs_at_once():
    tables = planted(BRITTLE)
    found = {one.id: one for one in with_robustness(all_findings(tables, SETTINGS), tables, SETTINGS)}
    finding = found["progressive-sensitivity"]
    assert finding.verdict == "supported" and finding.robustness["n_same"] == finding.robustness["n_tried"] >= 12


def test_other_smallest_effects_need_no_other_data():
    near = replace(
        with_effect(Finding(id="near"), with_interval(0.05, 0.01, df=1000, confidence=0.95), QUICK), expects=""
    )
    tests = ((replace(near.tests[0][0], expects=EFFECT),),)
    (found,) = adjusted([replace(near, tests=tests, expects=EFFECT)], QUICK)
    assert found.verdict == "supported"
    other = robustness_of(found, [], QUICK.level)
    assert (other["at_half"], other["at_double"], other["n_tried"]) == ("supported", "undecided", 0)


def test_a_claim_that_may_not_be_decided_is_not_tried():
    found = judged(replace(AMURO, n_seeds=1))
    assert found["gain-by-learning"].p_value is None and found["gain-by-learning"].robustness is None


def test_where_the_verdict_hangs_on_the_draws_all_are_used():
    tables = tables_of(AMURO, simulate(AMURO, 0))
    found = [one for one in all_findings(tables, FAST) if one.tests]
    levels = dict(zip([one.id for one in found], levels_of(found, FAST), strict=True))
    (settings, alike), *others = retests_of(found, tables, FAST, levels)
    assert settings.draws < FAST.draws and len(alike) == len(found) and not others
    doubtful = [replace(found[0], verdict="reversed"), *found[1:]]
    (fewer, _), (every, wholes) = retests_of(doubtful, tables, FAST, levels)
    assert every == FAST != fewer and list(wholes) == [found[0].id]


def test_a_study_without_a_member_is_the_study_that_never_had_it():
    scores = simulate(WIDE, 0)
    less = scores_without(scores, Member("dataset", ("classes0",)))
    assert {probe for probe, _ in less.blocks} == {*WIDE.kinds} - {"classes0"}
    assert "classes0" not in {row.dataset for block in less.blocks.values() for row in block.rows}
    less = scores_without(scores, Member("checkpoint", ("step2",)))
    assert [point.checkpoint for point in less.checkpoints["run"]] == [f"step{k}" for k in (0, 1, 3, 4, 5)]
    for key, block in less.blocks.items():
        whole = scores.blocks[key]
        kept = [place for place, row in enumerate(whole.rows) if row.checkpoint != "step2"]
        assert [whole.rows[place] for place in kept] == block.rows
        assert np.array_equal(block.values[range(len(kept))], whole.values[kept])
    less = scores_without(scores, Member("seed", ("0",)))
    kinds = {(row.method, row.seed) for block in less.blocks.values() for row in block.rows}
    assert kinds == {("base", 0), ("full", 1)}


def test_scores_in_a_file_are_left_there(tmp_path: Path):
    scores, blocks = simulate(AMURO, 0), {}
    for number, (key, block) in enumerate(scores.blocks.items()):
        block.values.tofile(tmp_path / str(number))
        blocks[key] = replace(block, values=Stored(tmp_path / str(number), block.values.shape))
    member = Member("seed", ("1",))
    stored = scores_without(Scores(scores.checkpoints, blocks), member)
    for key, block in scores_without(scores, member).blocks.items():
        assert np.array_equal(stored.blocks[key].values[[3, 0]], block.values[[3, 0]])


def test_fewer_than_three_are_not_left_out_and_many_checkpoints_go_with_their_neighbours():
    rows = [
        {"dataset": dataset, "probe": "quiz", "probe_kind": "choice", "method": "full", "seed": seed, "tokens": k}
        | {"checkpoint": f"step{k}", "step": k}
        for k in range(50)
        for dataset, seed in (("quiz", 1), ("other", 2))
    ]
    tables = Tables.of(measurements=conform(rows, MEASUREMENTS))
    members = list(members_of(tables))
    assert len(members) == MOST_CHECKPOINTS and {one.kind for one in members} == {"checkpoint"}
    assert [name for one in members for name in one.names] == [f"step{k}" for k in range(50)]
    assert str(members[0]) == "checkpoints step0 to step2" and str(Member("seed", ("1",))) == "seed 1"
    less = without(tables, members[0])
    assert less.measurements.height == 2 * 47 and not less.has("cells")
    kept = without(tables, Member("seed", ("2",))).measurements
    assert set(kept["dataset"]) == {"quiz"} and pl.Series(kept["seed"]).unique().to_list() == [1]


def test_seeds_of_simulated_networks_are_left_out(networks):
    more = {name: pl.concat([table, table.with_columns(pl.col("seed") + 2)]) for name, table in networks.items()}
    tables = Tables.of(simulated=more)
    assert [str(one) for one in members_of(tables)] == [f"seed {seed}" for seed in (1, 2, 3, 4)]
    found = with_robustness(all_findings(tables, QUICK), tables, QUICK)
    tried = [one.robustness for one in found if one.robustness]
    assert tried and all(one["n_tried"] == 4 and one["kinds"] == ["seed"] for one in tried)


@pytest.mark.release
def test_a_claim_of_the_users_own_is_tested_without_each_part_that_it_does_not_name():
    world = replace(WIDE, n_items=300, n_seeds=3, gain=dict.fromkeys(WIDE.kinds, 0.2))
    tables = tables_of(world, simulate(world, 0))
    usual = {"claim": "c", "metric": "score", "of": "level", "direction": "more", "smallest": 0.02}
    usual["expects"] = EFFECT
    first, *_ = world.kinds
    at_large = usual | {"compare": {"method": "full"}, "against": {"method": "base"}}
    named = at_large | {"compare": {"method": "full", "dataset": first, "checkpoint": "last"}}
    own = [OwnClaim.of_settings(name, claim) for name, claim in (("mine", at_large), ("named", named))]
    found = {one.id: one for one in with_robustness(all_findings(tables, QUICK, own), tables, QUICK, own)}
    robust = found["mine"].robustness
    assert found["mine"].verdict == "supported"
    assert robust["kinds"] == ["dataset", "seed", "checkpoint"] and robust["n_tried"] == 6 + 3 + 6
    assert robust["n_same"] >= 14 and robust["at_double"] == "supported"
    # other datasets and all checkpoints but the last do not bear on it, and its own dataset is what it is about
    assert found["named"].robustness["kinds"] == ["seed", "checkpoint"]
    assert all(f"dataset {first}" != one["left_out"] for one in found["named"].robustness["changes"])


def test_other_numbers_of_items_are_left_out_as_scores_are_and_read_once():
    read = []
    scores = simulate(AMURO, 0)
    tables = Tables.of(scores=scores, measurements=tables_of(AMURO, scores).measurements)
    tables = Tables({**tables.sources, "other_scores": lambda: lambda wanted: read.append(wanted) or scores})
    part = without(tables, Member("checkpoint", ("step1",)))
    for _ in range(2):
        found = part.other_scores(Wanted(shots=3))
        assert all(row.checkpoint != "step1" for block in found.blocks.values() for row in block.rows)
    assert len(read) == 1 and tables.other_scores(Wanted(shots=3)) is scores and len(read) == 1

"""Claims on alignment, on studies whose truth is planted in both directions."""

from dataclasses import replace

import polars as pl
import pytest
from aligned_studies import Truth, judged, planted
from overtrained import SETTINGS

from ripeness.findings.aligned import methods_of, root_of, stages, with_text
from ripeness.findings.register import findings_on
from ripeness.findings.study_tables import Tables

SUPPORTED, REVERSED, SMALL, OPEN = "supported", "reversed", "too small to matter", "undecided"


def line(early, late):
    """Plant a straight line with these means over the earlier and the later half of eight checkpoints."""
    return lambda u: early + (late - early) * (u - 3 / 14) * 7 / 4


CASES = {
    "alignment-forgets-later": [
        ({"stage": line(0, 0.2), "alone": line(0, 0.2)}, SUPPORTED, 0.2),
        ({"stage": line(0.2, 0), "alone": line(0.2, 0)}, REVERSED, -0.2),
        ({}, SMALL, 0.0),
    ],
    "stages-add-forgetting": [
        ({}, SUPPORTED, 0.125),  # 0.1 a stage; one of four ways has two
        ({"stage": lambda u: -0.1}, REVERSED, -0.125),
        ({"stage": lambda u: 0.0}, SMALL, 0.0),
        ({"stage": line(0.5, 0)}, SMALL, 0.0),  # what early checkpoints lose is no part of it
    ],
    "rl-forgets-less": [
        ({}, SUPPORTED, 0.4),
        ({"alone": lambda u: 0.8}, REVERSED, -0.3),
        ({"alone": lambda u: 0.5}, SMALL, 0.0),
    ],
    "rl-works-early": [
        ({}, SUPPORTED, 0.2),
        ({"gain": lambda u: -0.2}, REVERSED, -0.2),
        ({"gain": line(0, 0.2), "error": 0.001}, SMALL, 0.0),
    ],
    "proxy-overoptimised": [
        ({}, SUPPORTED, 0.1),
        ({"gap": lambda u: -0.1}, REVERSED, -0.1),
        ({"gap": line(0.2, 0), "error": 0.001}, SMALL, 0.0),
    ],
    "ripe-overoptimises-less": [
        ({"gap": line(0.2, 0)}, SUPPORTED, 0.2),
        ({"gap": line(0, 0.2)}, REVERSED, -0.2),
        ({"error": 0.001}, SMALL, 0.0),
    ],
}


@pytest.mark.parametrize(
    ("name", "truth", "verdict", "effect"), [(name, *case) for name, cases in CASES.items() for case in cases]
)
def test_a_planted_truth_is_found_in_both_directions(name, truth, verdict, effect):
    one = judged(name, planted(Truth(**truth)))
    assert one.verdict == verdict, one
    assert one.effect == pytest.approx(effect, abs=0.01) and one.low < one.effect < one.high
    assert one.smallest == 0.02 and one.n_seeds == 3 and "3 datasets" in one.covers


@pytest.mark.parametrize("name", CASES)
def test_the_scatter_of_checkpoints_and_datasets_is_in_the_interval(name):
    """At an effect of the smallest size neither verdict is right more often than chance allows."""
    still = {"stage": lambda u: 0.02, "alone": lambda u: 0.48, "gain": lambda u: 0.02, "gap": lambda u: 0.02}
    truth = Truth(**still, scatter=0.03)
    if name in ("alignment-forgets-later", "ripe-overoptimises-less"):
        course = line(0.05, 0.07) if name == "alignment-forgets-later" else line(0.07, 0.05)
        truth = replace(truth, stage=course, alone=course, gap=course)
    found = [judged(name, planted(truth, seed)) for seed in range(20)]
    assert sum(one.verdict in (SUPPORTED, SMALL) for one in found) <= 3, [one.effect for one in found]


@pytest.mark.parametrize("name", CASES)
def test_few_checkpoints_or_one_seed_decide_nothing_and_keep_their_numbers(name):
    few = judged(name, planted(Truth(n=3)))
    assert few.verdict == OPEN and few.effect is not None and "3 checkpoints are too few" in few.statement
    assert judged(name, planted(Truth(seeds=1, datasets=2))).verdict == OPEN
    assert judged(name, planted(Truth(n=1))).verdict == OPEN


def test_the_error_of_prompts_is_in_the_interval_where_datasets_are_few():
    widths = []
    for error in (0.001, 0.05):
        one = judged("proxy-overoptimised", planted(Truth(datasets=1, error=error)))
        widths.append(one.high - one.low)
        assert "the sampling of prompts" in one.covers
    assert widths[1] > 2 * 1.96 * 0.05 > widths[0]


def test_a_stage_that_diverged_somewhere_moves_no_difference_between_checkpoints():
    """Without it the earlier half would have a way less that forgets much."""
    tables = planted(Truth(stage=lambda u: 0.0, alone=lambda u: 1.0))
    is_gone = (pl.col("method") == "grpo-alone") & (pl.col("checkpoint") == "step0")
    status = pl.when(is_gone).then(pl.lit("diverged")).otherwise("status")
    one = judged(
        "alignment-forgets-later",
        Tables.of(measurements=tables.measurements, cells=tables.cells.with_columns(status=status), scores="not read"),
    )
    assert one.verdict == SMALL and one.effect == pytest.approx(0, abs=0.01)
    assert any(note.startswith("63 cells were not measured at every checkpoint") for note in one.caveats)


@pytest.mark.parametrize("name", CASES)
def test_trainings_that_diverged_are_in_no_number_and_are_named(name):
    tables = planted(Truth())
    is_gone = pl.col("method").is_in(["grpo", "grpo-rm", "grpo-alone"]) & (pl.col("checkpoint") == "step6")
    status = pl.when(is_gone).then(pl.lit("diverged")).otherwise("status")
    cells = tables.cells.with_columns(status=status)
    (said, *_) = [note for note in judged_on(tables, cells, name).caveats if "diverged" in note]
    assert said.startswith(f"{dict(LOST).get(name, 27)} trainings that diverged are in no number here")
    assert "at step6 (9)" in said


LOST = {"rl-forgets-less": 9, "rl-works-early": 18, "stages-add-forgetting": 18}


def judged_on(tables, cells, name):
    return judged(name, Tables.of(measurements=tables.measurements, cells=cells, scores="not read"))


def test_a_chain_is_followed_to_its_first_stage_also_on_another_dataset():
    tables = planted(Truth(n=2, datasets=2))
    is_moved = (pl.col("method") == "dpo") & (pl.col("dataset") == "set1")
    moved = pl.when(is_moved).then(pl.lit("set0")).alias("start_dataset")
    methods = methods_of(tables.cells.with_columns(moved))
    assert root_of(methods, "set1", "grpo-after-dpo") == ("set0", "sft")
    assert root_of(methods, "set0", "grpo-after-dpo") == ("set0", "sft")
    assert root_of(methods, "set0", "sft") == ("set0", "sft") and root_of(methods, "set0", "gone") is None
    dear = pl.when(pl.col("dataset") == "set0", pl.col("method") == "sft").then(pl.col("value") + 1)
    measured = tables.measurements.with_columns(value=dear.otherwise("value"))
    found = with_text(stages(tables.cells.with_columns(moved)), measured).filter(method="dpo", checkpoint="step1")
    starts = dict(found.group_by("dataset").agg(pl.col("text_start").mean()).iter_rows())
    assert starts == pytest.approx({"set0": 3.5, "set1": 3.5}, abs=0.02)


def test_sentences_say_what_each_stage_does():
    tables = planted(Truth())
    added = judged("stages-add-forgetting", tables).statement
    assert "after the first stage, which adds +0.50 to that of the checkpoint" in added
    assert "dpo +0.10, grpo +0.10, grpo-after-dpo +0.20 and grpo-rm +0.10" in added
    less = judged("rl-forgets-less", tables)
    assert (
        "The rule gives 0.10 to texts of the checkpoint, 0.40 after supervised tuning, 0.30 after this"
        in less.statement
    )
    assert "not at an equal gain" in less.caveats[0]
    gap = judged("proxy-overoptimised", planted(Truth(gap=lambda u: 0.4))).statement
    assert "whose reward rose in 72 of 72 trainings, in 72 of them while the truth fell" in gap
    assert "from 4k tokens on" in judged("rl-works-early", planted(Truth(gain=line(0, 0.2)))).statement
    assert (
        "no more than 0.02 at the last checkpoint"
        in judged("rl-works-early", planted(Truth(gain=line(0.2, 0)))).statement
    )


def test_what_supervised_tuning_gains_is_that_of_its_own_texts_dataset_by_dataset():
    """Texts of dpo, from which one policy starts, are none of supervised tuning; one dataset has more policies."""
    tables = planted(Truth(datasets=2))
    dear = (pl.col("method") == "grpo-after-dpo") | ((pl.col("dataset") == "set0") & (pl.col("method") == "grpo-rm"))
    cells = tables.cells.with_columns(
        truth_before=pl.when(pl.col("method") == "grpo-after-dpo").then(9.0).otherwise("truth_before")
    ).filter(~dear | (pl.col("method") == "grpo-after-dpo"))
    assert "0.10 to texts of the checkpoint, 0.40 after" in judged_on(tables, cells, "rl-forgets-less").statement


def test_each_claim_is_tested_only_where_a_study_has_what_it_needs():
    tables = planted(Truth())

    def tested(cells):
        here = Tables.of(measurements=tables.measurements, cells=cells, scores="not read")
        return {one.id for one in findings_on(here, SETTINGS, only=[*CASES, "sft-misleads-about-rl"])}

    assert tested(tables.cells) == {*CASES, "sft-misleads-about-rl"}
    assert tested(tables.cells.filter(method="sft")) == set()
    no_control = tables.cells.filter(pl.col("rewarded_by").fill_null("") != "rule")
    assert tested(no_control) == {"alignment-forgets-later", "stages-add-forgetting"}
    alone = tables.cells.filter(pl.col("method").is_in(["sft", "grpo-alone"]))
    assert tested(alone) == {"alignment-forgets-later", "rl-forgets-less", "rl-works-early"}

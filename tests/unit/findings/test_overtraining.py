"""All findings on overtraining on planted tables: each can come out supported, reversed and undecided."""

from dataclasses import replace

import polars as pl
import pytest
from overtrained import BRITTLE, SETTINGS, changed, found, on_overtraining, planted

from ripeness.findings.deciding import adjusted
from ripeness.findings.mitigation.claim import CLAIM


def test_brittle_models_are_found_brittle():
    verdicts = {name: one.verdict for name, one in on_overtraining(planted(BRITTLE)).items()}
    assert verdicts == {
        "progressive-sensitivity": "supported",
        "degradation-at-fixed-rate": "supported",
        "turning-point": "supported",
        "decay-or-tokens": "supported",
        "displacement-constancy": "supported",
    }


def test_models_that_grow_robust_reverse_the_claims():
    robust = replace(BRITTLE, noise={"init": -1.5}, harm=-1.0)
    assert found(robust, "progressive-sensitivity").verdict == "reversed"
    assert found(robust, "degradation-at-fixed-rate").verdict == "reversed"  # the last is the best
    assert found(robust, "turning-point").verdict != "supported"


def test_few_checkpoints_are_undecided_and_never_an_inflection_point():
    few = replace(BRITTLE, n_steps=3)
    assert found(few, "progressive-sensitivity").verdict == "undecided"
    assert "too few" in found(few, "progressive-sensitivity").statement
    assert found(few, "degradation-at-fixed-rate").verdict == "undecided"
    eight = found(replace(BRITTLE, n_steps=8), "turning-point")
    assert any("not an inflection point" in caveat for caveat in eight.caveats)


def test_one_checkpoint_decides_nothing_about_pre_training():
    tables = planted(replace(BRITTLE, n_runs=1, treatments=(("costly", -0.2, 0.3),)))
    last = tables.measurements["tokens"].max()
    for n, verdict in [(1, "undecided"), (3, "undecided"), (4, "reversed")]:
        few = tables.measurements.filter(pl.col("tokens") > last / 2 ** (n - 0.5))
        one = adjusted([CLAIM.worded(CLAIM.judge(changed(tables, measurements=few), SETTINGS))], SETTINGS)[0]
        assert one.verdict == verdict and one.effect == pytest.approx(0.3, abs=0.03), one
        few = "one checkpoint is" if n == 1 else f"{n} checkpoints are"
        assert one.statement.startswith(f"Cannot be decided: {few} too few (at") == (verdict == "undecided")


def test_one_pair_is_judged_by_its_stable_neighbours_or_not_at_all():
    tables = planted(replace(BRITTLE, n_runs=1))
    pair = on_overtraining(tables)["decay-or-tokens"]
    assert pair.verdict == "supported" and "how checkpoints scatter" in pair.covers
    last = tables.sensitivity["tokens"].max()
    alone = tables.sensitivity.filter(pl.col("tokens") > last / 5)  # three stable checkpoints and the twin
    pair = on_overtraining(changed(tables, sensitivity=alone))["decay-or-tokens"]
    assert pair.verdict == "undecided" and "does not show how checkpoints scatter" in pair.statement


def test_one_run_and_one_seed_decide_nothing():
    tables = planted(replace(BRITTLE, n_runs=1))
    one_seed = pl.col("seed") == 1
    few = {"measurements": tables.measurements.filter(one_seed), "cells": tables.cells.filter(one_seed)}
    one = on_overtraining(changed(tables, **few, sensitivity=None))
    assert one["displacement-constancy"].verdict == "undecided"
    assert one["decay-or-tokens"].verdict == "undecided"


def test_a_study_without_running_text_has_none_of_these_findings():
    tables = planted(BRITTLE)
    bare = tables.measurements.filter(pl.col("probe_kind") != "text")
    assert on_overtraining(changed(tables, measurements=bare, sensitivity=None)) == {}

"""Findings on studies of which something is missing."""

import json
from dataclasses import replace
from types import SimpleNamespace
from zlib import crc32

import numpy as np
import pytest
from planted import (
    AMURO,
    FAST,
    ON_ITEMS,
    QUICK,
    found,
    simulate,
    tables_of,
    without,
)

from ripeness.findings.pairs import choice_floor
from ripeness.findings.register import all_findings, as_rows
from ripeness.findings.scores import Scores
from ripeness.findings.study_tables import Tables
from ripeness.stats.verdicts import VERDICTS
from ripeness.tables.columns import IS_CHOSEN, MEASUREMENTS, conform

PARTIAL = {
    "no cells": lambda row, block: True,
    "untouched checkpoints only": lambda row, block: row.method != "base",
    "tuned models only": lambda row, block: row.method == "base",
    "one format": lambda row, block: row.format != "io" or row.probe_format != "io",
    "one dataset": lambda row, block: row.dataset != "classes" or block.probe != "classes",
    "no generation": lambda row, block: block.kind == "generation" or row.dataset == "summary",
    "no choice": lambda row, block: block.kind == "choice" or row.dataset != "summary",
    "one checkpoint": lambda row, block: row.checkpoint != "step3",
    "two checkpoints": lambda row, block: row.checkpoint not in ("step0", "step3"),
    "no first checkpoint": lambda row, block: row.checkpoint == "step0",
    "no transfer": lambda row, block: row.dataset != block.probe,
    "one dataset asked": lambda row, block: block.probe != "sentiment",
    "only transfer": lambda row, block: row.method == "full" and row.dataset == block.probe,
    "most cells missing": lambda row, block: crc32(repr(row).encode()) % 4 != 0 and row.method != "base",
    "untouched models missing at the end": lambda row, block: row.method == "base" and row.checkpoint > "step2",
    "one format asked for one dataset": lambda row, block: block.probe == "summary" and row.probe_format == "io",
    "seeds that differ by format": lambda row, block: (row.format == "io") == (row.seed == 1),
}


@pytest.mark.parametrize("drop", PARTIAL.values(), ids=PARTIAL)
def test_a_partial_study_is_undecided_with_a_reason_and_never_fails(drop, tmp_path):
    scores = without(simulate(replace(AMURO, n_items=40), 0), drop)
    for finding in found(AMURO, scores).values():
        assert finding.verdict in VERDICTS
        assert finding.statement
        if finding.effect is None and finding.verdict == "undecided":
            assert len(finding.statement) > 40
    json.dumps(as_rows(all_findings(tables_of(AMURO, scores), FAST)), allow_nan=False)


def test_what_a_partial_study_lacks_is_said():
    full = simulate(AMURO, 0)
    base_only = found(AMURO, without(full, PARTIAL["untouched checkpoints only"]))
    assert base_only["gain-by-learning"].statement.startswith("Cannot be decided: no pair of a model tuned by 'full'")
    one_format = found(AMURO, without(full, lambda row, block: row.probe_format == "io"))
    assert "two formats" in one_format["format-spread"].statement
    no_generation = found(AMURO, without(full, PARTIAL["no generation"]))
    assert "no model was tuned on one type" in no_generation["transfer-between-types"].statement
    few = found(AMURO, without(full, PARTIAL["two checkpoints"]))
    assert "4 untouched checkpoints" in few["learned-in-pretraining"].statement


def nothing():
    return conform([], MEASUREMENTS | IS_CHOSEN)


def test_a_study_without_anything_is_undecided_throughout():
    got = all_findings(Tables.of(measurements=nothing(), scores=Scores()), FAST)
    assert [finding.verdict for finding in got] == ["undecided"] * len(ON_ITEMS)


def test_too_few_items_decide_nothing():
    world = replace(AMURO, n_items=12)
    assert {one.verdict for one in found(world, simulate(world, 0)).values()} == {"undecided"}


def test_the_floor_is_the_majority_of_the_items_where_nothing_else_is_known():
    finding = all_findings(Tables.of(measurements=nothing(), scores=simulate(AMURO, 0)), FAST)[0]
    floors = {row["dataset"]: (row["floor_name"], row["floor"]) for row in finding.details}
    assert floors["classes"] == ("majority", pytest.approx(0.5))


def test_the_floor_is_that_of_the_format_in_which_a_dataset_is_judged():
    known = {"probe": "oaks", "chance": 0.2}
    shares = {"default": 0.2, "lettered": 0.4}
    rows = [known | {"probe_format": name, "majority": share} for name, share in shares.items()]
    blocks = {name: SimpleNamespace(probe="oaks", format=name) for name in shares}
    floors = {name: choice_floor(block, conform(rows, MEASUREMENTS), name) for name, block in blocks.items()}
    assert floors == {"default": ("chance", 0.2), "lettered": ("majority", 0.4)}


def test_one_tuning_seed_is_said_to_be_one():
    world = replace(AMURO, n_seeds=1)
    finding = found(world, simulate(world, 0))["gain-by-learning"]
    assert finding.n_seeds == 1
    assert "seed" not in finding.covers
    assert any("One tuning seed" in caveat for caveat in finding.caveats)


def test_missing_cells_are_counted():
    scores = without(
        simulate(AMURO, 0), lambda row, block: row.method == "full" and row[1:4] == ("step5", "classes", "io")
    )
    caveats = found(AMURO, scores)["gain-by-learning"].caveats
    assert any(caveat.startswith("2 of 36 tuned cells are missing") for caveat in caveats)


def test_an_annealed_checkpoint_is_left_out_of_the_trend():
    scores = simulate(AMURO, 0)
    points = [*scores.checkpoints["run"][:5], scores.checkpoints["run"][5]._replace(phase="annealed")]
    finding = found(AMURO, Scores({"run": points}, scores.blocks))["learned-in-pretraining"]
    assert finding.n_checkpoints == 5
    assert any("step5 left out" in caveat for caveat in finding.caveats)


def test_three_runs_are_an_axis_of_their_own():
    world = replace(AMURO, n_items=100)
    runs = {name: simulate(world, number) for number, name in enumerate(("first", "second", "third"))}
    blocks = {}
    for key in runs["first"].blocks:
        parts = [(name, scores.blocks[key]) for name, scores in runs.items()]
        rows = [row._replace(series=name) for name, part in parts for row in part.rows]
        blocks[key] = replace(parts[0][1], rows=rows, values=np.concatenate([part.values for _, part in parts]))
    points = {name: [p._replace(series=name) for p in scores.checkpoints["run"]] for name, scores in runs.items()}
    one, three = found(world, runs["first"], QUICK), found(world, Scores(points, blocks), QUICK)
    assert "3 pre-training runs" in three["gain-by-learning"].covers
    assert three["gain-by-learning"].effect == pytest.approx(one["gain-by-learning"].effect, abs=0.1)
    assert three["format-spread"].effect == pytest.approx(one["format-spread"].effect, abs=0.1)

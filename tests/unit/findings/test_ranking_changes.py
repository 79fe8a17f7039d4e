"""Whether the order of ways of tuning changes over pre-training, on planted scores."""

from itertools import product

import numpy as np
import polars as pl
import pytest
from overtrained import SETTINGS

from ripeness.findings.deciding import adjusted
from ripeness.findings.ranking_changes.claim import CLAIM
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, conform

WAYS = ("full", "lora", "prefix", "adapter")
HIGH_TO_LOW = (0.06, 0.04, 0.02, 0.0)


def study(late, *, early=HIGH_TO_LOW, datasets=6, n=8, seeds=3, noise=0.01, seed=0, ways=WAYS, facts=None) -> Tables:
    """Draw scores of ways at early and at late checkpoints; a seed moves every way by itself."""
    rng = np.random.default_rng(seed)
    rows, cells = [], []
    for k, d, number, (place, way) in product(range(n), range(datasets), range(seeds), enumerate(ways)):
        row = {"study": "drawn", "series": "run", "checkpoint": f"step{k}", "step": k, "tokens": 1000 * 2**k}
        row |= {"phase": "stable", "pretraining_seed": 0, "lr": 1e-3, "is_chosen": True, "suite": "own", "shots": 0}
        row |= {"dataset": f"set{d}", "format": "default", "method": way, "learning_rate": 1e-3, "seed": number}
        row |= {"probe": f"set{d}", "probe_kind": "choice", "probe_format": "default", "metric": "accuracy"}
        value = 0.6 + (early if k < n / 2 else late)[place] + noise * rng.standard_normal()
        rows.append(row | {"split": "test", "is_primary": True, "value": value, "n_items": 100})
        cells.append(
            {
                key: item
                for key, item in (row | {"kind": way} | (facts or {}).get(way, {})).items()
                if key in CELLS | IS_CHOSEN
            }
        )
    tables = {"measurements": conform(rows, MEASUREMENTS | IS_CHOSEN), "cells": conform(cells, CELLS | IS_CHOSEN)}
    return Tables.of(**tables)


def judged(tables: Tables):
    return adjusted([CLAIM.worded(CLAIM.judge(tables, SETTINGS))], SETTINGS)[0]


def test_an_order_that_is_turned_round_is_found_and_one_that_stays_is_not():
    turned = judged(study(HIGH_TO_LOW[::-1]))
    assert turned.verdict == "supported" and turned.effect > 1.5 and turned.smallest == pytest.approx(0.1)
    assert "full scores best on average in the earlier half and adapter in the later one" in turned.statement
    same = judged(study(HIGH_TO_LOW))
    assert same.verdict == "too small to matter" and abs(same.effect) < 0.1
    assert "full scores best on average in both halves" in same.statement
    assert len(same.details) == 8 * 6 and same.n_seeds == 3 and same.n_checkpoints == 8


@pytest.mark.release
@pytest.mark.parametrize("early", [HIGH_TO_LOW, (0.0,) * 4])
def test_noise_is_not_taken_for_a_change_nor_ways_that_begin_to_differ(early):
    found = [judged(study(HIGH_TO_LOW, early=early, noise=0.05, seed=seed)) for seed in range(40)]
    assert sum(one.verdict == "supported" for one in found) <= 3
    assert np.mean([one.effect for one in found]) < 0.05


def test_series_that_share_datasets_are_no_further_datasets():
    one = study(HIGH_TO_LOW[::-1], datasets=3, noise=0.05)
    twin = [frame.with_columns(series=pl.lit("twin")) for frame in (one.measurements, one.cells)]
    both = judged(Tables.of(measurements=pl.concat([one.measurements, twin[0]]), cells=pl.concat([one.cells, twin[1]])))
    alone = judged(one)
    assert (both.effect, both.low, both.high) == (alone.effect, alone.low, alone.high)
    assert both.covers == alone.covers and both.covers.startswith("the sampling of 3 datasets")


def test_a_way_that_lacks_a_format_is_not_compared_at_that_checkpoint():
    """The second format is harder: without it a way would look better than it is."""
    one = study(HIGH_TO_LOW)
    hard = one.measurements.with_columns(format=pl.lit("io"), probe_format=pl.lit("io"), value=pl.col("value") - 0.3)
    lost = (pl.col("method") == "adapter") & (pl.col("tokens") > 30_000)
    found = judged(Tables.of(measurements=pl.concat([one.measurements, hard.filter(~lost)]), cells=one.cells))
    assert found.n_checkpoints == 5 and found.verdict == "too small to matter"


def test_two_datasets_one_seed_or_two_ways_decide_nothing():
    few = judged(study(HIGH_TO_LOW[::-1], datasets=2))
    assert few.verdict == "undecided" and few.effect > 1.5 and "2 datasets cannot show" in few.statement
    for tables in (study(HIGH_TO_LOW, seeds=1), study(HIGH_TO_LOW, ways=WAYS[:2])):
        assert judged(tables).verdict == "undecided"


def test_ways_with_another_task_are_in_no_order():
    """Doses, texts and what starts from a tuned model would have an order of their own."""
    facts = {"prefix": {"start": "sft"}, "adapter": {"learns": "text"}}
    tables = study(HIGH_TO_LOW[::-1], facts=facts)
    assert judged(tables).verdict == "undecided"
    forms = [CLAIM.form_for(Tables.of(cells=one.cells, scores="not read")) for one in (study(HIGH_TO_LOW), tables)]
    assert forms == [CLAIM.judge, None]
    three = judged(study(HIGH_TO_LOW[::-1], facts={"adapter": {"examples": 8, "doses_of": "adapter"}}))
    assert three.verdict == "supported" and "Orders of full, lora and prefix agree" in three.statement

"""Decayed against stable checkpoints, on planted tables."""

from dataclasses import replace

import polars as pl
import pytest
from overtrained import BRITTLE, SETTINGS, changed, found, on_overtraining, planted

from ripeness.findings.decay_or_tokens.claim import CLAIM


def test_a_decayed_twin_is_compared_at_equal_tokens():
    one = found(BRITTLE, "decay-or-tokens")
    assert one.effect == pytest.approx(1, abs=0.15)  # twice as much is one doubling
    even = found(replace(BRITTLE, decay=1.0), "decay-or-tokens")
    assert even.verdict == "undecided"
    assert even.low < 0 < even.high
    assert found(replace(BRITTLE, decay=0.5), "decay-or-tokens").verdict == "reversed"


def test_without_noise_decay_is_judged_by_tuning():
    tables = planted(BRITTLE)
    one = on_overtraining(changed(tables, sensitivity=None))["decay-or-tokens"]
    assert one.verdict == "supported"
    assert one.statement.startswith("By tuning")


@pytest.mark.parametrize("facts", [{"start": "sft"}, {"learns": "text"}])
@pytest.mark.parametrize("name", ["decay-or-tokens", "displacement-constancy"])
def test_models_that_learned_a_text_or_start_from_a_tuned_one_are_left_out(facts, name):
    """One model that learned a text stands in the cells of every dataset, as if it was many."""
    tables, is_other = planted(replace(BRITTLE, treatments=(("other", 0.5, 0.0),))), pl.col("method") == "other"
    marks = {key: pl.when(is_other).then(pl.lit(value)) for key, value in facts.items()}
    marked = changed(tables, cells=tables.cells.with_columns(**marks), sensitivity=None)
    left = {part: getattr(tables, part).filter(~is_other) for part in ("measurements", "cells")}
    one, expected = (on_overtraining(some)[name] for some in (marked, changed(tables, **left, sensitivity=None)))
    numbers = pytest.approx((expected.effect, expected.low, expected.high), rel=1e-12)
    assert (one.effect, one.low, one.high) == numbers
    assert on_overtraining(changed(tables, sensitivity=None))[name].effect != numbers.expected[0]


def test_the_same_tables_give_the_same_numbers_to_the_last_bit():
    tables = planted(BRITTLE)
    for some in (tables, changed(tables, sensitivity=None)):
        claims = (CLAIM.test(some, SETTINGS) for _ in range(12))
        assert len({repr((one.effect, one.low, one.high, one.details)) for one in claims}) == 1

"""What tuning adds."""

import polars as pl
import pytest
from drawn import frame_of, tables_of

from ripeness.figures.register import BY_ID
from ripeness.findings.finding import Settings


def test_gain_is_tuned_minus_untouched_of_the_same_format(synthetic_study):
    frame = frame_of("gain", synthetic_study)
    point = (pl.col("checkpoint") == "step1953") & (pl.col("panel") == "nursery-mood") & (pl.col("format") == "io")
    change, level = (frame.filter(point, pl.col("row") == row) for row in ("change in score", "score"))
    scores = dict(zip(level["method"], level["value"], strict=True))
    assert change["value"].item() == pytest.approx(scores["full"] - scores["base"], abs=2e-5)


def test_pairing_by_item_makes_intervals_of_gain_narrower_on_paired_data(synthetic_study):
    change = pl.col("row") == "change in score"
    paired, independent = (
        BY_ID["gain"].frame(tables_of(synthetic_study, has_items=has_items), Settings()).filter(change)
        for has_items in (True, False)
    )
    assert set(paired["items"]) == {"paired"} and set(independent["items"]) == {"independent"}
    widths = [(frame["high"] - frame["low"]).mean() for frame in (paired, independent)]
    assert widths[0] < 0.9 * widths[1]
    assert paired["value"].to_list() == pytest.approx(independent["value"].to_list())

"""How far formats are apart."""

import polars as pl
import pytest
from drawn import frame_of


def test_spread_is_highest_minus_lowest_format(synthetic_study):
    frame = frame_of("format-spread", synthetic_study).filter(
        pl.col("checkpoint") == "step1953", pl.col("panel") == "nursery-summary", pl.col("method") == "full"
    )
    matrix = frame.filter(pl.col("row") == "matrix")
    by_trained = matrix.group_by("format").agg(pl.col("value").max() - pl.col("value").min())
    # the two seeds of the invented summaries do not differ enough to change the order of formats
    assert frame.filter(pl.col("row") == "spread")["value"].item() == pytest.approx(
        by_trained["value"].mean(), abs=0.01
    )

"""What tuning changes on other datasets."""

import polars as pl
import pytest
from drawn import frame_of


def test_transfer_leaves_out_formats_that_the_model_was_not_trained_in_on_its_own_dataset(synthetic_study):
    gain = frame_of("gain", synthetic_study).filter(pl.col("format") == "all", pl.col("row") == "change in score")
    own = frame_of("transfer", synthetic_study).filter(pl.col("dataset") == pl.col("probe"))
    assert own["value"].to_list() == pytest.approx(gain["value"].to_list())

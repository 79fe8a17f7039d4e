"""All figures of measurements: valid Vega-Lite, whatever the order of the rows and the number of series."""

import polars as pl
import pytest
from drawn import MEASURED, frame_of

from ripeness.figures.register import BY_ID


@pytest.mark.parametrize("name", MEASURED)
def test_every_figure_is_valid_vega_lite_and_has_rows(name, synthetic_study):
    frame = frame_of(name, synthetic_study)
    assert frame.height > 0
    BY_ID[name].chart(frame).to_dict()  # checks itself against the schema of Vega-Lite


@pytest.mark.parametrize("name", MEASURED)
def test_figures_are_the_same_whatever_the_order_of_the_rows(name, synthetic_study):
    shuffled = {table: frame.sample(fraction=1, shuffle=True, seed=1) for table, frame in synthetic_study.items()}
    assert frame_of(name, shuffled).equals(frame_of(name, synthetic_study))


def test_several_series_stand_in_panels_of_their_own(synthetic_study):
    second = {
        name: pl.concat([frame, frame.with_columns(pl.lit("other").alias("series"))])
        for name, frame in synthetic_study.items()
    }
    for name in MEASURED:
        frame = frame_of(name, second)
        assert set(frame["panel"].str.split(": ").list.first()) == {"nursery", "other"}
        BY_ID[name].chart(frame).to_dict()


def test_study_with_base_only_has_figures(synthetic_study):
    base = synthetic_study | {
        name: synthetic_study[name].filter(pl.col("method") == "base") for name in ("measurements", "cells", "items")
    }
    for name in ("availability", "learned-in-pretraining", "gain", "format-spread"):
        BY_ID[name].chart(frame_of(name, base)).to_dict()
    assert frame_of("transfer", base).is_empty()

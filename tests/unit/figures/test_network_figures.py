"""The figures of simulated networks."""

import polars as pl
import pytest
from networks import OF_NETWORKS

from ripeness.figures import theory_features
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables


@pytest.mark.parametrize("name", OF_NETWORKS)
def test_every_figure_is_valid_vega_lite_and_has_no_gaps(name, networks):
    figure = OF_NETWORKS[name]
    frame = figure.frame(Tables.of(simulated=networks), Settings())
    assert frame.height and frame["value"].null_count() == 0 and (frame["n_seeds"] == 2).all()
    assert (frame["low"] <= frame["value"]).all() and (frame["value"] <= frame["high"]).all()
    assert len(figure.says(frame)) > 20
    figure.chart(frame).to_dict()  # checks itself against the schema of Vega-Lite
    one = figure.frame(
        Tables.of(simulated={table: rows.filter(seed=1) for table, rows in networks.items()}), Settings()
    )
    figure.chart(one).to_dict(validate=False)


def test_the_predicted_turn_is_the_last_feature_above_the_threshold(networks):
    frame = theory_features.frame(Tables.of(simulated=networks), Settings()).filter(panel="by features learned")
    turns = dict(frame.filter(pl.col("turn").is_not_null()).select("gamma", "turn").unique().iter_rows())
    # 2 * 0.06^2 * 8 = 0.0576 is below all of 1 to 1/8; 2 * 0.2^2 * 8 = 0.64 below the first
    assert turns == {0.06: 8, 0.2: 1}

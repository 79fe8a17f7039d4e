"""Data and pictures of the figures on overtraining, from planted tables."""

import polars as pl
import pytest
from overtrained import SETTINGS, Truth, changed, planted

import collect_sensitivity
from ripeness.figures import pareto, sensitivity
from ripeness.figures.losses_after_tuning import losses_after_tuning
from ripeness.figures.register import BY_ID
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import SENSITIVITY, conform

LACKS = {"a linear reading", "doses", "several ways", "alignment", "policies", "pictures"}  # of what figures need
ON_OVERTRAINING = [figure.id for figure in BY_ID.values() if "models" in figure.needs and not LACKS & {*figure.needs}]
GRID = Truth(noise={"init": 1.5, "relative": 1.0}, rates=(1e-4, 1e-3), treatments=(("lora", -0.2, 0.0),))


@pytest.fixture(scope="module")
def tables() -> Tables:
    return planted(GRID)


@pytest.mark.parametrize("name", ON_OVERTRAINING)
def test_every_figure_is_valid_and_says_what_it_shows(tables, name):
    figure = BY_ID[name]
    frame = figure.frame(tables, SETTINGS)
    figure.chart(frame).to_dict(validate=True)
    assert len(figure.says(frame)) > 20


def test_runs_that_differ_by_seed_are_one_line_with_an_interval_over_runs(tables):
    frame = sensitivity.frame(tables, SETTINGS)
    assert frame["series"].unique().to_list() == ["run"]
    increase = frame.filter(
        pl.col("row") == "increase of the loss", pl.col("size") == "1.0", pl.col("tokens") == 2048000
    )
    one = increase.filter(kind="noise, init", phase="stable").row(0, named=True)
    assert one["value"] == pytest.approx(0.05 * 10**1.5, rel=0.1)
    assert one["low"] < one["value"] < one["high"]
    assert one["n_runs"] == 3


def test_untouched_text_stands_next_to_every_tuning(tables):
    frame = losses_after_tuning(tables, SETTINGS)
    base = frame.filter(recipe="none")
    assert set(base["panel"]) == set(frame["panel"]) == {"quiz, full", "quiz, lora"}
    assert set(frame["recipe"]) == {"none", "0.0001", "0.001"}


def test_the_front_pairs_text_and_answers_of_the_same_models(tables):
    frame = pareto.frame(tables, SETTINGS)
    assert frame["panel"].unique().to_list() == ["quiz"]  # methods share a panel
    assert frame["tokens"].min() > 0
    last = frame.filter(tokens=2048000, phase="stable", method="full").sort("learning_rate")
    assert last["answer"][0] > last["answer"][1]  # the smaller rate learns less
    assert last["value"][0] < last["value"][1]  # and loses less


def test_a_study_that_perturbs_nothing_has_no_sensitivity(tables):
    assert sensitivity.frame(changed(tables, sensitivity=None), SETTINGS).is_empty()


def test_tuning_is_a_perturbation_in_the_same_table(tables, tmp_path):
    perturbed = conform(tables.sensitivity.head(1), SENSITIVITY)
    perturbed.write_parquet(tmp_path / "one.parquet")
    bent = tables.cells.with_columns(curvature=pl.lit(2.0))
    places = []
    for name, table in (("measurements", tables.measurements), ("cells", bent)):
        table.write_parquet(tmp_path / f"{name}.parquet")
        places += [f"--{name}", str(tmp_path / f"{name}.parquet")]
    output = tmp_path / "sensitivity.parquet"
    collect_sensitivity.main(["--tables", str(tmp_path / "one.parquet"), *places, "--output", str(output)])
    found = pl.read_parquet(output)
    rows = found.filter(perturbation="displacement")
    assert found.height == 1 + rows.height and rows.height == tables.cells.height
    one = rows.row(0, named=True)
    own = tables.cells.filter(**{key: one[key] for key in collect_sensitivity.CELL})
    assert one["scale"] == own["displacement"][0] and one["curvature"] == 2.0
    assert one["increase"] == pytest.approx(one["loss"] - one["base_loss"])

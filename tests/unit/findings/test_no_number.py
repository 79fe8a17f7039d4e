"""What has no number is left out by findings and figures as a whole, and shown with its reason."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from overtrained import QUICK, Truth, changed, planted
from planted import AMURO, as_items, simulate

from ripeness.figures import sensitivity
from ripeness.figures.register import FIGURES
from ripeness.findings.decay_or_tokens.claim import tuning_damage
from ripeness.findings.finding import Settings
from ripeness.findings.mitigation.claim import tuned_losses
from ripeness.findings.scores import Row, Wanted, read_scores
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import noise_increases, text_losses
from ripeness.report.number_tables import reference_table, tie_counts
from ripeness.report.score_table import score_table
from ripeness.tables.intervals import scores
from write_report import lost_cells


def null(frame: pl.DataFrame, name: str, where: pl.Expr, value: float | None = None) -> pl.DataFrame:
    """The rows `where` with null, or another value that is no number, in a column."""
    return frame.with_columns(pl.when(where).then(pl.lit(value, frame[name].dtype)).otherwise(name).alias(name))


LOST = (pl.col("checkpoint") == "step3") & (pl.col("dataset") == "classes") & (pl.col("method") == "full")
LOST &= (pl.col("seed") == 1) & (pl.col("format") == "io") & (pl.col("probe") == "classes")


def test_a_model_whose_items_are_null_is_no_row_of_the_findings(tmp_path):
    truth = simulate(AMURO, 0)
    items = null(as_items(truth), "score", LOST)
    items.write_parquet(tmp_path / "items.parquet")
    block = read_scores([tmp_path / "items.parquet"], Wanted(), tmp_path).blocks["classes", "test"]
    lost = {Row("run", "step3", "classes", "io", "full", 1, asked) for asked in ("default", "io")}
    assert set(truth.blocks["classes", "test"].rows) - set(block.rows) == lost
    assert not np.isnan(block.values[list(range(len(block.rows)))]).any()


# a measurement with a value is a figure's; one without is not, and its neighbours stay
@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_figures_and_tables_of_scores_leave_out_what_has_no_number(synthetic_study, value):
    whole, cells = synthetic_study["measurements"], synthetic_study["cells"]
    here = (pl.col("checkpoint") == "step244") & (pl.col("dataset") == "nursery-mood")
    some = null(whole, "value", here, value)
    gone = whole.filter(~here)
    assert some.height > gone.height
    assert scores(some).equals(scores(gone))
    assert score_table(some) == score_table(gone)
    assert tie_counts(some) == tie_counts(gone)
    for figure in [one for one in FIGURES if one.needs == ("measurements",) and one.id != "availability"]:
        one, other = (figure.frame(Tables.of(measurements=frame, cells=cells), Settings()) for frame in (some, gone))
        assert one.equals(other), figure.id


def test_the_table_of_reference_tasks_leaves_out_what_has_no_number(synthetic_study):
    task = {"probe_kind": pl.lit("harness"), "metric": pl.lit("acc,none"), "source": pl.lit("lm_eval 1")}
    rows = synthetic_study["measurements"].filter(metric="accuracy", method="base", shots=0).with_columns(**task)
    here = (pl.col("checkpoint") == "step244") & (pl.col("dataset") == "nursery-mood")
    found = reference_table(null(rows, "value", here))
    assert found == reference_table(rows.filter(~here)) and any("–" in row for *_, row in found["rows"])


def test_a_mean_of_formats_of_which_one_has_no_number_is_none():
    tables = planted(Truth(noise={"init": 1.0}))
    loss = (pl.col("metric") == "loss") & (pl.col("method") != "base")
    twice = pl.concat([tables.measurements, tables.measurements.filter(loss).with_columns(format=pl.lit("io"))])
    here = loss & (pl.col("format") == "io") & (pl.col("checkpoint") == "step3")
    lost = null(twice, "value", here)
    for curve, other in zip(text_losses(twice, QUICK), text_losses(lost, QUICK), strict=True):
        assert curve.is_whole and np.isnan(other.values[3]).all()
        assert np.isfinite(np.delete(other.values, 3, axis=0)).all()
    damage = tuning_damage(lost).filter(checkpoint="step3")
    assert damage.height and damage["increase"].null_count() == damage.height
    cells = tuned_losses(null(tables.measurements, "value", loss & (pl.col("checkpoint") == "step3")))
    assert cells.equals(tuned_losses(tables.measurements).filter(pl.col("checkpoint") != "step3"))


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_loss_under_noise_that_is_no_number_ranks_above_all_and_is_not_drawn(value):
    tables = planted(Truth(noise={"init": 1.0}))
    here = (pl.col("checkpoint") == "step3") & (pl.col("perturbation") == "noise")
    for name in ("loss", "increase"):
        tables = changed(tables, sensitivity=null(tables.sensitivity, name, here, value))
    assert all(np.isposinf(curve.values[3]).all() for curve in noise_increases(tables.sensitivity, QUICK))
    drawn = sensitivity.frame(tables, QUICK)
    assert drawn["value"].is_finite().all()
    assert set(drawn.filter(pl.col("kind") != "rounding", size="none", checkpoint="step3")["row"]) != set()
    assert drawn.filter(
        pl.col("kind").str.starts_with("noise"), pl.col("size") != "none", checkpoint="step3"
    ).is_empty()


def test_the_report_lists_cells_with_the_reason_why_something_has_no_number(synthetic_study):
    cells = synthetic_study["cells"]
    reason = "nursery-mood (io, 0 shots): 1 of 40 items without a number: no finite log-likelihood of 1 of 2 options"
    here = (pl.col("checkpoint") == "step244") & (pl.col("dataset") == "nursery-mood") & (pl.col("seed") == 1)
    marked = cells.with_columns(reason=pl.when(here).then(pl.lit(reason)).otherwise("reason"))
    new = [row for row in lost_cells(marked) if row not in lost_cells(cells)]
    assert len(new) == cells.filter(here).height and {row["reason"] for row in new} == {reason}
    template = Path(__file__).parents[3] / "reports" / "page" / "figures.html.j2"
    assert "or with measurements that have no number" in template.read_text()

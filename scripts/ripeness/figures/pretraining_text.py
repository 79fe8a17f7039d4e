"""What tuning costs on the text of pre-training."""

import polars as pl

from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.sentences import change_by_tuning
from ripeness.figures.tuning_contrast import contrast, contrast_chart
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Collect bits per byte of running text before and after tuning, by dataset tuned on (not paired)."""
    text = tables.reported.filter(pl.col("probe_kind") == "text")
    tuned = text.filter(pl.col("method") != "base")
    # The untouched model belongs to every dataset and format that the series was tuned in.
    owners = tuned.select("series", "dataset", "format").unique()
    base = text.filter(pl.col("method") == "base")
    if tuned.height:
        base = base.drop("dataset", "format").join(owners, on="series")
    frame = contrast(
        pl.concat([tuned, base.select(tuned.columns)]), None, kinds=["text"], name="bits per byte"
    ).with_columns(pl.concat_str("dataset", pl.lit(" on "), "probe").alias("trained"))
    panel = "trained" if frame["probe"].n_unique() > 1 else "dataset"
    return tidy(with_labels(frame, panel).drop("trained"), ["method", "format"])


def says(frame: pl.DataFrame) -> str:
    """Say what tuning costs on running text at the last checkpoint."""
    return change_by_tuning(frame, "bits per byte", 3)


FIGURE = Figure(
    id="pretraining-text",
    section="What does tuning change elsewhere?",
    question="What does tuning cost on the text of pre-training?",
    needs=("measurements",),
    frame=frame,
    chart=contrast_chart,
    says=says,
)

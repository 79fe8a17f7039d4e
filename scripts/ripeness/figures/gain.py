"""What tuning adds on the dataset tuned on."""

import polars as pl

from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.sentences import change_by_tuning
from ripeness.figures.tuning_contrast import contrast, contrast_chart
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import IS_OWN


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Compute the score gained by tuning on the dataset itself, and the scores before and after."""
    # measured on the dataset and in the format that the model was tuned in
    as_trained = pl.col("format") == pl.col("probe_format")
    in_domain = (pl.col("dataset") == pl.col("probe")) & as_trained
    own = None if tables.items is None else [part.filter(in_domain) for part in tables.items]
    rows = tables.reported.filter(IS_OWN & as_trained)
    tuned = rows.filter(pl.col("method") != "base").select("series", "probe").unique()
    rows = rows.join(tuned, on=["series", "probe"], how="semi")
    frame = contrast(rows, own, kinds=["choice", "generation"], name="score", smallest=settings.smallest_effect)
    return tidy(with_labels(frame, "probe"), ["method", "format"])


def says(frame: pl.DataFrame) -> str:
    """Say what tuning adds at the last checkpoint."""
    return change_by_tuning(frame, "score")


FIGURE = Figure(
    id="gain",
    section="What does tuning add?",
    question="How much does tuning add at each checkpoint?",
    needs=("measurements",),
    frame=frame,
    chart=contrast_chart,
    says=says,
)

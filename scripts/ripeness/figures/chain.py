"""The loss on text after each stage of alignment, against pre-training."""

from typing import Any

import altair as alt
import polars as pl

from ripeness.figures.colours import METHOD_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.panels import colours, panels_of
from ripeness.figures.sentences import latest, place_of
from ripeness.figures.trends import trend
from ripeness.findings.aligned import stages, with_text
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.study.study_config import BASE
from ripeness.tables.intervals import POINT


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Average the loss on text over formats and seeds: a row for each checkpoint, dataset and stage, and untouched.

    `low` to `high` is twice the standard error over seeds; null for one seed.
    """
    found = with_text(stages(tables.cells), tables.reported)
    if found.is_empty():
        return pl.DataFrame()
    steps = tables.reported.select(POINT).unique()
    by = [*POINT, "dataset", "method"]
    placed = found.join(steps, on=["series", "checkpoint", "tokens", "phase"])
    seeds = placed.group_by(*by, "seed").agg(pl.col("text", "text_untouched").mean())
    error = 2 * pl.col("text").std() / pl.len().sqrt()
    means = seeds.group_by(by).agg(
        value=pl.col("text").mean(), low=pl.col("text").mean() - error, high=pl.col("text").mean() + error
    )
    untouched = seeds.group_by(*POINT, "dataset").agg(value=pl.col("text_untouched").mean())
    untouched = untouched.with_columns(method=pl.lit(BASE), low=None, high=None).select(means.columns)
    both = pl.concat([means, untouched], how="vertical_relaxed").with_columns(row=pl.lit("nats a token"))
    return tidy(with_labels(both, "dataset"), ["dataset", "method"])


def chart(frame: pl.DataFrame) -> alt.FacetChart:
    """Draw a panel for each dataset and a line for each stage."""
    colour = colours(frame["method"], METHOD_COLOURS, has_legend=False)
    frame = frame.with_columns(name=pl.col("method").replace({BASE: "untouched"}))
    look: dict[str, Any] = {"panels": panels_of(frame), "colour": colour, "title": "loss on text, nats a token"}
    return trend(frame, **look, detail=["method"], named_by="name")


def says(frame: pl.DataFrame) -> str:
    """Say the mean of each line at the last checkpoint."""
    rows = latest(frame)
    means = rows.group_by("method").agg(pl.col("value").mean()).sort("value", "method")
    said = ", ".join(f"{name.replace(BASE, 'untouched')} {value:.2f}" for name, value in means.iter_rows())
    return f"Mean loss on text {place_of(rows)}: {said}"


FIGURE = Figure(
    id="chain",
    section="What does alignment do?",
    question="What does each stage of alignment forget?",
    needs=("models", "texts", "alignment"),
    frame=frame,
    chart=chart,
    says=says,
)

"""What an untouched model says, what its states hold, and what it says once tuned."""

from typing import Any

import altair as alt
import polars as pl

from ripeness.figures.colours import METHOD_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.panels import colours, panels_of
from ripeness.figures.sentences import latest, place_of
from ripeness.figures.trends import trend
from ripeness.findings.finding import Settings
from ripeness.findings.linear_reading import reading_method, tuning_method
from ripeness.findings.study_tables import Tables
from ripeness.study.study_config import BASE
from ripeness.tables.columns import IS_OWN
from ripeness.tables.intervals import POINT, compared, pooled, scores, with_interval


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Average the scores of the three readings over formats and seeds, by checkpoint and dataset."""
    reading, tuning = reading_method(tables), tuning_method(tables, settings)
    if reading is None:
        return pl.DataFrame()
    rows = tables.reported.filter(IS_OWN, pl.col("format") == pl.col("probe_format"))
    asked = rows.filter(method=reading).select("series", "checkpoint", "probe", "probe_format").unique()
    rows = rows.filter(pl.col("method").is_in([BASE, reading, tuning])).join(
        asked, on=["series", "checkpoint", "probe", "probe_format"], how="semi"
    )
    by = ["series", *POINT[1:], "probe", "method"]
    found = with_interval(pooled(compared(scores(rows)), by), is_share=True)
    return tidy(with_labels(found, "probe").with_columns(row=pl.lit("score")), ["probe", "method"])


def chart(frame: pl.DataFrame) -> alt.FacetChart:
    """Draw a panel for each dataset and a line for each reading."""
    colour = colours(frame["method"], METHOD_COLOURS, has_legend=False)
    frame = frame.with_columns(name=pl.col("method").replace({BASE: "untouched"}))
    look: dict[str, Any] = {"panels": panels_of(frame), "colour": colour, "title": "score"}
    return trend(frame, **look, detail=["method"], named_by="name")


def says(frame: pl.DataFrame) -> str:
    """Say the mean score of each reading at the last checkpoint."""
    rows = latest(frame)
    means = rows.group_by("method").agg(pl.col("value").mean()).sort("value", "method")
    said = ", ".join(f"{name.replace(BASE, 'untouched')} {value:.2f}" for name, value in means.iter_rows())
    return f"Mean score {place_of(rows)}: {said}"


FIGURE = Figure(
    id="known-and-said",
    section="What does tuning add?",
    question="What does an untouched model know, and what does it say?",
    needs=("models", "a linear reading"),
    frame=frame,
    chart=chart,
    says=says,
)

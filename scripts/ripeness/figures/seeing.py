"""How well a model answers about pictures, with its own pictures and with others, and by type of question."""

from typing import Any

import altair as alt
import polars as pl

from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.panels import colours, panels_of, reference_lines
from ripeness.figures.sentences import latest, place_of
from ripeness.figures.trends import trend
from ripeness.findings.finding import Settings
from ripeness.findings.seeing import BLANK, EXCHANGED, PART, blind_methods, judged_stages
from ripeness.findings.study_tables import Tables
from ripeness.study.grid import VIEWS
from ripeness.tables.columns import REPORTED
from ripeness.tables.intervals import POINT, pooled, scores, with_interval

OWN, NONE = "its own", "none (question alone)"
PICTURES = {OWN: "#0072b2", "another": "#d55e00", "grey": "#6b6b6b", NONE: "#cc79a7"}
WORDS = {EXCHANGED: "another", BLANK: "grey", PART: OWN}


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Average scores of the tuned model over formats and seeds, by checkpoint, picture, and dataset or part of it."""
    stages = judged_stages(tables.cells, settings)
    if stages is None:
        return pl.DataFrame()
    view = pl.col("probe").replace_strict(dict(settings.views), default=None, return_dtype=pl.String)
    is_own = REPORTED & (pl.col("probe") == pl.col("dataset"))
    is_view = pl.col("is_chosen") & (pl.col("suite") == VIEWS) & view.is_not_null()
    blind = pl.col("method").is_in(blind_methods(tables.cells))
    rows = tables.measurements.filter(is_own | is_view, pl.col("format") == pl.col("probe_format"))
    rows = rows.filter((pl.col("method") == stages.second) | (blind & (view.is_null() | (view == PART))))
    shown = pl.when(blind).then(pl.lit(NONE)).otherwise(view.replace_strict(WORDS, default=OWN, return_dtype=pl.String))
    rows = rows.with_columns(
        picture=shown, probe=pl.when(view == PART).then(pl.col("probe")).otherwise(pl.col("dataset"))
    )
    if rows.is_empty():
        return pl.DataFrame()
    found = with_interval(pooled(scores(rows), [*POINT, "probe", "picture"]), is_share=True)
    return tidy(with_labels(found, "probe").with_columns(row=pl.lit("score")), ["probe", "picture"])


def chart(frame: pl.DataFrame) -> alt.FacetChart:
    """Draw a panel for each dataset and each part of it, and a line for each kind of picture."""
    colour = colours(frame["picture"], PICTURES, has_legend=False)
    look: dict[str, Any] = {"panels": panels_of(frame), "colour": colour, "title": "score"}
    return trend(frame, **look, detail=["picture"], overlay=reference_lines(), named_by="picture")


def says(frame: pl.DataFrame) -> str:
    """Say the mean score with each kind of picture at the last checkpoint."""
    rows = latest(frame)
    means = rows.group_by("picture").agg(pl.col("value").mean()).sort("value", "picture")
    return f"Mean score {place_of(rows)}, by picture: " + ", ".join(f"{one} {value:.2f}" for one, value in means.rows())


FIGURE = Figure(
    id="seeing",
    section="What does tuning add?",
    question="Does a model that is tuned on pictures look at them?",
    needs=("models", "pictures"),
    frame=frame,
    chart=chart,
    says=says,
)

"""What a policy's own texts are worth by the rule, before and after reinforcement by the rule or a reward model."""

from typing import Any

import altair as alt
import polars as pl

from ripeness.figures.colours import METHOD_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.panels import colours, panels_of
from ripeness.figures.sentences import latest, place_of
from ripeness.figures.trends import trend
from ripeness.findings.aligned import policies
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.study.study_config import BASE
from ripeness.tables.intervals import POINT


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Average the worth by the rule over formats and seeds: a row for each checkpoint, dataset and policy, and start.

    A start is that of a policy, and stands under the name of its method. `low` to `high` is twice the standard error
    over seeds; null for one seed.
    """
    found = policies(tables.cells)
    if found.is_empty():
        return pl.DataFrame()
    found = found.join(tables.reported.select(POINT).unique(), on=["series", "checkpoint", "tokens", "phase"])
    keys = [*POINT, "dataset", "seed"]
    after = found.select(*keys, "method", value="truth")
    before = found.select(*keys, method=pl.col("start").fill_null(BASE), value="truth_before")
    by = [*POINT, "dataset", "method"]
    seeds = pl.concat([after, before]).group_by(*by, "seed").agg(pl.col("value").mean())
    error = 2 * pl.col("value").std() / pl.len().sqrt()
    means = seeds.group_by(by).agg(
        pl.col("value").mean(), low=pl.col("value").mean() - error, high=pl.col("value").mean() + error
    )
    return tidy(with_labels(means.with_columns(row=pl.lit("worth")), "dataset"), ["dataset", "method"])


def chart(frame: pl.DataFrame) -> alt.FacetChart:
    """Draw a panel for each dataset and a line for each policy and each start."""
    colour = colours(frame["method"], METHOD_COLOURS, has_legend=False)
    frame = frame.with_columns(name=pl.col("method").replace({BASE: "untouched"}))
    look: dict[str, Any] = {"panels": panels_of(frame), "colour": colour, "title": "worth by the rule"}
    return trend(frame, **look, detail=["method"], named_by="name")


def says(frame: pl.DataFrame) -> str:
    """Say the mean of each line at the last checkpoint."""
    rows = latest(frame)
    means = rows.group_by("method").agg(pl.col("value").mean()).sort("value", "method")
    said = ", ".join(f"{name.replace(BASE, 'untouched')} {value:.2f}" for name, value in means.iter_rows())
    return f"Mean worth by the rule {place_of(rows)}: {said}"


FIGURE = Figure(
    id="proxy-and-truth",
    section="What does alignment do?",
    question="What are a policy's own texts worth by the rule?",
    needs=("models", "policies"),
    frame=frame,
    chart=chart,
    says=says,
)

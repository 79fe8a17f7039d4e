"""The score after tuning over the number of training examples."""

import altair as alt
import polars as pl

from ripeness.figures.figure import Figure
from ripeness.figures.frames import bounded, tidy, with_labels
from ripeness.figures.panels import WIDTH, layered, tooltips
from ripeness.figures.sentences import latest, mean_of, place_of
from ripeness.findings.doses import dose_scores
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.tables.intervals import POINT

SIDE_BY_SIDE = 3


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Average the scores over formats and seeds: a row for each checkpoint, dataset and dose.

    `low` to `high` is twice the standard error over seeds; null for one seed.
    """
    found = dose_scores(tables.reported, tables.cells)
    if found.is_empty():
        return pl.DataFrame()
    steps = tables.cells.select("series", "checkpoint").unique().with_columns(step=pl.lit(0))
    found = found.join(steps, on=["series", "checkpoint"])
    by = ["series", *POINT[1:], "dataset", "doses_of", "examples"]
    seeds = found.group_by(*by, "seed").agg(pl.col("value").mean())
    error = 2 * pl.col("value").std() / pl.len().sqrt()
    means = seeds.group_by(by).agg(
        pl.col("value").mean(), low=pl.col("value").mean() - error, high=pl.col("value").mean() + error
    )
    labelled = with_labels(bounded(means, 0, 1), "dataset").with_columns(row=pl.lit("score"))
    return tidy(labelled.drop("step"), ["dataset", "doses_of", "examples"])


def chart(frame: pl.DataFrame) -> alt.FacetChart:
    """Draw a panel for each dataset and a line for each checkpoint, darker the longer it was pre-trained."""
    order = frame.select("label", "order").unique().sort("order")["label"].unique(maintain_order=True).to_list()
    panels = sorted(set(frame["panel"]))
    columns = min(SIDE_BY_SIDE, len(panels))
    width = min(340, WIDTH // columns - 46)
    base = alt.Chart().encode(
        x=alt.X("examples:Q", title="training examples", scale=alt.Scale(type="log", base=2)),
        y=alt.Y("value:Q", title="score", scale=alt.Scale(zero=False)),
        color=alt.Color("label:O", sort=order, title="pre-training tokens", scale=alt.Scale(scheme="blues")),
        detail=["series:N", "doses_of:N"],
    )
    bars = base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", title="score"), y2="high:Q")
    points = base.mark_point(filled=True, size=40, opacity=1).encode(tooltip=tooltips(frame))
    panel = layered(bars, base.mark_line(), points, data=frame).properties(width=width, height=width * 0.62)
    return panel.facet(alt.Facet("panel:N", title=None, sort=panels), columns=columns)


def says(frame: pl.DataFrame) -> str:
    """Say the score with the fewest and the most examples at the last checkpoint."""
    rows = latest(frame)
    few, many = (rows.filter(pl.col("examples") == end) for end in (rows["examples"].min(), rows["examples"].max()))
    scores = [f"{mean_of(part):.2f} with {part['examples'][0]} examples" for part in (few, many)]
    return f"Mean score {place_of(rows)}: {' and '.join(dict.fromkeys(scores))}"


FIGURE = Figure(
    id="dose",
    section="What does tuning add?",
    question="How many examples does tuning need?",
    needs=("models", "doses"),
    frame=frame,
    chart=chart,
    says=says,
)

"""What tuning teaches against what it costs."""

import altair as alt
import polars as pl

from ripeness.figures.colours import METHOD_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.losses_after_tuning import losses_after_tuning
from ripeness.figures.panels import WIDTH, colours, tooltips
from ripeness.figures.sentences import latest, place_of
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables

MOST_COLUMNS = 6  # checkpoints


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Pair the loss on answers (learned) and on running text (lost) of the same models, by rate."""
    frame = losses_after_tuning(tables, settings)
    if frame.is_empty():
        return frame
    # an untrained model has nothing to lose, and would set the scale
    frame = frame.filter(pl.col("tokens") > 0).with_columns(panel="dataset")
    keys = ["series", "checkpoint", "tokens", "phase", "label", "order", "is_alone"]
    keys += ["panel", "dataset", "method", "learning_rate"]
    text = frame.filter(row="loss on running text").select(*keys, "probe", "recipe", "value", "low", "high")
    answers = frame.filter(row="loss on answers").select(*keys, answer="value")
    return text.join(answers, on=keys).with_columns(row=pl.lit("pareto")).sort(keys)


def chart(frame: pl.DataFrame) -> alt.FacetChart:
    """Draw loss on running text against loss on answers: a panel per dataset and checkpoint, a line per method."""
    n_methods = pl.col("method").n_unique().over("label")
    labels = frame.filter(n_methods == n_methods.max()).select("label", "order").unique().sort("order")["label"]
    order = labels.unique(maintain_order=True).to_list()
    kept = [order[round(k * (len(order) - 1) / max(MOST_COLUMNS - 1, 1))] for k in range(MOST_COLUMNS)]
    frame = frame.filter(pl.col("label").is_in(kept)).sort("learning_rate")
    base = alt.Chart().encode(
        x=alt.X("answer:Q", title="loss on answers", scale=alt.Scale(zero=False)),
        y=alt.Y("value:Q", title="loss on running text", scale=alt.Scale(zero=False)),
        color=colours(frame["method"], METHOD_COLOURS),
    )
    side = (WIDTH - 120) / len(set(kept)) - 24
    lines = base.mark_line(strokeWidth=1).encode(order="learning_rate:Q", detail=["series", "method"])
    marks = alt.layer(
        lines, base.mark_point(filled=True, size=45, opacity=1).encode(tooltip=tooltips(frame)), data=frame
    )
    columns = alt.Column("label:N", sort=list(dict.fromkeys(kept)), title="checkpoint (pre-training tokens)")
    names = alt.Header(labelAngle=0, labelOrient="right")
    return marks.properties(width=side, height=side).facet(
        row=alt.Row("panel:N", title=None, header=names), column=columns, spacing=8
    )


def says(frame: pl.DataFrame) -> str:
    """Say which way loses least on running text at the last checkpoint."""
    rows = latest(frame)
    means = rows.group_by("method").agg(pl.col("value").min()).sort("value", "method")
    name, value = means.row(0)
    return f"{place_of(rows).capitalize()}, {name} keeps the least loss on running text: {value:.3f} nats a token"


FIGURE = Figure(
    id="pareto",
    section="Does more pre-training make a model brittle?",
    question="What is learned, against what is lost?",
    needs=("models", "texts", "several recipes"),
    frame=frame,
    chart=chart,
    says=says,
)

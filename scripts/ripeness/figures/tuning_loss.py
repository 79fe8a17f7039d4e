"""What tuning costs and brings at each checkpoint."""

import altair as alt
import polars as pl

from ripeness.figures.change_sizes import NONE, by_size
from ripeness.figures.colours import METHOD_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.losses_after_tuning import losses_after_tuning
from ripeness.figures.panels import colours, panels_of, titled, trend

UNITS = {
    "loss on running text": "nats a token",
    "loss on answers": "nats a token",
    "displacement of the weights": "norm",
    "curvature along it": "nats a token and squared norm",
}


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw running text, answers, displacement and curvature: a panel for each dataset, a line for each recipe."""
    frame = frame.sort("method", "learning_rate")
    is_grid = set(frame["recipe"]) - {NONE} - set(frame["method"])
    known = METHOD_COLOURS | {NONE: METHOD_COLOURS["base"]}
    colour = by_size(frame["recipe"]) if is_grid else colours(frame["recipe"], known)
    strips = []
    for row, title in UNITS.items():
        part = frame.filter(pl.col("row") == row)
        if not part.is_empty():
            chart = trend(part, panels=panels_of(frame), colour=colour, title=title, detail=["recipe"])
            strips.append(titled(chart, f"{row}, after tuning"))
    return alt.vconcat(*strips)


FIGURE = Figure(
    id="tuning-loss",
    section="Does more pre-training make a model brittle?",
    question="What does tuning cost and bring at each checkpoint?",
    needs=("models", "texts"),
    frame=losses_after_tuning,
    chart=chart,
)

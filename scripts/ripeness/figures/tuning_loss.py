"""What tuning costs and brings at each checkpoint."""

from typing import Any

import altair as alt
import polars as pl

from ripeness.figures.change_sizes import NONE, by_size
from ripeness.figures.colours import METHOD_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.losses_after_tuning import COST, losses_after_tuning
from ripeness.figures.panels import colours, level_line, panels_of, titled
from ripeness.figures.sentences import earliest, latest, mean_of, place_of, signed
from ripeness.figures.trends import trend

BEND = "0.02"  # nats a token: nearer to 0 the axis of what tuning adds is linear
UNITS = {
    COST: "nats a token",
    "loss on running text": "nats a token",
    "loss on answers": "nats a token",
    "displacement of the weights": "norm",
    "curvature along it": "nats a token and squared norm",
}


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw what tuning adds on running text, the losses, displacement and curvature, a line for each recipe.

    Differences have an axis that is linear about 0, all else a logarithmic one.
    """
    frame = frame.sort("method", "learning_rate")
    is_grid = set(frame["recipe"]) - {NONE} - set(frame["method"])
    known = METHOD_COLOURS | {NONE: METHOD_COLOURS["base"]}
    colour = by_size(frame["recipe"]) if is_grid else colours(frame["recipe"], known, has_legend=False)
    frame = frame.with_columns(name=pl.col("recipe").replace({NONE: "untouched"}))
    strips = []
    for row, title in UNITS.items():
        part = frame.filter(pl.col("row") == row)
        if part.is_empty():
            continue
        is_change = row == COST
        can_be_logged = not is_change and (part["value"] > 0).all()
        look: dict[str, Any] = {"panels": panels_of(frame), "colour": colour, "title": title, "named_by": "name"}
        look |= {"scale": BEND if is_change else "log" if can_be_logged else "linear"}
        chart = trend(part, **look, detail=["recipe"], overlay=[level_line(0)] if is_change else None)
        strips.append(titled(chart, row if is_change else f"{row}, after tuning"))
    return alt.vconcat(*strips)


def says(frame: pl.DataFrame) -> str:
    """Say what tuning adds to the loss on running text at the first and at the last checkpoint."""
    cost = frame.filter(pl.col("row") == COST)
    if cost.is_empty():
        return "Nothing is known of the loss on running text after tuning"
    first, last = earliest(cost), latest(cost)
    return (
        f"Tuning changes the loss on running text by {signed(mean_of(first), 3)} nats a token {place_of(first)} "
        f"and by {signed(mean_of(last), 3)} {place_of(last)}"
    )


FIGURE = Figure(
    id="tuning-loss",
    section="Does more pre-training make a model brittle?",
    question="What does tuning cost and bring at each checkpoint?",
    needs=("models", "texts"),
    frame=losses_after_tuning,
    chart=chart,
    says=says,
)

"""The pictures of the figures on overtraining."""

import altair as alt
import polars as pl

from ripeness.figures import overtraining_frames
from ripeness.figures.charts import Figure
from ripeness.figures.overtraining_frames import NONE
from ripeness.figures.panels import METHOD_COLOURS, WIDTH, colours, panels_of, titled, tooltips, trend

MOST_COLUMNS = 6  # checkpoints in the figure of what is learned against what is lost
UNITS = {
    "loss on running text": "nats a token",
    "loss on answers": "nats a token",
    "displacement of the weights": "norm",
    "curvature along it": "nats a token and squared norm",
}


def by_size(names: pl.Series) -> alt.Color:
    """Colour by the size of a change, in the order given, from light to dark; NONE is the untouched model."""
    sizes = [name for name in names.unique(maintain_order=True) if name != NONE]
    shares = [k / max(len(sizes) - 1, 1) for k in range(len(sizes))]
    colour_of = dict(zip(sizes, (f"hsl({28 - 20 * s:.0f}, 80%, {68 - 40 * s:.0f}%)" for s in shares), strict=True))
    if NONE in set(names):
        colour_of = {NONE: METHOD_COLOURS["base"], **colour_of}
    scale = alt.Scale(domain=list(colour_of), range=list(colour_of.values()))
    return alt.Color(
        f"{names.name}:N", scale=scale, legend=alt.Legend(title=names.name, symbolType="circle", symbolOpacity=1)
    )


def sensitivity(frame: pl.DataFrame) -> alt.VConcatChart:
    """A strip for the increase on a logarithmic axis, and one for the loss itself; a panel a kind of noise."""
    # fewer bits are the larger change
    frame = frame.sort(pl.when(pl.col("kind") == "rounding").then(-pl.col("scale")).otherwise("scale"))
    is_rounding = pl.col("kind") == "rounding"
    strips = []
    for row, is_increase in (("increase of the loss", True), ("loss after the change", False)):
        part = frame.filter(pl.col("row") == row)
        if is_increase:  # what is not above 0 has no place on a logarithmic axis
            part = part.filter(pl.col("value") > 0)
            part = part.with_columns(pl.max_horizontal("low", pl.col("value") / 10).alias("low"))
        for own in (part.filter(~is_rounding), part.filter(is_rounding)):
            if own.is_empty():
                continue
            look = {"panels": panels_of(own), "colour": by_size(own["size"]), "title": "nats a token"}
            strips.append(titled(trend(own, **look, detail=["size"], is_log=is_increase), row))
    return alt.vconcat(*strips).resolve_scale(color="independent", shape="independent")


def tuning_loss(frame: pl.DataFrame) -> alt.VConcatChart:
    """A strip for each: running text, answers, displacement; a panel a dataset, a line a recipe."""
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


def pareto(frame: pl.DataFrame) -> alt.FacetChart:
    """Loss on running text against loss on answers: a panel a dataset and checkpoint, a line a method's rates."""
    n_methods = pl.col("method").n_unique().over("label")
    order = frame.filter(n_methods == n_methods.max()).select("label", "order").unique().sort("order")["label"]
    order = order.unique(maintain_order=True).to_list()
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


READINGS = ["fixed", "tuned", "equal displacement", "equal answer loss", "tuned, answers"]


def four_readings(frame: pl.DataFrame) -> alt.VConcatChart:
    """A strip a dataset, a panel a reading, a line a method."""
    names = set(frame["panel"])
    panels = sorted(names, key=lambda name: (READINGS.index(name.split(": ")[-1]), name))
    colour = colours(frame["method"], METHOD_COLOURS)
    look = {"panels": panels, "colour": colour, "title": "nats a token", "detail": ["method"]}
    return alt.vconcat(
        *[titled(trend(part, **look), row) for (row,), part in sorted(frame.group_by("row"), key=lambda pair: pair[0])]
    )


FIGURES: dict[str, Figure] = {
    "sensitivity": Figure(
        "What does a change of the weights cost at each checkpoint?",
        overtraining_frames.sensitivity,
        sensitivity,
        uses_all=True,
    ),
    "tuning-loss": Figure(
        "What does tuning cost and bring at each checkpoint?",
        overtraining_frames.tuning_loss,
        tuning_loss,
        uses_all=True,
    ),
    "four-readings": Figure(
        "Does the loss turn at a fixed rate, or however the rate is chosen?",
        overtraining_frames.four_readings,
        four_readings,
        uses_all=True,
    ),
    "pareto": Figure("What is learned, against what is lost?", overtraining_frames.pareto, pareto, uses_all=True),
}

"""What all figures are made of: the axis of tokens, tooltips, reference lines, heat maps and maps of many series."""

from typing import Any, TypeVar

import altair as alt
import polars as pl
from altair.typing import ChannelColor

from ripeness.figures.colours import DARK_INK, LIGHT_INK, SPARE_COLOURS
from ripeness.tables.single_numbers import as_number

Strip = TypeVar("Strip", alt.FacetChart, alt.LayerChart)  # of a figure

STATUS_SIGNS = {"done": "", "diverged": "×", "missing": "?"}
PHASE_SHAPES = {"stable": "circle", "decayed": "square", "annealed": "diamond"}

WIDTH = 1080  # of a whole figure, in pixels: a laptop's window less the margins of the report
MANY = 48  # small multiples in a figure, at most; of more series and datasets a map is drawn
SIDE_BY_SIDE = 4  # small multiples in a strip, at most
THEME = {
    "background": "white",
    "font": "Helvetica, Arial, sans-serif",
    "view": {"stroke": "#ddd"},
    "axis": {
        "gridColor": "#eee", "domainColor": "#999", "tickColor": "#999", "titleFontWeight": "normal",
        "labelColor": "#444", "titleColor": "#444", "labelFontSize": 11, "titleFontSize": 11.5,
    },
    "header": {
        "labelFontSize": 12, "labelFontWeight": "bold", "labelColor": "#222", "titleFontWeight": "normal",
        "titleColor": "#444",
    },
    "legend": {
        "orient": "top", "titleFontWeight": "normal", "titleColor": "#444", "titleOrient": "left",
        "symbolStrokeWidth": 2, "symbolBaseFillColor": "#444", "symbolBaseStrokeColor": "#444", "labelColor": "#444",
        "labelFontSize": 11.5, "titleFontSize": 11.5,
    },
    "text": {"color": "#222"},
    "title": {
        "anchor": "start", "fontSize": 15, "subtitleFontSize": 12, "subtitleColor": "#444", "offset": 12,
        "color": "#222",
    },
}  # fmt: skip


# What a tooltip may say, in this order; a figure says what its data has.
TOOLTIPS = {
    "series": "series", "checkpoint": "checkpoint", "tokens": "tokens", "phase": "phase", "dataset": "dataset",
    "probe": "measured on", "picture": "picture", "method": "method", "format": "format", "probe_format": "asked in",
    "indicator": "indicator", "expects": "expected", "says": "that is",
    "group": "datasets", "shots": "shots", "seed": "seed",
    "recipe": "tuned by", "size": "size", "status": "status", "reason": "reason",
    "value": "value", "answer": "loss on answers", "gain": "score gained", "share": "share of draws on the front",
    "trainable_parameters": "parameters trained",
    "saturates_at": "saturates at", "saturation_tokens": "tokens there", "earliest_tokens": "not before",
    "latest_tokens": "not after", "first": "first value", "floor": "floor", "floor_name": "which is",
    "n_checkpoints": "checkpoints", "n_datasets": "datasets", "cost": "cost, of that of tuning",
    "done": "cells done", "n": "cells",
    "low": "95 % from", "high": "95 % to", "expected": "expected by chance", "n_formats": "formats",
    "items": "item differences", "n_items": "test items", "n_seeds": "seeds", "n_examples": "examples",
    "n_tokens": "tokens trained on", "n_truncated": "examples cut", "final_loss": "final loss",
}  # fmt: skip


def in_order(present: pl.Series, known: dict) -> list[str]:
    """Order distinct names as in `known`, then the others alphabetically."""
    names = set(present)
    return [name for name in known if name in names] + sorted(names - set(known))


def colours(present: pl.Series, known: dict[str, str], *, has_legend: bool = True) -> alt.Color:
    """Colour by a column; a name without a colour of its own gets a spare one, in order of the alphabet."""
    names = in_order(present, known)
    spare = iter(SPARE_COLOURS * len(names))
    scale = alt.Scale(domain=names, range=[known.get(name) or next(spare) for name in names])
    legend = alt.Legend(title=present.name, symbolOpacity=1, symbolType="circle", symbolSize=70)
    return alt.Color(f"{present.name}:N", scale=scale, legend=legend if has_legend else None)


def tokens_axis(tokens: pl.Series) -> alt.X:
    """Make a logarithmic axis of tokens that shows 0: symlog, bent at a third of the first count above 0."""
    positive = tokens.filter(tokens > 0)
    first, last = (int(as_number(end)) for end in (positive.min(), positive.max())) if len(positive) else (1, 1)
    steps = (1,) if last / first > 1000 else (1, 3)
    ticks = [m * 10**k for k in range(len(str(last)) + 1) for m in steps if first <= m * 10**k <= last]
    ticks = ticks[:: -(-len(ticks) // 5)] if ticks else [first]
    if tokens.min() == 0:
        scale, ticks = alt.Scale(type="symlog", constant=first / 3, nice=False, padding=14), [0, *ticks]
    else:
        scale = alt.Scale(type="log", nice=False, padding=14)
    label = "datum.value == 0 ? '0' : replace(format(datum.value, '~s'), 'G', 'B')"
    axis = alt.Axis(values=ticks, labelExpr=label, grid=False, labelOverlap=True)
    return alt.X("tokens:Q", scale=scale, axis=axis, title="pre-training tokens")


def tooltips(frame: pl.DataFrame) -> list[alt.Tooltip]:
    """Say on hover which point it is, its value and interval, and from how many items and seeds."""
    numbers = {"tokens": ",", "value": ".3f", "low": ".3f", "high": ".3f", "expected": ".3f"}
    numbers |= dict.fromkeys(("saturation_tokens", "earliest_tokens", "latest_tokens"), ",")
    numbers |= dict.fromkeys(("first", "floor", "gain"), ".3f") | {"share": ".2f", "trainable_parameters": ","}
    names = [name for name in TOOLTIPS if name in frame.columns and not frame[name].is_null().all()]
    if frame["series"].n_unique() == 1:
        names.remove("series")
    if "probe" in names and "dataset" in names and (frame["probe"] == frame["dataset"]).all():
        names.remove("probe")
    return [alt.Tooltip(name, title=TOOLTIPS[name], format=numbers.get(name, "")) for name in names]


def panels_of(frame: pl.DataFrame) -> list[str]:
    """Order the small multiples of a figure: first those that are in most strips, so that strips align."""
    counted = frame.group_by("panel").agg(pl.col("row").n_unique())
    return counted.sort(pl.col("row"), "panel", descending=[True, False])["panel"].to_list()


def shape_by_phase(phases: pl.Series) -> alt.Shape:
    """Tell phases of pre-training apart by the shape of the point; no legend where there is but one."""
    names = in_order(phases, PHASE_SHAPES)
    scale = alt.Scale(domain=names, range=[PHASE_SHAPES.get(name, "triangle-up") for name in names])
    legend = alt.Legend(title="phase of pre-training") if len(names) > 1 else None
    return alt.Shape("phase:N", scale=scale, legend=legend)


def level_line(y: float) -> alt.Chart:
    """Draw a thin line across at `y`, such as no change."""
    return alt.Chart().mark_rule(color="#888888", strokeWidth=1).encode(y=alt.datum(y))


def zone() -> list[alt.Chart]:
    """Shade the changes that are too small to matter, as far as the data say (column `smallest`), and draw 0."""
    ends = {"y": alt.Y("min(zone_low):Q"), "y2": alt.Y2("max(smallest):Q")}
    shade = alt.Chart().transform_calculate(zone_low="-datum.smallest").mark_rect(color="#888888", opacity=0.15)
    return [shade.encode(**ends), level_line(0)]


def reference_lines() -> list[alt.Chart]:
    """Draw what needs no skill, the larger of chance and the most frequent answer, with its name on the line."""
    floor = {"y": alt.Y("mean(skill_floor):Q")}
    name = alt.Chart().mark_text(align="left", baseline="bottom", dy=-2, fontSize=10, color="#555")
    named = name.transform_aggregate(skill_floor="mean(skill_floor)", floor_name="min(floor_name)", groupby=["panel"])
    return [
        alt.Chart().mark_rule(color="#555", strokeDash=[4, 3]).encode(**floor),
        named.encode(x=alt.value(4), y="skill_floor:Q", text="floor_name:N"),
    ]


def layered(*charts: alt.Chart, **settings: Any) -> alt.LayerChart:
    """Lay charts over each other; TypeError where they have facets of their own, which altair would make one chart."""
    found = alt.layer(*charts, **settings)
    if not isinstance(found, alt.LayerChart):
        raise TypeError("layers with a row, column or facet make no layered chart")
    return found


def titled(chart: Strip, text: str) -> Strip:
    """Name one strip of a figure."""
    return chart.properties(title=alt.TitleParams(text, fontSize=12, fontWeight="bold", color="#444444"))


def maps(frame: pl.DataFrame) -> alt.FacetChart:
    """Draw a map for each probe of many series: a bar from each checkpoint to the next, coloured by score."""
    form = [pl.lit(", "), pl.col("format")] if frame["format"].n_unique() > 1 else []
    after = pl.col("tokens").shift(-1).over("series", "panel", "format")
    frame = frame.sort("series", "panel", "format", "tokens").with_columns(after.alias("until"))
    frame = frame.with_columns(
        pl.concat_str("probe", *form).alias("panel"), pl.col("until").fill_null(1.06 * as_number(frame["tokens"].max()))
    )
    columns = min(SIDE_BY_SIDE - 1, frame["panel"].n_unique())
    squares = alt.Chart(frame).mark_rect().encode(
        x=tokens_axis(frame["tokens"]),
        x2="until:Q",
        y=alt.Y("series:N", title=None, axis=alt.Axis(labelFontSize=8, labelLimit=220)),
        color=alt.Color("value:Q", title="score", scale=alt.Scale(scheme="viridis")),
        tooltip=tooltips(frame.drop("until")),
    )  # fmt: skip
    squares = squares.properties(width=(WIDTH - 200) / columns - 16, height=alt.Step(9))
    return squares.facet(alt.Facet("panel:N", title=None), columns=columns)


def heat(
    frame: pl.DataFrame,
    *,
    x: alt.X,
    y: alt.Y,
    colour: ChannelColor,
    digits: str,
    side: float,
    height: float | None = None,
    framed: str = "",
) -> alt.LayerChart:
    """Draw a grid of coloured squares (or of that height) with `digits` (an expression giving the text) in them.

    Squares for which the expression `framed` holds have a frame.
    """
    square = alt.Chart(frame).encode(x=x, y=y)
    fills = square.mark_rect(stroke="white").encode(color=colour, tooltip=tooltips(frame))
    ink = alt.condition("datum.is_dark", alt.value(LIGHT_INK), alt.value(DARK_INK))
    # The text lies over the square, so it needs the square's tooltip.
    text = square.transform_calculate(digits=digits).mark_text(fontSize=10.5)
    text = text.encode(text="digits:N", color=ink, tooltip=tooltips(frame))
    frames = square.transform_filter(framed).mark_rect(filled=False, stroke="#222", strokeWidth=1.5) if framed else None
    layers = [fills, *([frames] if frames else []), text]
    return layered(*layers, data=frame).properties(width=alt.Step(side), height=alt.Step(height or side))


def side_of(frame: pl.DataFrame, n: int) -> float:
    """Compute the side of squares, in pixels, so that heat maps of all checkpoints, `n` wide, fit in one row."""
    return min(27.0, max(23.0, ((WIDTH - 120) / frame["label"].n_unique() - 10) / n))


def checkpoint_facet(frame: pl.DataFrame) -> dict:
    """Sort and name the small multiples of a figure with one panel a checkpoint."""
    ordered = frame.select("label", "order").unique().sort("order")["label"].to_list()
    return {
        "field": "label",
        "sort": list(dict.fromkeys(ordered)),
        "title": "checkpoint (pre-training tokens)",
    }

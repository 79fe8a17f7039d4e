"""What the charts of simulated networks are made of."""

import altair as alt
import polars as pl

from ripeness.figures.colours import METHOD_COLOURS, SPARE_COLOURS
from ripeness.figures.network_frames import BASE
from ripeness.figures.panels import SIDE_BY_SIDE, WIDTH, layered, titled

TARGET_COLOURS = [*(METHOD_COLOURS[name] for name in ("full", "lora")), *SPARE_COLOURS]
TIPS = {
    "line": "line", "target": "target", "time": "time", "n_learned": "features learned", "value": "mean",
    "low": "95 % from", "high": "95 % to", "expected": "closed form", "untouched": "before fine-tuning",
    "n_seeds": "seeds",
}  # fmt: skip


def time_axis() -> alt.X:
    """Make the logarithmic axis of pre-training time."""
    scale, axis = alt.Scale(type="log", nice=False, padding=10), alt.Axis(grid=False, tickCount=4, format="~s")
    return alt.X("time:Q", scale=scale, axis=axis, title="time of pre-training")


def line_colours(frame: pl.DataFrame, shades: list[str], *, title: str | None = None) -> alt.Color:
    """Colour by line, in the order in which lines first come; the loss without noise is grey."""
    names = frame["line"].unique(maintain_order=True).to_list()
    own = [name for name in names if name != BASE]
    # of few lines the ends of the scale, of many all of it again and again
    places = (
        range(len(own))
        if len(own) >= len(shades)
        else [i * (len(shades) - 1) // max(len(own) - 1, 1) for i in range(len(own))]
    )
    found = {name: shades[place % len(shades)] for name, place in zip(own, places, strict=True)}
    found[BASE] = METHOD_COLOURS["base"]
    scale = alt.Scale(domain=names, range=[found[name] for name in names])
    return alt.Color(
        "line:N", scale=scale, legend=alt.Legend(title=title, symbolType="stroke", symbolSize=220, symbolOpacity=1)
    )


def tips(frame: pl.DataFrame) -> list[alt.Tooltip]:
    """List what the tooltip of a point says."""
    names = [name for name in TIPS if name in frame.columns and not frame[name].is_null().all()]
    whole = ("line", "target", "n_seeds")
    return [alt.Tooltip(name, title=TIPS[name], format="" if name in whole else ".3~g") for name in names]


def points(frame: pl.DataFrame, x: alt.X, colour: alt.Color, *, title: str, scale: alt.Scale) -> list[alt.Chart]:
    """Draw the closed form as a line and each mean as a point with its interval; title and scale are of y."""
    base = alt.Chart(frame).encode(x=x, color=colour)
    low, value, expected = (alt.Y(f"{name}:Q", title=title, scale=scale) for name in ("low", "value", "expected"))
    return [
        base.mark_line(strokeWidth=1.3, opacity=0.8).encode(y=expected),
        base.mark_rule(strokeWidth=1.4).encode(y=low, y2="high:Q"),
        base.mark_point(size=30, filled=True, opacity=1).encode(y=value, tooltip=tips(frame)),
    ]


def bands(frame: pl.DataFrame, colour: alt.Color, scale: alt.Scale, *, with_untouched: bool = False) -> alt.LayerChart:
    """Draw lines over time with their intervals; dotted is the loss of the checkpoint before fine-tuning."""
    low, value, before = (alt.Y(f"{name}:Q", title=None, scale=scale) for name in ("low", "value", "mean(untouched)"))
    base = alt.Chart().encode(x=time_axis(), color=colour)
    layers = [
        base.mark_area(opacity=0.15, line=False).encode(y=low, y2="high:Q"),
        base.mark_line(strokeWidth=1.8).encode(y=value),
        base.mark_point(size=22, filled=True, opacity=1).encode(y=value, tooltip=tips(frame)),
    ]
    if with_untouched:
        dotted = alt.Chart().mark_line(strokeDash=[2, 3], strokeWidth=1.4, color="#222")
        layers.insert(0, dotted.encode(x=time_axis(), y=before))
    return layered(*layers, data=frame)


def by_target(frame: pl.DataFrame, shades: list[str], *, with_untouched: bool) -> alt.VConcatChart:
    """Draw a strip for each loss and a panel for each target; scales are the panel's own."""
    colour = line_colours(frame, shades)
    panels = frame["panel"].unique(maintain_order=True).to_list()
    columns = min(SIDE_BY_SIDE, len(panels))
    width = min(340, WIDTH // columns - 46)
    scale = alt.Scale(zero=False, nice=False, padding=6)
    strips = []
    for (row,), part in frame.partition_by("row", as_dict=True, maintain_order=True).items():
        chart = bands(part, colour, scale, with_untouched=with_untouched).properties(width=width, height=width * 0.62)
        facets = chart.facet(alt.Facet("panel:N", title=None, sort=panels), columns=columns)
        strips.append(titled(facets.resolve_scale(y="independent"), row))
    return alt.vconcat(*strips)

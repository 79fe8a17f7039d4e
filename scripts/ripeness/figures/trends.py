"""Small multiples of a value against tokens: lines named at their ends, with bands, rules or dots for what is sure."""

from typing import Any

import altair as alt
import polars as pl

from ripeness.figures.line_ends import widest, with_line_ends
from ripeness.figures.panels import SIDE_BY_SIDE, WIDTH, layered, shape_by_phase, tokens_axis, tooltips

WIDE = 75  # pixels of names at the ends of lines, beyond which a strip has a panel less
ASIDE = 7  # pixels by which a lone checkpoint moves right: an annealed one often has the tokens of a stable one


def trend(
    frame: pl.DataFrame, *, panels: list[str], colour: alt.Color, title: str, detail: list[str],
    is_bold: str = "true", overlay: list[alt.Chart] | None = None, scale: str = "linear", named_by: str = "",
    has_bands: bool = True,
) -> alt.FacetChart:  # fmt: skip
    """Draw small multiples of value against tokens: lines with bands within a phase, rules for a lone point.

    `panels` are those of the whole figure and `detail` names the columns that tell lines apart. Rows for
    which the expression `is_bold` does not hold have a thin line and no more. `overlay` is drawn beneath. `scale` is
    linear, log, or a number at which a symmetric log bends. Lines are named at their ends by the column `named_by`.
    Without bands, which hide each other where lines run together, intervals are thin rules.
    Where `is_range` is true, low and high are the two repeats themselves, drawn as dots; where `is_below` is, the value
    has no place on the axis and is drawn as an open triangle at its foot (`shown`), connected to nothing.
    """
    lines = ["series", "phase", *detail]
    aside = widest(frame, named_by) if named_by else 20
    columns = min(SIDE_BY_SIDE - (aside > WIDE), len(panels))
    width = min(340, (WIDTH - 46) // columns - aside - 10)
    height = width * 0.62
    if named_by:
        frame = with_line_ends(frame, lines, named_by, height=height, scale=scale)
    y = alt.Y("shown:Q" if "shown" in frame.columns else "value:Q", title=title, scale=axis_scale(scale))
    base = alt.Chart(frame).encode(x=tokens_axis(frame["tokens"]), y=y, color=colour)
    lines += ["piece"] if "piece" in frame.columns else []
    layers = [
        *(overlay or []),
        *intervals(frame, base.transform_filter(is_bold), lines, title, has_bands=has_bands),
        *lines_and_points(frame, base, lines, is_bold),
        *(names(frame, base, title) if named_by else []),
    ]
    panel = layered(*layers, data=frame).properties(width=width, height=height)
    spacing = {"column": aside + 10, "row": 20}
    return panel.facet(alt.Facet("panel:N", title=None, sort=panels), columns=columns, spacing=spacing)


def axis_scale(scale: str) -> alt.Scale:
    """Make the scale of a value: linear, log, or symlog that bends at a number."""
    if scale == "linear":
        return alt.Scale(zero=False, nice=False, padding=6)
    if scale == "log":
        return alt.Scale(type="log", nice=False, padding=6)
    return alt.Scale(type="symlog", constant=float(scale), nice=False, padding=6)


def intervals(
    frame: pl.DataFrame, bold: alt.Chart, lines: list[str], title: str, *, has_bands: bool
) -> list[alt.Chart]:
    """Draw intervals as bands or thin rules, those of lone points as rules, and two repeats as dots.

    A layer without rows would make the browser warn of a scale without an extent, so that there is none.
    """
    known = frame.filter(pl.col("low").is_not_null())
    if known.is_empty():
        return []
    ends: dict[str, Any] = {"y": alt.Y("low:Q", title=title), "y2": "high:Q"}
    layers = []
    has_range = "is_range" in known.columns and known["is_range"].any()
    if not has_range or not known["is_range"].all():
        banded = bold.transform_filter("!datum.is_range") if has_range else bold
        rules = banded.transform_filter("!datum.is_alone").mark_rule(strokeWidth=1, opacity=0.4).encode(**ends)
        bands = banded.mark_area(opacity=0.16, line=False).encode(**ends, detail=lines)
        layers.append(bands if has_bands else rules)
    if has_range:
        few = bold.transform_filter("datum.is_range")
        dots = few.mark_point(size=12, opacity=0.9)
        layers += [dots.encode(y=alt.Y(f"{end}:Q", title=title)) for end in ("low", "high")]
    if known["is_alone"].any():
        alone = bold.transform_filter("datum.is_alone && !datum.is_below")
        layers.append(alone.mark_rule(strokeWidth=1.5, xOffset=ASIDE).encode(**ends))
    return layers


def lines_and_points(frame: pl.DataFrame, base: alt.Chart, lines: list[str], is_bold: str) -> list[alt.Chart]:
    """Draw bold lines with their points, thin lines, lone points, and what the axis cannot show."""
    bold = base.transform_filter(is_bold)
    marks = {"shape": shape_by_phase(frame["phase"]), "tooltip": tooltips(frame)}
    points = bold.transform_filter("!datum.is_alone && !datum.is_below").mark_point(size=34, filled=True, opacity=1)
    layers = [bold.mark_line(strokeWidth=1.8).encode(detail=lines), points.encode(**marks)]
    if is_bold != "true":
        thin = base.transform_filter(f"!({is_bold})").mark_line(strokeWidth=0.9, opacity=0.7)
        layers.append(thin.encode(detail=lines))
    if "is_below" in frame.columns and frame["is_below"].any():
        below = bold.transform_filter("datum.is_below").mark_point(size=50, shape="triangle-down", fill="white")
        layers.append(below.encode(tooltip=tooltips(frame)))
    if frame["is_alone"].any():
        alone = bold.transform_filter("datum.is_alone && !datum.is_below")
        layers.append(alone.mark_point(size=60, fill="white", xOffset=ASIDE).encode(**marks))
    return layers


def names(frame: pl.DataFrame, base: alt.Chart, title: str) -> list[alt.Chart]:
    """Write the name of each line at its end, beyond a lone point."""
    beyond = 7 + ASIDE * bool(frame["is_alone"].any())
    ends = base.transform_filter("isValid(datum.end_text)").mark_text(align="left", dx=beyond, fontSize=10.5)
    return [ends.encode(y=alt.Y("end_y:Q", title=title), text="end_text:N")]

"""Tuned against untouched models: the change by tuning above both levels, as data and as a chart."""

from typing import Any

import altair as alt
import polars as pl

from ripeness.figures.colours import METHOD_COLOURS
from ripeness.figures.frames import Items, bounded
from ripeness.figures.panels import colours, level_line, panels_of, titled, zone
from ripeness.figures.trends import trend
from ripeness.tables.intervals import POINT, changes, compared, paired_variance, pooled, scores, with_interval


def contrast(
    measurements: pl.DataFrame, items: Items | None, *, kinds: list[str], name: str, smallest: float | None = None
) -> pl.DataFrame:
    """Compute tuned minus untouched and both levels, by dataset tuned on: for each format and for their mean.

    `row` is `change in <name>` or `<name>`; `format` is the training format or `all`. `smallest` is the least
    change that matters, a column of the changes where it is given.
    """
    is_share = kinds != ["text"]
    by = ["series", *POINT[1:], "dataset", "probe", "method"]
    rows = compared(measurements)
    frames = []
    for scope in ([], ["format"]):
        paired = None if items is None or not is_share else paired_variance(items, by + scope)
        change = changes(rows, by + scope, paired, kinds=kinds).with_columns(pl.lit(f"change in {name}").alias("row"))
        change = bounded(change, -1, 1) if is_share else change
        level = scores(rows).filter(pl.col("probe_kind").is_in(kinds))
        level = bounded(with_interval(pooled(level, by + scope), is_share=is_share), 0, 1 if is_share else None)
        level = level.with_columns(pl.lit(name).alias("row"), pl.lit("none: one model").alias("items"))
        both = pl.concat([change, level.select(change.columns)])
        frames.append(both if scope else both.with_columns(pl.lit("all").alias("format")))
    every = pl.concat([frame.select(frames[0].columns) for frame in frames])
    if smallest is None:
        return every
    is_change = pl.col("row").str.starts_with("change")
    return every.with_columns(smallest=pl.when(is_change).then(pl.lit(smallest, pl.Float64)))


def contrast_chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw the change by tuning above both levels: bold the mean over formats, thin each format."""
    has_one = len(tuned_by := sorted(set(frame["method"]) - {"base"})) == 1
    colour = colours(frame["method"], METHOD_COLOURS, has_legend=False)
    n_formats = frame.filter(pl.col("format") != "all")["format"].n_unique()
    bold = pl.lit("mean" if n_formats > 1 else "") if has_one else pl.col("method")
    thin = pl.col("format") if has_one and n_formats > 1 else pl.lit(None, pl.String)
    frame = frame.with_columns(name=pl.when(pl.col("format") == "all").then(bold).otherwise(thin))
    strips = []
    for (row,), strip in sorted(frame.group_by("row"), key=lambda pair: not pair[0][0].startswith("change")):
        overlay = None
        if row.startswith("change"):
            overlay = zone() if "smallest" in strip.columns else [level_line(0)]
        strip = strip.with_columns(name=base_named()) if not overlay else strip
        look: dict[str, Any] = {"panels": panels_of(frame), "colour": colour, "title": row, "overlay": overlay}
        chart = trend(strip, **look, detail=["method", "format"], named_by="name", is_bold="datum.format == 'all'")
        by = f", {tuned_by[0]}" if has_one else ""
        strips.append(titled(chart, f"{row}, tuned minus untouched{by}" if overlay else row))
    return alt.vconcat(*strips)


def base_named() -> pl.Expr:
    """Name the lines of levels by their method; thin ones have no name."""
    return pl.when(pl.col("format") == "all").then(pl.col("method").replace({"base": "untouched"}))

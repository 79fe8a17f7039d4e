"""What untouched checkpoints know."""

from typing import Any

import altair as alt
import polars as pl

from ripeness.figures.colours import FORMAT_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.frames import bounded, tidy, with_labels
from ripeness.figures.panels import MANY, colours, maps, panels_of, reference_lines, titled
from ripeness.figures.sentences import latest, place_of
from ripeness.figures.trends import trend
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import HAS_VALUE
from ripeness.tables.intervals import POINT, pooled, scores, with_interval

CLEARLY = 0.1  # above what needs no skill
MOST_NAMED = 4  # datasets in a sentence
SAME = 0.02  # chance and majority nearer than this are one line


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Collect scores of untouched checkpoints by format and number of shots, and the log-probability of the gold."""
    by = ["series", *POINT[1:], "probe", "probe_format", "shots"]
    base = tables.reported.filter(pl.col("method") == "base", pl.col("probe_kind").is_in(["choice", "generation"]))
    shots = pl.concat_str(pl.lit("score, "), "shots", pl.lit(" shots"))
    score = with_interval(pooled(scores(base), by), is_share=True).with_columns(shots.alias("row"))
    gold = base.filter(HAS_VALUE, pl.col("metric") == "logp_gold", pl.col("shots") == 0, pl.col("split") == "test")
    title = pl.lit("log-probability of the right answer, 0 shots").alias("row")
    chances = [pl.lit(None, pl.Float64).alias(name) for name in ("chance", "majority")]
    surprise = bounded(with_interval(pooled(gold, by), is_share=False), None, 0).with_columns(title, *chances)
    frame = pl.concat([score, surprise.select(score.columns)]).rename({"probe_format": "format"})
    return tidy(with_labels(frame, "probe"), ["format", "shots"])


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw the scores of untouched checkpoints: a strip for each number of shots, then the log-probability."""
    if frame["panel"].n_unique() > MANY:
        return alt.vconcat(
            *[titled(maps(part), row) for (row,), part in sorted(frame.group_by("row"), key=lambda p: p[0])]
        )
    colour = colours(frame["format"], FORMAT_COLOURS, has_legend=False)
    frame = with_floor(frame)
    strips = []
    for (row,), strip in sorted(frame.group_by("row"), key=lambda pair: (pair[0][0].startswith("log"), pair[0])):
        is_score = strip["chance"].is_not_null().any()
        overlay = [*reference_lines(), *below_notes(strip)] if is_score else None
        title = "score" if row.startswith("score") else "nats"
        look: dict[str, Any] = {"panels": panels_of(frame), "colour": colour, "title": title, "overlay": overlay}
        strips.append(titled(trend(strip, **look, detail=["format"], named_by="format", has_bands=False), row))
    return alt.vconcat(*strips)


def with_floor(frame: pl.DataFrame) -> pl.DataFrame:
    """Add what needs no skill, the larger of chance and majority, and its name, by panel."""
    floor = pl.max_horizontal("chance", "majority").mean().over("row", "panel")
    is_same = (pl.col("majority") - pl.col("chance")).abs() < SAME
    is_chance = is_same | (pl.col("chance") >= pl.col("majority"))
    name = pl.when(is_same).then(pl.lit("chance, majority")).when(is_chance).then(pl.lit("chance"))
    return frame.with_columns(skill_floor=floor, floor_name=name.otherwise(pl.lit("majority class")))


def below_notes(strip: pl.DataFrame) -> list[alt.Chart]:
    """Say in a panel which formats are clearly below what needs no skill at the last checkpoint."""
    rows = latest(strip.filter(pl.col("high") < pl.col("skill_floor")).filter(~pl.col("is_alone")))
    ends = latest(strip)
    below = rows.filter(pl.col("order") == ends["order"].max()) if ends.height else rows
    notes = below.group_by("panel").agg(pl.col("format").unique().sort().str.join(", ")).rows()
    if not notes:
        return []
    text = " : ".join(f"datum.panel == {panel!r} ? 'below: {formats}'" for panel, formats in notes) + " : ''"
    layer = alt.Chart().transform_aggregate(n="count()", groupby=["panel"]).transform_calculate(note=text)
    mark = layer.mark_text(align="left", baseline="bottom", fontSize=10, color="#222")
    return [mark.encode(x=alt.value(4), y=alt.value("height"), text="note:N")]


def says(frame: pl.DataFrame) -> str:
    """Say on how many datasets the last untouched checkpoint is above what needs no skill."""
    scored = frame.filter(pl.col("chance").is_not_null())
    if scored.is_empty():
        return "What needs no skill is not known for these datasets"
    rows = latest(scored.filter(pl.col("shots") == scored["shots"].min()))
    height = pl.col("value") - pl.max_horizontal("chance", "majority")
    above = rows.group_by("panel").agg(height.mean().alias("above"))
    known = sorted(above.filter(pl.col("above") > CLEARLY)["panel"])
    names = f": {', '.join(known)}" if 0 < len(known) <= MOST_NAMED else ""
    return (
        f"Untouched, {place_of(rows)}, the model is more than {CLEARLY:g} above chance on {len(known)} of "
        f"{above.height} datasets with choices{names}"
    )


FIGURE = Figure(
    id="learned-in-pretraining",
    section="What does pre-training teach?",
    question="What has pre-training alone taught, and when?",
    needs=("measurements",),
    frame=frame,
    chart=chart,
    says=says,
)

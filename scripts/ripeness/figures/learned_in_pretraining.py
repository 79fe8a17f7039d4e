"""What untouched checkpoints know."""

import altair as alt
import polars as pl

from ripeness.figures.colours import FORMAT_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.panels import MANY, colours, maps, panels_of, reference_lines, titled, trend
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import HAS_VALUE
from ripeness.tables.intervals import POINT, pooled, scores, with_interval


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Collect scores of untouched checkpoints by format and number of shots, and the log-probability of the gold."""
    by = ["series", *POINT[1:], "probe", "probe_format", "shots"]
    base = tables.reported.filter(pl.col("method") == "base", pl.col("probe_kind").is_in(["choice", "generation"]))
    shots = pl.concat_str(pl.lit("score, "), "shots", pl.lit(" shots"))
    score = with_interval(pooled(scores(base), by), is_share=True).with_columns(shots.alias("row"))
    gold = base.filter(HAS_VALUE, pl.col("metric") == "logp_gold", pl.col("shots") == 0, pl.col("split") == "test")
    title = pl.lit("log-probability of the right answer, 0 shots").alias("row")
    chances = [pl.lit(None, pl.Float64).alias(name) for name in ("chance", "majority")]
    surprise = with_interval(pooled(gold, by), is_share=False).with_columns(title, *chances)
    frame = pl.concat([score, surprise.select(score.columns)]).rename({"probe_format": "format"})
    return tidy(with_labels(frame, "probe"), ["format", "shots"])


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw the scores of untouched checkpoints: a strip for each number of shots, then the log-probability."""
    if frame["panel"].n_unique() > MANY:
        return alt.vconcat(
            *[titled(maps(part), row) for (row,), part in sorted(frame.group_by("row"), key=lambda p: p[0])]
        )
    colour = colours(frame["format"], FORMAT_COLOURS)
    strips = []
    for (row,), strip in sorted(frame.group_by("row"), key=lambda pair: (pair[0][0].startswith("log"), pair[0])):
        is_score = strip["chance"].is_not_null().any()
        overlay = reference_lines() if is_score else None
        title = "score" if row.startswith("score") else "nats"
        chart = trend(strip, panels=panels_of(frame), colour=colour, title=title, detail=["format"], overlay=overlay)
        strips.append(titled(chart, row))
    return alt.vconcat(*strips)


FIGURE = Figure(
    id="learned-in-pretraining",
    section="What does pre-training teach?",
    question="What has pre-training alone taught, and when?",
    needs=("measurements",),
    frame=frame,
    chart=chart,
)

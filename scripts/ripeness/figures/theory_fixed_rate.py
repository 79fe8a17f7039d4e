"""What fine-tuning simulated networks at fixed rates costs."""

import altair as alt
import polars as pl

from ripeness.figures.colours import ORDERED_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.network_frames import labelled, tuned, turned
from ripeness.figures.network_panels import by_target
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Average losses after fine-tuning at each fixed rate, without a pull."""
    found = tuned(tables.simulated["tuned_networks"].filter("is_fixed", pull=0.0), ["target", "rate"])
    return found.with_columns(panel=pl.col("target"), line=labelled("rate", "rate"))


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw one line per rate."""
    return by_target(frame, ORDERED_COLOURS, with_untouched=True)


def says(frame: pl.DataFrame) -> str:
    """Say at the least and the largest rate how often the last loss is above the least."""
    return turned(frame)


FIGURE = Figure(
    id="theory-fixed-rate",
    section="What does fine-tuning cost?",
    question="What does fine-tuning at a fixed rate cost?",
    needs=("simulations",),
    frame=frame,
    chart=chart,
    says=says,
)

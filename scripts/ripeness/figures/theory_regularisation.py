"""What a pull towards the start does to fine-tuned networks."""

import altair as alt
import polars as pl

from ripeness.figures.colours import ORDERED_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.network_frames import labelled, tuned, turned
from ripeness.figures.network_panels import by_target
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.tables.single_numbers import as_number


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Average losses after fine-tuning under each pull, at the highest fixed rate and at the chosen rates."""
    rows = tables.simulated["tuned_networks"]
    highest = as_number(rows.filter("is_fixed")["rate"].max())
    fixed, chosen = (
        tuned(part, ["target", "pull"]) for part in (rows.filter("is_fixed", rate=highest), rows.filter("is_chosen"))
    )
    parts = [
        fixed.with_columns(pl.format("{}, rate {}", "row", pl.lit(f"{highest:g}")).alias("row")),
        chosen.with_columns(pl.format("{}, tuned rate", "row").alias("row")),
    ]
    return pl.concat(parts).with_columns(panel=pl.col("target"), line=labelled("pull", "pull"))


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw one line per pull."""
    return by_target(frame, ORDERED_COLOURS, with_untouched=False)


def says(frame: pl.DataFrame) -> str:
    """Say at the least and the largest pull how often the last loss is above the least."""
    return turned(frame)


FIGURE = Figure(
    id="theory-regularisation",
    section="What does fine-tuning cost?",
    question="Does a pull towards the start help?",
    needs=("simulations",),
    frame=frame,
    chart=chart,
    says=says,
)

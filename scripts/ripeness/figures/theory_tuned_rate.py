"""What fine-tuning simulated networks at a rate chosen for each checkpoint costs."""

import altair as alt
import polars as pl

from ripeness.figures.figure import Figure
from ripeness.figures.network_frames import LOSSES, over_seeds, tuned, turned
from ripeness.figures.network_panels import TARGET_COLOURS, bands, line_colours
from ripeness.figures.panels import WIDTH, titled
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Average losses after fine-tuning at the chosen rates, without a pull, and those rates (geometric mean)."""
    rows = tables.simulated["tuned_networks"].filter("is_chosen", pull=0.0)
    rates = over_seeds(rows.with_columns(pl.col("rate").log()), ["target", "time"], "rate", "n_learned")
    rates = rates.with_columns(pl.col("value", "low", "high").exp(), row=pl.lit("rate that was chosen"))
    found = pl.concat([tuned(rows, ["target"]), rates], how="diagonal")
    return found.with_columns(panel=pl.col("row"), line=pl.col("target"))


def chart(frame: pl.DataFrame) -> alt.HConcatChart:
    """Draw both losses and the rate next to each other; lines are targets."""
    colour = line_colours(frame, TARGET_COLOURS, title="target")
    charts = []
    for (name,), part in frame.partition_by("panel", as_dict=True, maintain_order=True).items():
        chart = bands(part, colour, alt.Scale(type="log", nice=False, padding=8)).properties(
            width=WIDTH / 3 - 62, height=260
        )
        charts.append(titled(chart, name))
    return alt.hconcat(*charts)


def says(frame: pl.DataFrame) -> str:
    """Say how often the last loss is above the least."""
    return turned(frame.filter(pl.col("row").is_in(list(LOSSES.values()))))


FIGURE = Figure(
    id="theory-tuned-rate",
    section="What does fine-tuning cost?",
    question="Does a rate tuned for every checkpoint help?",
    needs=("simulations",),
    frame=frame,
    chart=chart,
    says=says,
)

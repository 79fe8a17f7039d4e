"""What noise adds to the loss of simulated networks."""

import altair as alt
import polars as pl

from ripeness.figures.colours import ORDERED_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.network_frames import labelled, over_seeds
from ripeness.figures.network_panels import line_colours, points, time_axis
from ripeness.figures.panels import WIDTH, layered
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Average what noise adds to the loss over time: Monte Carlo, and `expected` in closed form."""
    noisy = tables.simulated["noisy_networks"]
    found = over_seeds(noisy, ["gamma", "time"], "increase", "expected_increase", "n_learned")
    return found.rename({"expected_increase": "expected"}).with_columns(line=labelled("γ", "gamma"))


def chart(frame: pl.DataFrame) -> alt.LayerChart:
    """Draw Monte Carlo estimates as points on the lines of the closed form."""
    colour = line_colours(frame, ORDERED_COLOURS)
    scale = alt.Scale(type="log", nice=False, padding=8)
    layers = points(frame, time_axis(), colour, title="loss that noise adds", scale=scale)
    return layered(*layers).properties(width=0.6 * WIDTH, height=320)


def says(frame: pl.DataFrame) -> str:
    """Say how what the largest noise adds has grown from the first time to the last."""
    rows = frame.filter(pl.col("gamma") == frame["gamma"].max()).sort("time")
    first, last = rows["value"][0], rows["value"][-1]
    return f"Noise ({rows['line'][0]}) adds {last / first:.3g} times as much to the loss at the end as at the start"


FIGURE = Figure(
    id="theory-sensitivity",
    section="What does noise cost?",
    question="Does what noise costs grow with what is learned?",
    needs=("simulations",),
    frame=frame,
    chart=chart,
    says=says,
)

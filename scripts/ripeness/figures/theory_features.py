"""When learning one more feature costs more than it gains after noise."""

import altair as alt
import polars as pl

from ripeness.figures.colours import ORDERED_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.network_frames import BASE, labelled, over_seeds
from ripeness.figures.network_panels import line_colours, points, time_axis
from ripeness.figures.panels import WIDTH, layered, titled
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.tables.single_numbers import as_number

LEAST = 0.6  # of the least loss after noise, below which the loss without noise is not drawn


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Average the loss after noise by features learned and by time; `expected` is the closed form.

    `turn` is the last feature that is learned at a gain: those with a singular value above 2 gamma^2 d.
    """
    learned = tables.simulated["learned_features"]
    gains = learned.filter(pl.col("strength") > pl.col("threshold")).group_by("gamma").agg(
        turn=pl.col("n_learned").max()
    )  # fmt: skip
    by_feature = over_seeds(learned, ["gamma", "n_learned"], "loss", "expected_loss").rename(
        {"expected_loss": "expected"}
    )
    by_feature = by_feature.join(gains, on="gamma", how="left").with_columns(pl.col("turn").fill_null(0))
    alone = learned.unique(["seed", "n_learned"])  # without noise every gamma is the same
    base = over_seeds(alone, ["n_learned"], "base_loss").with_columns(gamma=0.0, expected=pl.col("value"))
    noisy = tables.simulated["noisy_networks"].with_columns(expected=pl.col("base_loss") + pl.col("expected_increase"))
    by_time = over_seeds(noisy, ["gamma", "time"], "loss", "expected")
    base_by_time = over_seeds(noisy.unique(["seed", "time"]), ["time"], "base_loss", "flow_loss").rename(
        {"flow_loss": "expected"}
    )
    base_by_time = base_by_time.with_columns(gamma=0.0)
    places = {"by features learned": [by_feature, base], "by time of pre-training": [by_time, base_by_time]}
    frames = [frame.with_columns(panel=pl.lit(panel)) for panel, parts in places.items() for frame in parts]
    line = pl.when(pl.col("gamma") == 0).then(pl.lit(BASE)).otherwise(labelled("γ", "gamma"))
    return pl.concat(frames, how="diagonal").with_columns(line=line).sort("panel", "gamma", "n_learned", "time")


def chart(frame: pl.DataFrame) -> alt.HConcatChart:
    """Draw two panels; a dashed rule is where learning one more feature begins to cost."""
    colour = line_colours(frame, ORDERED_COLOURS)
    # without noise the loss falls to 0, which has no logarithm and would flatten all turns
    noisy = frame.filter(pl.col("line") != BASE)
    frame = frame.filter(pl.col("value") > LEAST * as_number(noisy["value"].min()))
    scale = alt.Scale(type="log", nice=False, padding=8)
    charts = []
    for (name,), part in frame.partition_by("panel", as_dict=True, maintain_order=True).items():
        by_feature = part["n_learned"].is_not_null().any()
        x = (
            alt.X("n_learned:Q", title="features learned", axis=alt.Axis(grid=False), scale=alt.Scale(nice=False))
            if by_feature
            else time_axis()
        )
        part = part.drop([column for column in part.columns if part[column].is_null().all()])
        layers = points(part, x, colour, title="pre-training loss after noise", scale=scale)
        if by_feature:
            turns = part.filter(pl.col("turn").is_not_null()).unique(["line", "turn"], maintain_order=True)
            turn = alt.Chart(turns.select("line", "turn")).mark_rule(strokeDash=[5, 3], strokeWidth=1.4)
            layers.insert(0, turn.encode(x="turn:Q", color=colour))
        charts.append(titled(layered(*layers).properties(width=WIDTH / 2 - 70, height=300), name))
    return alt.hconcat(*charts)


def says(frame: pl.DataFrame) -> str:
    """Say from which feature on learning costs more than it gains, for each size of noise."""
    turns = frame.filter(pl.col("turn").is_not_null()).unique(["line", "turn"]).sort("gamma")
    named = ", ".join(f"{turn} ({line})" for line, turn in turns.select("line", "turn").iter_rows())
    return f"After noise, learning pays up to this many features: {named or 'none'}"


FIGURE = Figure(
    id="theory-features",
    section="What does noise cost?",
    question="When does learning one more feature cost more than it gains?",
    needs=("simulations",),
    frame=frame,
    chart=chart,
    says=says,
)

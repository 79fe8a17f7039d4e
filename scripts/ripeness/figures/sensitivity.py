"""What a change of the weights costs at each checkpoint."""

import altair as alt
import polars as pl

from ripeness.figures.change_sizes import NONE, by_size, over_repeats
from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.panels import panels_of, titled, trend
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import PLACE


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Collect what noise and rounding add to the loss on running text, and the loss itself, by size of the change."""
    rows = tables.sensitivity
    if rows is None or rows.is_empty():
        return pl.DataFrame()
    rounded = pl.col("perturbation") == "rounding"
    size = pl.when(rounded).then(pl.format("{} bits", pl.col("scale").cast(pl.Int64)))
    rows = rows.filter(pl.col("perturbation").is_in(["noise", "rounding"])).with_columns(
        kind=pl.when(rounded).then(pl.lit("rounding")).otherwise(pl.format("noise, {}", "normalisation")),
        size=size.otherwise(pl.col("scale").cast(pl.String)),
        repeat=pl.col("noise_seed").fill_null(0),
    )
    keys = ["kind", "size", "scale", "probe"]
    frames = [
        over_repeats(rows.rename({column: "value"}), keys, "repeat", settings)
        .with_columns(row=pl.lit(title))
        for column, title in (("increase", "increase of the loss"), ("loss", "loss after the change"))
    ]  # fmt: skip
    base = rows.select(*PLACE, "kind", "probe", value="base_loss", repeat=pl.lit(0)).unique()
    base = over_repeats(base.with_columns(size=pl.lit(NONE), scale=pl.lit(0.0)), keys, "repeat", settings)
    frames.append(base.with_columns(row=pl.lit("loss after the change")))
    frame = pl.concat([frame.select(frames[0].columns) for frame in frames])
    return tidy(with_labels(frame, panel_of(frame, "kind")), ["kind", "size", "probe"])


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw the increase on a logarithmic axis, and the loss itself; a panel for each kind of noise."""
    # fewer bits are the larger change
    frame = frame.sort(pl.when(pl.col("kind") == "rounding").then(-pl.col("scale")).otherwise("scale"))
    is_rounding = pl.col("kind") == "rounding"
    strips = []
    for row, is_increase in (("increase of the loss", True), ("loss after the change", False)):
        part = frame.filter(pl.col("row") == row)
        if is_increase:  # what is not above 0 has no place on a logarithmic axis
            part = part.filter(pl.col("value") > 0)
            part = part.with_columns(pl.max_horizontal("low", pl.col("value") / 10).alias("low"))
        for own in (part.filter(~is_rounding), part.filter(is_rounding)):
            if own.is_empty():
                continue
            panels, colour = panels_of(own), by_size(own["size"])
            chart = trend(own, panels=panels, colour=colour, title="nats a token", detail=["size"], is_log=is_increase)
            strips.append(titled(chart, row))
    return alt.vconcat(*strips).resolve_scale(color="independent", shape="independent")


def panel_of(frame: pl.DataFrame, name: str) -> str:
    """Choose the column that names a small multiple."""
    return name if frame["probe"].n_unique() == 1 else "probe"


FIGURE = Figure(
    id="sensitivity",
    section="Does more pre-training make a model brittle?",
    question="What does a change of the weights cost at each checkpoint?",
    needs=("models", "sensitivity"),
    frame=frame,
    chart=chart,
)

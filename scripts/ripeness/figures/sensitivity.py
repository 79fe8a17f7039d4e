"""What a change of the weights costs at each checkpoint."""

from typing import Any

import altair as alt
import polars as pl

from ripeness.figures.change_sizes import NONE, by_size, over_repeats
from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.panels import panels_of, titled
from ripeness.figures.sentences import earliest, latest, mean_of, place_of
from ripeness.figures.trends import trend
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import PLACE
from ripeness.tables.intervals import Z
from ripeness.tables.single_numbers import as_number

INCREASE = "increase of the loss"
TIMES = pl.concat_str(pl.lit("×"), "size")


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
        for column, title in (("increase", INCREASE), ("loss", "loss after the change"))
    ]  # fmt: skip
    frames[0] = with_error_of_passages(frames[0], rows)
    base = rows.select(*PLACE, "kind", "probe", value="base_loss", repeat=pl.lit(0)).unique()
    base = over_repeats(base.with_columns(size=pl.lit(NONE), scale=pl.lit(0.0)), keys, "repeat", settings)
    frames.append(base.with_columns(row=pl.lit("loss after the change")))
    frame = pl.concat([frame.select(frames[0].columns) for frame in frames])
    return tidy(with_labels(frame, panel_of(frame, "kind")), ["kind", "size", "probe"])


def with_error_of_passages(points: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Give increases that were measured once, as those by rounding, the interval of the sampling of passages."""
    once = rows.group_by("series", "checkpoint", "kind", "size", "probe").agg(
        error=pl.when(pl.len() == 1).then(pl.col("se").first())
    )  # fmt: skip
    points = points.join(once, on=["series", "checkpoint", "kind", "size", "probe"], how="left", maintain_order="left")
    reach = Z * pl.col("error")
    is_once = pl.col("low").is_null() & pl.col("error").is_not_null()
    return points.with_columns(
        low=pl.when(is_once).then(pl.col("value") - reach).otherwise("low"),
        high=pl.when(is_once).then(pl.col("value") + reach).otherwise("high"),
    ).drop("error")


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw the increase and the loss itself on logarithmic axes; a panel for each kind of noise."""
    # fewer bits are the larger change
    frame = frame.sort(pl.when(pl.col("kind") == "rounding").then(-pl.col("scale")).otherwise("scale"))
    is_rounding = pl.col("kind") == "rounding"
    frame = frame.with_columns(name=pl.when(is_rounding | (pl.col("size") == NONE)).then("size").otherwise(TIMES))
    strips = []
    for row in (INCREASE, "loss after the change"):
        part = frame.filter(pl.col("row") == row)
        for own in (part.filter(~is_rounding), part.filter(is_rounding)):
            if own.is_empty():
                continue
            own = on_log_axis(own)
            look: dict[str, Any] = {"panels": panels_of(own), "colour": by_size(own["size"]), "title": "nats a token"}
            chart = trend(own, **look, detail=["size"], scale="log", named_by="name")
            below = "; ▽ at or below 0, which a logarithmic axis has not" if own["is_below"].any() else ""
            strips.append(titled(chart, f"{row}{below}"))
    return alt.vconcat(*strips).resolve_scale(color="independent", shape="independent")


def on_log_axis(frame: pl.DataFrame) -> pl.DataFrame:
    """Add `shown`, `is_below` and `piece`: what is not above 0 stands at the foot of the axis; lines break there."""
    positive = frame.filter(pl.col("value") > 0)["value"]
    foot = as_number(positive.min()) / 2 if len(positive) else 1.0
    is_below = pl.col("value") <= 0
    lines = ["panel", "series", "phase", "size"]
    piece = is_below.cast(pl.Int64).cum_sum().over(lines, order_by="tokens")
    # an interval that reaches below 0 is drawn as far as the axis goes
    return frame.with_columns(
        shown=pl.when(is_below).then(foot).otherwise("value"),
        low=pl.when(~is_below).then(pl.col("low").clip(lower_bound=foot)),
        high=pl.when(~is_below).then("high"),
        is_below=is_below,
        piece=pl.when(is_below).then(-pl.int_range(1, pl.len() + 1)).otherwise(piece),
    )


def panel_of(frame: pl.DataFrame, name: str) -> str:
    """Choose the column that names a small multiple."""
    return name if frame["probe"].n_unique() == 1 else "probe"


def says(frame: pl.DataFrame) -> str:
    """Say how the cost of the largest noise has changed from the first checkpoint to the last."""
    grown = frame.filter(pl.col("row") == INCREASE, pl.col("tokens") > 0)
    noise = grown.filter(pl.col("kind").str.starts_with("noise"))
    rows = (noise if noise.height else grown).sort("kind", "scale")
    if rows.is_empty():
        return "Nothing is known of the loss after a change of the weights"
    rows = rows.filter(pl.col("kind") == rows["kind"][0])
    rows = rows.filter(pl.col("scale") == rows["scale"].max())
    first, last = earliest(rows), latest(rows)
    size = f"{rows['kind'][0]} of size {rows['size'][0]}"
    return (
        f"A change of the weights ({size}) adds {mean_of(first):.3g} nats a token {place_of(first)} "
        f"and {mean_of(last):.3g} {place_of(last)}"
    )


FIGURE = Figure(
    id="sensitivity",
    section="Does more pre-training make a model brittle?",
    question="What does a change of the weights cost at each checkpoint?",
    needs=("models", "sensitivity"),
    frame=frame,
    chart=chart,
    says=says,
)

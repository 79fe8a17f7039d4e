"""Loss on running text as four readings of one grid of rates have it."""

import altair as alt
import polars as pl

from ripeness.figures.change_sizes import over_few
from ripeness.figures.colours import METHOD_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.panels import colours, titled
from ripeness.figures.trends import trend
from ripeness.findings.finding import Settings
from ripeness.findings.rate_grids import grids_of, readings
from ripeness.findings.study_tables import Tables
from ripeness.runtime.wording import human

READINGS = ["fixed", "tuned", "equal displacement", "equal answer loss", "tuned, answers"]


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Collect the loss on running text after tuning under four readings of each grid with several rates."""
    grids = [grid for grid in grids_of(tables.measurements, tables.cells, settings) if len(grid.rates) > 1]
    rows = []
    for name, curves in readings(grids, tables.cells).items():
        for curve in curves:
            own = {key: curve.key[key] for key in ("probe", "dataset", "method")}
            place = {"row": name, "series": settings.runs.get(curve.runs[0], curve.runs[0]), "phase": "in the trend"}
            rows += [
                place | own | {"checkpoint": str(tokens), "tokens": int(tokens), "repeat": repeat, "value": value}
                for tokens, values in zip(curve.tokens, curve.values, strict=True)
                for repeat, value in enumerate(values)
            ]
    if not rows:
        return pl.DataFrame()
    keys = ["row", "series", "checkpoint", "tokens", "phase", "probe", "dataset", "method"]
    value, n = pl.col("value"), pl.len()
    # rates of one reading are averaged within a repeat
    frame = pl.DataFrame(rows).group_by(*keys, "repeat").agg(value.mean())
    frame = frame.group_by(keys).agg(
        value.mean(), se=(value.var() / n).sqrt(), n_seeds=n, least=value.min(), most=value.max()
    )
    frame = over_few(frame)
    return tidy(with_labels(frame, "row").with_columns(row=pl.col("dataset")), ["method", "probe"])


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw a strip for each dataset, a panel for each reading and a line for each method."""
    names = set(frame["panel"])
    panels = sorted(names, key=lambda name: (READINGS.index(name.split(": ")[-1]), name))
    colour = colours(frame["method"], METHOD_COLOURS, has_legend=False)
    strips = []
    for (row,), part in sorted(frame.group_by("row"), key=lambda pair: pair[0]):
        chart = trend(
            part, panels=panels, colour=colour, title="nats a token", detail=["method"], scale="log", named_by="method"
        )
        strips.append(titled(chart, row))
    return alt.vconcat(*strips)


def says(frame: pl.DataFrame) -> str:
    """Say at how many tokens the mean loss is least in each reading."""
    means = frame.group_by("panel", "tokens").agg(pl.col("value").mean()).sort("value", "tokens")
    least = means.unique("panel", keep="first", maintain_order=True).sort("panel")
    said = ", ".join(f"{human(tokens)} ({name})" for name, tokens in least.select("panel", "tokens").iter_rows())
    return f"The loss on running text after tuning is least at these tokens: {said}"


FIGURE = Figure(
    id="four-readings",
    section="Does more pre-training make a model brittle?",
    question="Does the loss turn at a fixed rate, or however the rate is chosen?",
    needs=("models", "texts", "several rates"),
    frame=frame,
    chart=chart,
    says=says,
)

"""What tuning on one dataset changes on the others."""

from typing import Any

import altair as alt
import polars as pl

from ripeness.figures.figure import Figure
from ripeness.figures.frames import bounded, tidy, with_labels
from ripeness.figures.panels import WIDTH, colours, heat, level_line, panels_of, titled
from ripeness.figures.sentences import latest, mean_of, most_and_least, place_of, signed
from ripeness.figures.trends import trend
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import OWN_DATASET
from ripeness.tables.intervals import POINT, changes, paired_variance
from ripeness.tables.single_numbers import as_number


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Compute the change on every dataset by tuning on each; `is_clear` where the interval excludes no change."""
    by = ["series", *POINT[1:], "dataset", "method", "probe"]
    matched = pl.col("dataset") != pl.col("probe")
    matched = matched | (pl.col("format") == pl.col("probe_format"))
    paired = None if tables.items is None else paired_variance((part.filter(matched) for part in tables.items), by)
    # what a published model was tuned on has a figure of its own, whatever its name
    matched &= (pl.col("suite") != OWN_DATASET) | (pl.col("dataset") == pl.col("probe"))
    frame = bounded(changes(tables.reported.filter(matched), by, paired, kinds=["choice", "generation"]), -1, 1)
    frame = frame.with_columns(
        ((pl.col("low") > 0) | (pl.col("high") < 0)).fill_null(False).alias("is_clear"), pl.lit("change").alias("row")
    )
    return tidy(with_labels(frame, "dataset"), ["method", "dataset", "probe"])


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw the changes at the last checkpoint as a heat map, and all of them as lines over tokens.

    Strips are methods. The diagonal, the gain on the dataset itself, is grey: it has a figure of its own and would set
    the scale.
    """
    others = frame.filter(pl.col("dataset") != pl.col("probe"))
    size = max(0.05, as_number(others["value"].abs().max() or 0))
    is_dark = (pl.col("value").abs() > 0.65 * size) & (pl.col("dataset") != pl.col("probe"))
    frame = frame.with_columns(is_dark.alias("is_dark"), measured_on=pl.col("probe"))
    strips: list[alt.FacetChart | alt.LayerChart] = []
    for (series, method), part in sorted(frame.group_by("series", "method"), key=lambda pair: pair[0]):
        rows = latest(part)
        said = "hundredths of a score; in brackets where the interval includes 0"
        strips.append(titled(last_map(rows, size), f"{series}, {method}, {place_of(rows)}: {said}"))
        over_tokens = part.filter(pl.col("dataset") != pl.col("probe"))
        if over_tokens["tokens"].n_unique() > 1:
            colour = colours(over_tokens["measured_on"], {}, has_legend=False)
            look: dict[str, Any] = {"panels": panels_of(over_tokens), "colour": colour, "title": "change of the score"}
            look |= {"named_by": "measured_on", "has_bands": False}
            lines = trend(over_tokens, **look, detail=["probe"], overlay=[level_line(0)])
            strips.append(titled(lines, f"{series}, {method}: by dataset tuned on, a line for each other one"))
    return alt.vconcat(*strips).resolve_scale(color="independent", shape="independent")


def last_map(rows: pl.DataFrame, size: float) -> alt.LayerChart:
    """Draw the changes at one checkpoint: tuned on against measured on."""
    change = alt.Color(
        "value:Q", title="change", scale=alt.Scale(scheme="blueorange", reverse=True, domain=[-size, size])
    )
    return heat(
        rows,
        x=alt.X("probe:N", title="measured on", axis=alt.Axis(labelAngle=-40)),
        y=alt.Y("dataset:N", title="trained on"),
        colour=alt.condition("datum.dataset == datum.probe", alt.value("#eeeeee"), change),
        digits="replace(datum.is_clear ? '#' : '(#)', '#', format(100 * datum.value, '+.0f'))",
        side=max(34.0, min(64.0, (WIDTH - 200) / rows["probe"].n_unique())),
        height=30,
    )


def says(frame: pl.DataFrame) -> str:
    """Say what tuning does to other datasets at the last checkpoint."""
    others = frame.filter(pl.col("dataset") != pl.col("probe"))
    if others.is_empty():
        return "Nothing was measured on other datasets than the one tuned on"
    rows = latest(others)
    clear = f"{rows['is_clear'].sum()} of {rows.height} changes are clear"
    return (
        f"Tuning on one dataset changes the score on another by {signed(mean_of(rows))} on average {place_of(rows)}"
        f"{most_and_least(rows, 'probe')}; {clear}"
    )


FIGURE = Figure(
    id="transfer",
    section="What does tuning change elsewhere?",
    question="What does tuning on one dataset do to the others?",
    needs=("measurements",),
    frame=frame,
    chart=chart,
    says=says,
)

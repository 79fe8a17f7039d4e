"""What tuning on one dataset changes on the others."""

import altair as alt
import polars as pl

from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.panels import WIDTH, checkpoint_facet, heat, side_of, titled
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
    frame = changes(tables.reported.filter(matched), by, paired, kinds=["choice", "generation"])
    frame = frame.with_columns(
        ((pl.col("low") > 0) | (pl.col("high") < 0)).fill_null(False).alias("is_clear"), pl.lit("change").alias("row")
    )
    return tidy(with_labels(frame, "dataset"), ["method", "dataset", "probe"])


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw heat maps of changes, trained on against measured on, one per checkpoint; strips are methods.

    The diagonal, the gain on the dataset itself, is grey: it has a figure of its own and would set the scale.
    """
    others = frame.filter(pl.col("dataset") != pl.col("probe"))
    size = max(0.05, as_number(others["value"].abs().max() or 0))
    is_dark = (pl.col("value").abs() > 0.65 * size) & (pl.col("dataset") != pl.col("probe"))
    frame = frame.with_columns(is_dark.alias("is_dark"))
    n = frame["probe"].n_unique()
    side = side_of(frame, n)
    change = alt.Color(
        "value:Q", title="change", scale=alt.Scale(scheme="blueorange", reverse=True, domain=[-size, size])
    )
    strips = []
    for (series, method), part in sorted(frame.group_by("series", "method"), key=lambda pair: pair[0]):
        squares = heat(
            part,
            x=alt.X("probe:N", title="measured on", axis=alt.Axis(labelAngle=-60)),
            y=alt.Y("dataset:N", title="trained on"),
            colour=alt.condition("datum.dataset == datum.probe", alt.value("#eeeeee"), change),
            digits="replace(datum.is_clear ? '#' : '(#)', '#', format(100 * datum.value, '+.0f'))",
            side=side,
        )
        columns = max(1, int((WIDTH - 120) // (side * n + 9)))
        grid = squares.facet(alt.Facet(**checkpoint_facet(part)), columns=columns, spacing=10)
        strips.append(titled(grid, f"{series}, {method}: hundredths; in brackets where the interval includes 0"))
    return alt.vconcat(*strips)


FIGURE = Figure(
    id="transfer",
    section="What does tuning change elsewhere?",
    question="What does tuning on one dataset do to the others?",
    needs=("measurements",),
    frame=frame,
    chart=chart,
)

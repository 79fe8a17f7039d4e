"""When the scores of untouched checkpoints stop rising."""

import altair as alt
import polars as pl

from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.panels import heat, titled
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.findings.trajectories import AT_FLOOR, CHANGES, SHORT, row_of, trajectories_of
from ripeness.runtime.wording import human
from ripeness.tables.single_numbers import as_number


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Find when each untouched trajectory saturates; see trajectories.py. A point is its last checkpoint."""
    rows = [row_of(curve, settings) for curve in trajectories_of(tables.reported)]
    if not rows:
        return pl.DataFrame()
    counts = ("step", "saturation_tokens", "earliest_tokens", "latest_tokens")
    types: dict[str, type[pl.DataType]] = {"saturates_at": pl.String, **dict.fromkeys(counts, pl.Int64)}
    types |= dict.fromkeys(("se", "floor", "tau"), pl.Float64)
    frame = pl.DataFrame(rows, schema_overrides=types, infer_schema_length=None).with_columns(
        row=pl.concat_str(pl.lit("untouched, "), "shots", pl.lit(" shots"))
    )
    return tidy(with_labels(frame, "probe"), ["probe", "format", "shots"])


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw series by dataset: the tokens at which an untouched trajectory saturates, or why none are given."""
    signs = {CHANGES: "…", AT_FLOOR: "floor", SHORT: "few"}
    text = pl.when(pl.col("saturation_tokens").is_not_null()).then(
        pl.col("saturation_tokens").map_elements(human, return_dtype=pl.String)
    ).otherwise(pl.col("status").replace_strict(signs, default=""))  # fmt: skip
    tokens = frame["saturation_tokens"].drop_nulls()
    ends = [max(as_number(tokens.min() or 1), 1.0), max(as_number(tokens.max() or 10), 10.0)]
    middle = (ends[0] * ends[1]) ** 0.5
    frame = frame.with_columns(
        text.alias("sign"),
        # 0 has no logarithm
        pl.col("saturation_tokens").clip(lower_bound=1).alias("shade"),
        (pl.col("saturation_tokens").fill_null(0) > middle).alias("is_dark"),
    )
    colour = alt.Color("shade:Q", scale=alt.Scale(type="log", scheme="blues", domain=ends), legend=None)
    strips = []
    for (row,), part in sorted(frame.group_by("row"), key=lambda pair: pair[0]):
        squares = heat(
            part,
            x=alt.X("probe:N", title=None, axis=alt.Axis(labelAngle=-40)),
            y=alt.Y("series:N", title=None, axis=alt.Axis(labelLimit=260)),
            colour=alt.condition("isValid(datum.saturation_tokens)", colour, alt.value("#f2f2f2")),
            digits="datum.sign",
            side=min(130, max(44, 520 / part["probe"].n_unique())),
            height=min(40, max(15, 120 / part["series"].n_unique())),
        )
        strips.append(titled(squares, row))
    return alt.vconcat(*strips)


FIGURE = Figure(
    id="saturation",
    section="What does pre-training teach?",
    question="When does each dataset stop improving?",
    needs=("measurements",),
    frame=frame,
    chart=chart,
)

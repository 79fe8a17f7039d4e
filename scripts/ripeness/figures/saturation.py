"""When the scores of untouched checkpoints stop rising."""

from typing import Any

import altair as alt
import polars as pl

from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.panels import heat, titled
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.findings.trajectories import AT_FLOOR, CHANGES, SATURATES, SHORT, row_of, trajectories_of
from ripeness.runtime.wording import human
from ripeness.tables.columns import IS_OWN
from ripeness.tables.single_numbers import as_number

UNTOUCHED, TUNED = "untouched, {} shots", "tuned ({})"
WORDS = {CHANGES: "still rising", AT_FLOOR: "at chance", SHORT: "too few"}


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Find when the scores of untouched and of tuned models saturate; a point is the last checkpoint.

    Each trajectory is in the format in which checkpoints are judged; see trajectories.py.
    """
    parts = [
        rows_of(tables.reported, settings).with_columns(method=pl.lit("base"), row=pl.format(UNTOUCHED, "shots")),
        *(
            rows_of(part, settings).with_columns(method=pl.lit(name), row=pl.lit(TUNED.format(name)))
            for name, part in tuned_scores(tables.reported).items()
        ),
    ]
    parts = [part for part in parts if part.height]
    if not parts:
        return pl.DataFrame()
    return tidy(with_labels(pl.concat(parts, how="diagonal"), "probe"), ["probe", "format", "shots"])


def tuned_scores(measurements: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Take the scores of tuned models on their own dataset by method, as if they were those of untouched ones."""
    own = measurements.filter(pl.col("method") != "base", IS_OWN, pl.col("format") == pl.col("probe_format"))
    parts = own.partition_by("method", as_dict=True)
    return {str(name): parts[name,].with_columns(method=pl.lit("base")) for (name,) in sorted(parts)}


def rows_of(measurements: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Make a row of each trajectory; no rows where there is none."""
    rows = [row_of(curve, settings) for curve in trajectories_of(measurements)]
    counts = ("step", "saturation_tokens", "earliest_tokens", "latest_tokens")
    types: dict[str, type[pl.DataType]] = {"saturates_at": pl.String, **dict.fromkeys(counts, pl.Int64)}
    types |= dict.fromkeys(("se", "floor", "tau"), pl.Float64)
    found = pl.DataFrame(rows, schema_overrides=types, infer_schema_length=None) if rows else pl.DataFrame()
    return found if found.is_empty() else found.with_columns(shots=pl.col("shots").cast(pl.Int64))


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw series by dataset: the tokens at which a trajectory saturates, or why none are given."""
    text = pl.when(pl.col("saturation_tokens").is_not_null()).then(
        pl.col("saturation_tokens").map_elements(human, return_dtype=pl.String)
    ).otherwise(pl.col("status").replace_strict(WORDS, default=""))  # fmt: skip
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
    look: dict[str, Any] = {
        "x": alt.X("probe:N", title=None, axis=alt.Axis(labelAngle=-40)),
        "colour": alt.condition("isValid(datum.saturation_tokens)", colour, alt.value("#f2f2f2")),
        "digits": "datum.sign",
        "side": min(130, max(66, 520 / frame["probe"].n_unique())),
    }
    if frame["series"].n_unique() == 1:  # untouched and tuned above one another
        rows = frame["row"].unique().sort(descending=True).to_list()
        lines = alt.Y("row:N", title=None, sort=rows, axis=alt.Axis(labelLimit=260))
        return alt.vconcat(titled(heat(frame, y=lines, height=34, **look), "tokens after which the score stays"))
    strips = []
    for (row,), part in sorted(frame.group_by("row"), key=lambda pair: pair[0], reverse=True):
        lines = alt.Y("series:N", title=None, axis=alt.Axis(labelLimit=260))
        height = min(40, max(16, 120 / part["series"].n_unique()))
        strips.append(titled(heat(part, y=lines, height=height, **look), row))
    return alt.vconcat(*strips)


def says(frame: pl.DataFrame) -> str:
    """Say how many trajectories stop improving, untouched and tuned."""
    said = []
    for (row,), part in sorted(frame.group_by("row"), key=lambda pair: not pair[0][0].startswith("untouched")):
        ended = (part["status"] == SATURATES).sum()
        said.append(f"{row}: {ended} of {part.height} stop improving before the end")
    text = "; ".join(said)
    return text[0].upper() + text[1:]


FIGURE = Figure(
    id="saturation",
    section="What does pre-training teach?",
    question="When does each dataset stop improving?",
    needs=("measurements",),
    frame=frame,
    chart=chart,
    says=says,
)

"""How far formats of one dataset are apart."""

import altair as alt
import polars as pl

from ripeness.figures.colours import FORMAT_COLOURS, METHOD_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.frames import bounded, tidy, with_labels
from ripeness.figures.panels import checkpoint_facet, colours, heat, panels_of, side_of, titled, tokens_axis
from ripeness.figures.sentences import latest, mean_of, place_of
from ripeness.figures.trends import trend
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import IS_OWN
from ripeness.tables.intervals import POINT, pooled, scores, with_interval
from ripeness.tables.single_numbers import as_number

# Expected range of k independent standard normal numbers (d2 of control charts; ASTM E2587, table 49).
EXPECTED_RANGE = {2: 1.128, 3: 1.693, 4: 2.059, 5: 2.326, 6: 2.534}


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Compute highest minus lowest score over the formats a model is asked in, and the score of each pair of formats.

    `row` is `spread` (tuned: the mean over training formats; `expected` is what sampling alone would give if
    the formats were equal and their items independent, an upper bound) or `matrix` (trained in `format`,
    asked in `probe_format`).
    """
    rows = scores(tables.reported).filter(IS_OWN)
    by = ["series", *POINT[1:], "dataset", "probe", "method", "shots"]
    matrix = with_interval(pooled(rows, [*by, "format", "probe_format"]), is_share=True)
    trained = pl.when(pl.col("method") == "base").then(pl.lit("base")).otherwise("format").alias("trained")
    k = pl.col("value").count()
    by_model = (
        rows.with_columns(trained)
        .group_by(*by, "trained", "seed")
        .agg(
            (pl.col("value").max() - pl.col("value").min()).alias("value"),
            # Of a difference of two formats, taken as independent: conservative, since they share the items.
            ((pl.col("se") ** 2).mean() * 2).sqrt().alias("se"),
            ((pl.col("se") ** 2).mean().sqrt() * k.replace_strict(EXPECTED_RANGE, default=None)).alias("expected"),
            k.alias("n_formats"),
            pl.col("n_items", "chance", "majority").max(),
        )
        .filter(pl.col("n_formats") > 1)
    )
    expected = by_model.group_by(by).agg(pl.col("expected").mean(), pl.col("n_formats").max())
    spread = with_interval(pooled(by_model, by), is_share=False)
    spread = bounded(spread, 0, 1)
    spread = spread.join(expected, on=by, nulls_equal=True).with_columns(pl.lit("spread").alias("row"))
    n_asked = pl.col("probe_format").n_unique().over("probe")
    tuned = matrix.filter(pl.col("method") != "base", (n_asked > 1) | (n_asked.max() == 1))
    tuned = tuned.with_columns(pl.lit("matrix").alias("row"))
    frame = pl.concat([spread, tuned], how="diagonal")
    return tidy(with_labels(frame, "probe"), ["method", "shots", "format", "probe_format"])


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw the spread over formats against tokens, then each pair of training format and format asked in."""
    treatment = pl.when(pl.col("method") == "base").then(pl.format("base, {} shots", "shots")).otherwise("method")
    spread = frame.filter(pl.col("row") == "spread").with_columns(treatment.alias("treatment"))
    few_shots = {f"base, {shots} shots": "#909090" for shots in spread["shots"].unique().sort() if shots}
    known = {"base, 0 shots": METHOD_COLOURS["base"]} | few_shots | METHOD_COLOURS
    colour = colours(spread["treatment"], known, has_legend=False)
    floor = alt.Chart().transform_filter("!datum.is_alone").mark_line(strokeDash=[2, 3], color="#222").encode(
        x=tokens_axis(spread["tokens"]), y="mean(expected):Q", detail=["series:N", "phase:N"]
    )  # fmt: skip
    strips = []
    if not spread.is_empty():
        lines = trend(
            spread,
            panels=panels_of(frame),
            colour=colour,
            title="highest - lowest format",
            detail=["treatment"],
            is_bold=f"datum.shots == {int(as_number(spread['shots'].min()))}",
            overlay=[floor],
            named_by="treatment",
        )
        title = "spread of the score over formats (dotted: expected from sampling alone, at most)"
        strips.append(titled(lines, title))
    matrix = frame.filter(pl.col("row") == "matrix").drop("row", "n_formats", "expected", "chance", "majority")
    for (method,), part in sorted(matrix.group_by("method"), key=lambda pair: pair[0]):
        text = f"score in hundredths by format trained in (row) and asked in (column), {method}; framed: the same"
        strips.append(titled(format_matrix(part), text))
    return alt.vconcat(*strips).resolve_scale(color="independent", shape="independent")


def format_matrix(frame: pl.DataFrame) -> alt.FacetChart:
    """Draw a small heat map for each checkpoint and dataset; scores are in hundredths."""
    is_dark = (pl.col("value") > 0.55).alias("is_dark")
    squares = heat(
        frame.with_columns(is_dark, is_same=pl.col("format") == pl.col("probe_format")),
        x=alt.X("probe_format:N", title="asked in", sort=list(FORMAT_COLOURS), axis=alt.Axis(labelAngle=-60)),
        # a title is longer than one square is high
        y=alt.Y("format:N", title="trained in" if frame["format"].n_unique() > 1 else None, sort=list(FORMAT_COLOURS)),
        colour=alt.Color("value:Q", title="score", scale=alt.Scale(scheme="blues", domain=[0, 1])),
        digits="format(100 * datum.value, '.0f')",
        side=side_of(frame, frame["probe_format"].n_unique()),
        framed="datum.is_same",
    )
    # On the right, names of any length do not push the figure aside.
    names = alt.Header(labelAngle=0, labelOrient="right")
    return squares.facet(
        row=alt.Row("panel:N", title=None, header=names),
        column=alt.Column(**checkpoint_facet(frame)),
        spacing=8,
    )


def says(frame: pl.DataFrame) -> str:
    """Say how far formats are apart at the last checkpoint, untouched and tuned."""
    spread = frame.filter(pl.col("row") == "spread")
    if spread.is_empty():
        return "Each dataset has one format"
    rows = latest(spread)
    base, tuned = rows.filter(pl.col("method") == "base", pl.col("shots") == 0), rows.filter(pl.col("method") != "base")
    said = [f"{mean_of(part):.2f} {word}" for part, word in ((base, "untouched"), (tuned, "tuned")) if part.height]
    return f"The best format is above the worst {place_of(rows)} by, on average, {' and '.join(said)}"


FIGURE = Figure(
    id="format-spread",
    section="Does the format matter?",
    question="How much does the format decide?",
    needs=("measurements",),
    frame=frame,
    chart=chart,
    says=says,
)

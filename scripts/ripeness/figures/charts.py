"""The figures: a tidy frame (see figure_data.py) becomes an Altair chart (of the parts in panels.py)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import wrap

import altair as alt
import polars as pl

from ripeness.figures import frames
from ripeness.figures.panels import (
    FORMAT_COLOURS,
    GROUP_COLOURS,
    MANY,
    METHOD_COLOURS,
    SIDE_BY_SIDE,
    STATUS_COLOURS,
    STATUS_SIGNS,
    THEME,
    WIDTH,
    checkpoint_facet,
    colours,
    heat,
    level_line,
    maps,
    panels_of,
    reference_lines,
    side_of,
    titled,
    tokens_axis,
    tooltips,
    trend,
)
from ripeness.findings.trajectories import AT_FLOOR, CHANGES, SHORT
from ripeness.runtime.wording import human


@dataclass(frozen=True)
class Figure:
    """A figure of the study: the question it answers, its data and its picture.

    `data` takes measurements and cells, and as a third argument the items where `uses_items`, or how claims are tested
    where `uses_settings`. Where `uses_all` it takes all tables, with rates that were not chosen and with what was
    perturbed, and how claims are tested; where `uses_findings` the findings alone.
    """

    question: str
    data: Callable[..., pl.DataFrame]
    chart: Callable[[pl.DataFrame], alt.TopLevelMixin]
    uses_items: bool = False
    uses_settings: bool = False
    uses_all: bool = False
    uses_findings: bool = False


def availability(frame: pl.DataFrame) -> alt.FacetChart | alt.LayerChart:
    """One square a cell: what is done, what diverged, what is missing; of many series, counts of them."""
    if frame["panel"].n_unique() > MANY:
        return counts_of_cells(frame)
    columns = min(SIDE_BY_SIDE, frame["panel"].n_unique())
    facts = ["reason", "n_examples", "n_tokens", "n_truncated", "final_loss"]
    signs = frame.with_columns(
        pl.col("status").replace_strict(STATUS_SIGNS, default="?").alias("sign"),
        pl.col(facts).cast(pl.String).fill_null("–"),
    )
    order = checkpoint_facet(signs)["sort"]
    step = min(40, ((WIDTH - 160) / columns - 20) / len(order))
    rank = {"method": list(METHOD_COLOURS), "format": list(FORMAT_COLOURS)}
    places = [
        pl.col(name).replace_strict({n: i for i, n in enumerate(names)}, default=99) for name, names in rank.items()
    ]
    rows = signs.sort(*places, "method", "format", "seed")["cell"].unique(maintain_order=True).to_list()
    grid = alt.Chart(signs).encode(
        x=alt.X("label:N", sort=order, title="pre-training tokens", axis=alt.Axis(labelAngle=-60)),
        y=alt.Y("cell:N", title=None, sort=rows),
    )
    scale = alt.Scale(domain=list(STATUS_COLOURS), range=list(STATUS_COLOURS.values()))
    squares = grid.mark_rect(stroke="white").encode(
        color=alt.Color("status:N", scale=scale, title="cell"), tooltip=tooltips(signs)
    )
    marks = grid.mark_text(fontSize=11, fontWeight="bold").encode(text="sign:N", tooltip=tooltips(signs))
    layered = alt.layer(squares, marks, data=signs).properties(width=alt.Step(step), height=alt.Step(13))
    return layered.facet(alt.Facet("panel:N", title=None), columns=columns)


def counts_of_cells(frame: pl.DataFrame) -> alt.LayerChart:
    """How many cells of each series and dataset are done, and of how many."""
    counts = frame.group_by("series", "dataset").agg(
        pl.len().alias("n"), (pl.col("status") == "done").sum().alias("done"), pl.lit(False).alias("is_dark")
    )
    return heat(
        counts.sort("series", "dataset"),
        x=alt.X("dataset:N", title=None, axis=alt.Axis(labelAngle=-40)),
        y=alt.Y("series:N", title=None, axis=alt.Axis(labelLimit=260)),
        colour=alt.condition(
            "datum.done == datum.n", alt.value(STATUS_COLOURS["done"]), alt.value(STATUS_COLOURS["missing"])
        ),
        digits="datum.done == datum.n ? format(datum.n, '') : datum.done + '/' + datum.n",
        side=44,
        height=15,
    )


def learned_in_pretraining(frame: pl.DataFrame) -> alt.VConcatChart:
    """Scores of the untouched checkpoints: one strip for each number of shots, then the log-probability."""
    if frame["panel"].n_unique() > MANY:
        return alt.vconcat(
            *[titled(maps(part), row) for (row,), part in sorted(frame.group_by("row"), key=lambda p: p[0])]
        )
    colour = colours(frame["format"], FORMAT_COLOURS)
    strips = []
    for (row,), strip in sorted(frame.group_by("row"), key=lambda pair: (pair[0][0].startswith("log"), pair[0])):
        is_score = strip["chance"].is_not_null().any()
        overlay = reference_lines() if is_score else None
        title = "score" if row.startswith("score") else "nats"
        chart = trend(strip, panels=panels_of(frame), colour=colour, title=title, detail=["format"], overlay=overlay)
        strips.append(titled(chart, row))
    return alt.vconcat(*strips)


def saturation(frame: pl.DataFrame) -> alt.VConcatChart:
    """Series by dataset: the tokens at which an untouched trajectory saturates, or why none are named."""
    signs = {CHANGES: "…", AT_FLOOR: "floor", SHORT: "few"}
    text = pl.when(pl.col("saturation_tokens").is_not_null()).then(
        pl.col("saturation_tokens").map_elements(human, return_dtype=pl.String)
    ).otherwise(pl.col("status").replace_strict(signs, default=""))  # fmt: skip
    tokens = frame["saturation_tokens"].drop_nulls()
    ends = [float(max(tokens.min() or 1, 1)), float(max(tokens.max() or 10, 10))]
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


def contrast(frame: pl.DataFrame) -> alt.VConcatChart:
    """The change by tuning above both levels: bold the mean over formats, thin each format."""
    colour = colours(frame["method"], METHOD_COLOURS)
    strips = []
    for (row,), strip in sorted(frame.group_by("row"), key=lambda pair: not pair[0][0].startswith("change")):
        overlay = [level_line(0)] if row.startswith("change") else None
        look = {"panels": panels_of(frame), "colour": colour, "title": row, "overlay": overlay}
        chart = trend(strip, **look, detail=["method", "format"], is_bold="datum.format == 'all'")
        strips.append(titled(chart, f"{row}, tuned minus untouched" if overlay else row))
    return alt.vconcat(*strips)


def gain_by_group(frame: pl.DataFrame) -> alt.HConcatChart | alt.VConcatChart:
    """Mean gains of both groups of datasets, and their difference: below, or beside where there is one series."""
    colour = colours(frame["group"], GROUP_COLOURS)
    titles = {"gain": "score gained by tuning", "difference": "not learned minus learned"}
    strips = []
    for row, title in titles.items():
        strip = frame.filter(row=row)
        if not strip.is_empty():
            look = {"panels": panels_of(frame), "colour": colour, "title": title, "overlay": [level_line(0)]}
            strips.append(titled(trend(strip, **look, detail=["group"]), title))
    return alt.hconcat(*strips) if frame["panel"].n_unique() == 1 else alt.vconcat(*strips)


def format_spread(frame: pl.DataFrame) -> alt.VConcatChart:
    """Spread over formats against tokens, then every pair of training format and format asked in."""
    treatment = pl.when(pl.col("method") == "base").then(pl.format("base, {} shots", "shots")).otherwise("method")
    spread = frame.filter(pl.col("row") == "spread").with_columns(treatment.alias("treatment"))
    few_shots = {f"base, {shots} shots": "#909090" for shots in spread["shots"].unique().sort() if shots}
    known = {"base, 0 shots": METHOD_COLOURS["base"]} | few_shots | METHOD_COLOURS
    colour = colours(spread["treatment"], known)
    floor = alt.Chart().transform_filter("!datum.is_alone").mark_line(strokeDash=[2, 3], color="#222").encode(
        x=tokens_axis(spread["tokens"]), y="mean(expected):Q", detail=["series:N", "phase:N"]
    )  # fmt: skip
    strips = []
    if not spread.is_empty():
        look = {"panels": panels_of(frame), "colour": colour, "title": "highest - lowest format"}
        fewest = spread["shots"].min()
        lines = trend(spread, **look, detail=["treatment"], is_bold=f"datum.shots == {fewest}", overlay=[floor])
        title = "spread of the score over formats (dotted: expected from sampling alone, at most)"
        strips.append(titled(lines, title))
    matrix = frame.filter(pl.col("row") == "matrix").drop("row", "n_formats", "expected", "chance", "majority")
    for (method,), part in sorted(matrix.group_by("method"), key=lambda pair: pair[0]):
        strips.append(titled(format_matrix(part), f"score by format trained in and asked in, {method}"))
    return alt.vconcat(*strips).resolve_scale(color="independent", shape="independent")


def format_matrix(frame: pl.DataFrame) -> alt.FacetChart:
    """A small heat map for each checkpoint and dataset; scores are in hundredths."""
    squares = heat(
        frame.with_columns((pl.col("value") > 0.55).alias("is_dark")),
        x=alt.X("probe_format:N", title="asked in", sort=list(FORMAT_COLOURS), axis=alt.Axis(labelAngle=-60)),
        # a title is longer than one square is high
        y=alt.Y("format:N", title="trained in" if frame["format"].n_unique() > 1 else None, sort=list(FORMAT_COLOURS)),
        colour=alt.Color("value:Q", title="score", scale=alt.Scale(scheme="blues", domain=[0, 1])),
        digits="format(100 * datum.value, '.0f')",
        side=side_of(frame, frame["probe_format"].n_unique()),
    )
    # On the right, names of any length do not push the figure aside.
    names = alt.Header(labelAngle=0, labelOrient="right")
    return squares.facet(
        row=alt.Row("panel:N", title=None, header=names),
        column=alt.Column(**checkpoint_facet(frame)),
        spacing=8,
    )


def transfer(frame: pl.DataFrame) -> alt.VConcatChart:
    """Heat map of changes, trained on against measured on, one for each checkpoint; strips are methods.

    The diagonal, the gain on the dataset itself, is grey: it has a figure of its own and would set the scale.
    """
    others = frame.filter(pl.col("dataset") != pl.col("probe"))
    size = max(0.05, float(others["value"].abs().max() or 0))
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


FIGURES: dict[str, Figure] = {
    "availability": Figure("Which cells are there?", frames.availability, availability),
    "learned-in-pretraining": Figure(
        "What has pre-training alone taught, and when?",
        frames.learned_in_pretraining,
        learned_in_pretraining,
    ),
    "saturation": Figure("When does each dataset stop improving?", frames.saturation, saturation, uses_settings=True),
    "gain": Figure("How much does tuning add at each checkpoint?", frames.gain, contrast, uses_items=True),
    "gain-by-group": Figure(
        "Does tuning add more where pre-training taught nothing?",
        frames.gain_by_group,
        gain_by_group,
        uses_findings=True,
    ),
    "format-spread": Figure("How much does the format decide?", frames.format_spread, format_spread),
    "transfer": Figure("What does tuning on one dataset do to the others?", frames.transfer, transfer, uses_items=True),
    "pretraining-text": Figure("What does tuning cost on the text of pre-training?", frames.pretraining_text, contrast),
}


def blank(text: str) -> alt.Chart:
    """Say in the place of a figure why there is none."""
    return alt.Chart(pl.DataFrame({"text": [text]})).mark_text(align="left", fontSize=12).encode(text="text:N")


def specification(chart: alt.TopLevelMixin, *, title: str, subtitle: list[str]) -> dict:
    """Vega-Lite specification of a chart with the theme, a title and a subtitle (wrapped to the width)."""
    lines = [line for text in subtitle for line in wrap(text, 150)]
    # Checked against the schema by the tests, which would take half of the time here.
    with alt.data_transformers.disable_max_rows():  # a study may have more than 5000 cells
        spec = chart.to_dict(validate=False)
    tables = spec.pop("datasets", {})
    text = json.dumps(spec)
    # Columns that nothing in the chart names are left to the CSV.
    data = {
        name: [{key: value for key, value in row.items() if key in text} for row in rows]
        for name, rows in tables.items()
    }
    named = {"config": THEME, "title": {"text": title, "subtitle": lines}, "description": title}
    return spec | named | {"datasets": data}

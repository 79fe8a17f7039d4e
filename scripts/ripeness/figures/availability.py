"""Which cells of the study are there."""

import altair as alt
import polars as pl

from ripeness.figures.colours import FORMAT_COLOURS, METHOD_COLOURS, STATUS_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.panels import MANY, SIDE_BY_SIDE, STATUS_SIGNS, WIDTH, checkpoint_facet, heat, tooltips
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import USED
from ripeness.tables.intervals import UNTUNED


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """List every cell of the study with its status (done, diverged, missing) and facts of its training.

    Running text and tasks of lm-eval, on which only the untouched model has a cell, are shown where not done.
    """
    # a method with several learning rates has a cell for each
    is_grid = pl.col("learning_rate").n_unique().over("method", "dataset") > 1
    rate = pl.when(is_grid).then(pl.concat_str(pl.lit(" "), "learning_rate")).otherwise(pl.lit(""))
    recipe = pl.concat_str("method", rate)
    seed = pl.concat_str(pl.lit("seed "), "seed")  # published numbers may name none
    cell = pl.concat_str([recipe, pl.col("format"), seed], separator=" · ", ignore_nulls=True)
    keys = ["dataset", "format", "method", "learning_rate", "seed"]
    shown = tables.cells.filter(~pl.col("format").is_in(UNTUNED) | (pl.col("status") != "done")).drop(USED)
    frame = shown.with_columns(pl.lit("cells").alias("row"), cell.alias("cell"), pl.lit(0).alias("step"))
    return tidy(with_labels(frame, "dataset").drop("step"), keys)


def chart(frame: pl.DataFrame) -> alt.FacetChart | alt.LayerChart:
    """Draw one square per cell: done, diverged or missing; for many series, counts of cells instead."""
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
    marks = grid.mark_text(fontSize=11, fontWeight="bold", color="#222").encode(text="sign:N", tooltip=tooltips(signs))
    cells = alt.layer(squares, marks, data=signs).properties(width=alt.Step(step), height=alt.Step(13))
    return cells.facet(alt.Facet("panel:N", title=None), columns=columns)


def counts_of_cells(frame: pl.DataFrame) -> alt.LayerChart:
    """Draw how many cells of each series and dataset are done, and out of how many."""
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


def says(frame: pl.DataFrame) -> str:
    """Say how many cells are done."""
    counts = dict(frame["status"].value_counts().iter_rows())
    words = {"diverged": "diverged", "missing": "are missing"}
    lost = [f"{counts[name]} {word}" for name, word in words.items() if name in counts]
    done = counts.get("done", 0)
    return f"{done} of {frame.height} cells of datasets are done" + (f"; {' and '.join(lost)}" if lost else "")


FIGURE = Figure(
    id="availability",
    section="The study",
    question="Which cells are there?",
    needs=("measurements",),
    frame=frame,
    chart=chart,
    says=says,
)

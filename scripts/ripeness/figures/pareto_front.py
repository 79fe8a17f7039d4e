"""Which ways of tuning no other one beats in what they gain and what they lose, at each checkpoint."""

import altair as alt
import polars as pl

from ripeness.figures.colours import METHOD_COLOURS, SPARE_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.panels import WIDTH, heat, in_order, titled, tooltips
from ripeness.figures.sentences import latest, place_of
from ripeness.findings.finding import Settings
from ripeness.findings.fronts import fronts
from ripeness.findings.study_tables import Tables
from ripeness.study.study_config import BASE

MOST_COLUMNS = 6  # checkpoints among the dots; the squares and the CSV have all
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"]
BEND = 0.1  # nats; below it the axis of what is lost is linear


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Add to each way on a dataset how many numbers it trains; `value` is what it loses on text, `gain` its gain."""
    found = fronts(tables, settings)
    if found.is_empty():
        return found
    sizes = tables.cells.group_by("series", "dataset", "method").agg(pl.col("trainable_parameters").max())
    found = found.rename({"lost": "value", "lost_low": "low", "lost_high": "high"}).with_columns(row=pl.lit("front"))
    found = found.join(sizes, on=["series", "dataset", "method"], how="left")
    return tidy(with_labels(found, "dataset"), ["dataset", "method"])


def chart(frame: pl.DataFrame) -> alt.VConcatChart:
    """Draw dots with the front, a panel for each dataset and checkpoint, and squares with shares of the draws."""
    title = "gain against loss; the line is the front as measured, fainter dots are on it in fewer draws"
    shares = "on the front in so many of a hundred draws of items, passages and seeds"
    return alt.vconcat(titled(dots(frame), title), titled(squares(frame), shares)).resolve_scale(
        color="independent", shape="independent"
    )


def order_of(frame: pl.DataFrame) -> list[str]:
    """List the labels of the checkpoints in order."""
    return frame.select("label", "order").unique().sort("order")["label"].unique(maintain_order=True).to_list()


def dots(frame: pl.DataFrame) -> alt.FacetChart:
    """Draw what is lost against what is gained; the size of a dot is that of what is trained."""
    order = order_of(frame)
    kept = [order[round(k * (len(order) - 1) / max(MOST_COLUMNS - 1, 1))] for k in range(MOST_COLUMNS)]
    frame = frame.filter(pl.col("label").is_in(kept))
    names = in_order(frame.filter(pl.col("method") != BASE)["method"], METHOD_COLOURS)
    spare = [SPARE_COLOURS[k % len(SPARE_COLOURS)] for k in range(len(names))]
    scale = {
        "color": [METHOD_COLOURS.get(name, colour) for name, colour in zip(names, spare, strict=True)],
        "shape": [SHAPES[k // len(SPARE_COLOURS) % len(SHAPES)] for k in range(len(names))],
    }
    legend = alt.Legend(title="method", columns=8, symbolOpacity=1)
    base = alt.Chart().encode(
        x=alt.X("gain:Q", title="score gained", scale=alt.Scale(zero=False)),
        y=alt.Y(
            "value:Q", title="lost on text", scale=alt.Scale(type="symlog", constant=BEND), axis=alt.Axis(tickCount=5)
        ),
    )
    ways = base.transform_filter(f"datum.method != '{BASE}'").mark_point(filled=True, stroke="#333", strokeWidth=0.6)
    ways = ways.encode(
        color=alt.Color("method:N", scale=alt.Scale(domain=names, range=scale["color"]), legend=legend),
        shape=alt.Shape("method:N", scale=alt.Scale(domain=names, range=scale["shape"]), legend=legend),
        size=alt.Size(
            "trainable_parameters:Q", title="numbers trained", scale=alt.Scale(type="log", range=[25, 260]),
            legend=alt.Legend(values=decades(frame["trainable_parameters"]), format="~s"),
        ),
        opacity=alt.Opacity("share:Q", title="share of draws", scale=alt.Scale(domain=[0, 1], range=[0.3, 1])),
        tooltip=tooltips(frame),
    )  # fmt: skip
    front = base.transform_filter("datum.is_on_front").mark_line(
        interpolate="step-before", color="#999", strokeWidth=1.2
    )
    untouched = base.transform_filter(f"datum.method == '{BASE}'").mark_point(shape="cross", color="#222", size=50)
    panel = alt.layer(front.encode(order="gain:Q"), ways, untouched.encode(tooltip=tooltips(frame)), data=frame)
    side = (WIDTH - 120) / len(set(kept)) - 24
    columns = alt.Column("label:N", sort=order, title="checkpoint (pre-training tokens)")
    right = alt.Header(labelAngle=0, labelOrient="right")
    return panel.properties(width=side, height=side).facet(
        row=alt.Row("panel:N", title=None, header=right), column=columns, spacing=8
    )


def squares(frame: pl.DataFrame) -> alt.FacetChart:
    """Draw the share of draws in which a way is on the front: methods against checkpoints, a map for each dataset."""
    order = order_of(frame)
    n = frame["panel"].n_unique()
    side = min(40.0, max(23.0, (WIDTH - 140 * n) / n / len(order)))
    map_ = heat(
        frame.with_columns(is_dark=pl.col("share") > 0.6),
        x=alt.X("label:N", sort=order, title="pre-training tokens", axis=alt.Axis(labelAngle=-60)),
        y=alt.Y("method:N", title=None, sort=in_order(frame["method"], METHOD_COLOURS)),
        colour=alt.Color("share:Q", title="share of draws", scale=alt.Scale(scheme="blues", domain=[0, 1])),
        digits="format(100 * datum.share, '.0f')",
        side=side,
        height=17,
    )
    columns = max(1, int(WIDTH // (side * len(order) + 120)))
    return map_.facet(alt.Facet("panel:N", title=None, sort=sorted(set(frame["panel"]))), columns=columns)


def decades(sizes: pl.Series) -> list[int]:
    """List the powers of ten among the sizes of ways, for the legend; the largest size where there is none."""
    known = sizes.drop_nulls().filter(sizes.drop_nulls() > 0)
    found = [10**k for k in range(13) if len(known) and known.min() <= 10**k <= known.max()]
    return found or known.unique().sort().to_list()[-1:]


def says(frame: pl.DataFrame) -> str:
    """Say which ways no other one beats at the last checkpoint, and on how many datasets."""
    rows = latest(frame.filter(pl.col("method") != BASE))
    counts = rows.filter("is_on_front").group_by("method").len().sort("len", "method", descending=[True, False])
    n = rows["dataset"].n_unique()
    named = ", ".join(f"{name} on {count}" for name, count in counts.head(5).iter_rows())
    return f"No other way beats these {place_of(rows)}, of {n} dataset{'' if n == 1 else 's'}: {named or 'none'}"


FIGURE = Figure(
    id="pareto-front",
    section="What does tuning add?",
    question="Which ways of tuning gain most and lose least?",
    needs=("models", "texts", "several ways"),
    frame=frame,
    chart=chart,
    says=says,
)

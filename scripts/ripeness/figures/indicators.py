"""Which measurements of untouched checkpoints predict their scores after tuning."""

import altair as alt
import polars as pl

from ripeness.figures.figure import Figure
from ripeness.figures.panels import WIDTH, layered, tooltips
from ripeness.findings.finding import Settings
from ripeness.findings.indicators.answer import CHANCE, ID, MOST
from ripeness.findings.study_tables import Tables
from ripeness.tables.single_numbers import as_number

PAIRS, LOST = "pairs of checkpoints ordered right", "points lost by picking by it"
NAMES_WIDTH = 260  # pixels
KEPT = ["indicator", "expects", "cost", "says", "n_checkpoints", "n_datasets"]


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Lay the answer out: a row for every series, indicator and quantity; `none` is chance, or nothing lost."""
    entry = tables.answers.get(ID)
    if entry is None:
        return pl.DataFrame()
    rows = []
    for answer in entry["answers"]:
        place = {"panel": answer["series"], "series": answer["series"]} | {name: answer[name] for name in KEPT}
        blind = 100 * answer["blind_regret"]
        rows.append(place | of_quantity(answer, "accuracy", PAIRS, CHANCE, settings.smallest_accuracy, 1))
        rows.append(place | of_quantity(answer, "regret", LOST, 0.0, settings.smallest_effect, 100) | {"blind": blind})
    first = ["row", "panel", "indicator", "value", "low", "high"]
    found = pl.DataFrame(rows, infer_schema_length=None)
    found = found.with_columns(pl.col("value", "low", "high", "cost", "blind").cast(pl.Float64).round(5))
    return found.select(*first, pl.exclude(first)).sort("row", "panel", "indicator")


def of_quantity(answer: dict, name: str, row: str, none: float, smallest: float, factor: float) -> dict:
    """Take one quantity of an answer, in the unit that is drawn, with the zone that is too small to matter."""
    ends = {"value": answer[name], "low": answer[f"{name}_low"], "high": answer[f"{name}_high"]}
    ends |= {"none": none, "zone_low": none - smallest, "zone_high": none + smallest}
    return {"row": row, "blind": None} | {key: round(factor * value, 5) for key, value in ends.items()}


def chart(frame: pl.DataFrame) -> alt.HConcatChart:
    """Draw intervals, an indicator a line: the share of pairs next to the points lost."""
    mean, pairs, lost = pl.col("value").mean(), frame.filter(row=PAIRS), frame.filter(row=LOST)
    ranked = pairs.group_by("indicator").agg(mean, last=(pl.col("says") == MOST).any())
    order = ranked.sort("last", "value", "indicator", descending=[False, True, False])["indicator"].to_list()
    farthest = max(as_number(lost[name].max()) for name in ("value", "blind", "zone_high"))
    nearest = min(as_number(lost[name].min()) for name in ("value", "zone_low"))
    blind = alt.Chart().mark_rule(strokeDash=[3, 3], color="#888888").encode(x="mean(blind):Q")
    return alt.hconcat(
        strip(pairs, order, alt.X("value:Q", title=PAIRS, scale=alt.Scale(domain=[0, 1]))),
        strip(lost, order, alt.X("value:Q", title=LOST, scale=alt.Scale(domain=[nearest - 1, 1.5 * farthest])), blind),
    )


def strip(part: pl.DataFrame, order: list[str], x: alt.X, *more: alt.Chart) -> alt.FacetChart:
    """Draw one quantity; what reaches beyond the axis is cut off."""
    base = alt.Chart().encode(y=alt.Y("indicator:N", sort=order, title=None, axis=alt.Axis(labelLimit=NAMES_WIDTH)))
    zone = alt.Chart().mark_rect(color="#dddddd", opacity=0.35).encode(x="min(zone_low):Q", x2="max(zone_high):Q")
    none = alt.Chart().mark_rule(color="#888888").encode(x="mean(none):Q")
    colour = alt.condition(f"datum.says == '{MOST}'", alt.value("#6b6b6b"), alt.value("#0072b2"))
    lines = base.mark_rule(strokeWidth=2, clip=True).encode(x="low:Q", x2="high:Q", color=colour)
    marks = base.mark_point(filled=True, size=60, opacity=1).encode(x=x, color=colour, tooltip=tooltips(part))
    panel = layered(zone, none, *more, lines, marks, data=part)
    panel = panel.properties(width=(WIDTH - NAMES_WIDTH) / 2 - 40, height=20 * len(order))
    return panel.facet(row=alt.Row("panel:N", title=None))


def says(frame: pl.DataFrame) -> str:
    """Say which indicator orders most pairs of checkpoints right."""
    pairs = frame.filter(pl.col("row") == PAIRS, pl.col("says") != MOST)
    if pairs.is_empty():
        return "No indicator was measured"
    means = pairs.group_by("indicator").agg(pl.col("value").mean()).sort("value", "indicator", descending=[True, False])
    name, share = means.row(0)
    return f"Of what is known before tuning, {name} orders most pairs of checkpoints right: {share:.0%}; chance is 50%"


FIGURE = Figure(
    id="indicators",
    section="What predicts the score after tuning?",
    question="Which measurements of an untouched checkpoint predict its score after tuning?",
    needs=("measurements",),
    frame=frame,
    chart=chart,
    says=says,
)

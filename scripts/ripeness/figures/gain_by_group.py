"""What tuning adds on datasets learned in pre-training and on others."""

import altair as alt
import polars as pl

from ripeness.figures.colours import GROUP_COLOURS
from ripeness.figures.figure import Figure
from ripeness.figures.frames import tidy, with_labels
from ripeness.figures.panels import colours, level_line, panels_of, titled, zone
from ripeness.figures.sentences import latest, mean_of, place_of, signed
from ripeness.figures.trends import trend
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables


def frame(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Average the gain at each checkpoint over datasets learned in pre-training and over others, with the difference.

    From the rows of the finding `gain-by-learning`, which classes datasets; the difference has its interval.
    """
    groups, rows = {"not_learned": "not learned", "learned": "learned"}, []
    details = [row for one in tables.findings if one["id"] == "gain-by-learning" for row in one["details"]]
    for row in details:
        if row["level"] != "groups":
            continue
        place = {key: row[key] for key in ("series", "checkpoint", "tokens", "phase")}
        place |= {"panel": "mean of the datasets of a group", "low": None, "high": None, "smallest": None}
        for key, name in groups.items():
            if row[key] is not None:
                rows.append({"row": "gain", "group": name, "value": row[key]} | place)
        if row.get("effect") is not None:
            ends = {end: row[end] for end in ("low", "high")}
            rows.append({"row": "difference", "group": "difference", "value": row["effect"]} | place | ends)
            rows[-1]["smallest"] = settings.smallest_effect
    if not rows:
        return pl.DataFrame()
    floats = dict.fromkeys(("low", "high", "smallest"), pl.Float64)
    frame = pl.DataFrame(rows, schema_overrides=floats, infer_schema_length=None)
    return tidy(with_labels(frame, "panel"), ["group"])


def chart(frame: pl.DataFrame) -> alt.HConcatChart | alt.VConcatChart:
    """Draw the mean gain of both groups and their difference: below it, or at its right where there is one series."""
    colour = colours(frame["group"], GROUP_COLOURS, has_legend=False)
    titles = {"gain": "score gained by tuning", "difference": "not learned minus learned"}
    strips = []
    for row, title in titles.items():
        strip = frame.filter(row=row)
        if not strip.is_empty():
            panels, zero = panels_of(frame), zone() if row == "difference" else [level_line(0)]
            chart = trend(
                strip, panels=panels, colour=colour, title=title, detail=["group"], overlay=zero, named_by="group"
            )
            strips.append(titled(chart, title))
    return alt.hconcat(*strips) if frame["panel"].n_unique() == 1 else alt.vconcat(*strips)


def says(frame: pl.DataFrame) -> str:
    """Say how much more tuning adds to what was not learned, at the last checkpoint."""
    rows = frame.filter(row="difference")
    if rows.is_empty():
        return "No checkpoint has datasets of both groups"
    rows = latest(rows)
    more = mean_of(rows)
    word = "more" if more >= 0 else "less"
    size = signed(abs(more)).lstrip("+")
    return f"Tuning adds {size} {word} on datasets not learned in pre-training, {place_of(rows)}"


FIGURE = Figure(
    id="gain-by-group",
    section="What does tuning add?",
    question="Does tuning add more where pre-training taught nothing?",
    needs=("measurements", "several datasets"),
    frame=frame,
    chart=chart,
    says=says,
)

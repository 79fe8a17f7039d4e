"""The Vega-Lite specification of a chart, with the theme, a title and a subtitle."""

import json
from textwrap import wrap

import altair as alt
import polars as pl

from ripeness.figures.panels import THEME

IDENTITY = ("series", "checkpoint", "dataset", "probe", "method", "format", "probe_format", "shots", "seed")


def blank(text: str) -> alt.Chart:
    """Say in the place of a figure why there is none."""
    return alt.Chart(pl.DataFrame({"text": [text]})).mark_text(align="left", fontSize=12).encode(text="text:N")


def specification(chart: alt.TopLevelMixin, *, title: str, subtitle: list[str]) -> dict:
    """Build the Vega-Lite specification of a chart with theme, title and subtitle (wrapped to the width)."""
    lines = [line for text in subtitle for line in wrap(text, 150)]
    # Checked against the schema by the tests, which would take half of the time here.
    with alt.data_transformers.disable_max_rows():  # a study may have more than 5000 cells
        spec = chart.to_dict(validate=False)
    tables = spec.pop("datasets", {})
    text = json.dumps(spec)
    # Columns that nothing in the chart names are left to the CSV; those that say which point it is open the panel.
    data = {
        name: [{key: value for key, value in row.items() if key in IDENTITY or key in text} for row in rows]
        for name, rows in tables.items()
    }
    named = {"config": THEME, "title": {"text": wrap(title, 120), "subtitle": lines}, "description": title}
    return spec | named | {"datasets": data}

"""Read indicators and tuned scores of published tables, which have no items: both may rest on the same ones."""

import polars as pl

from ripeness.findings.finding import Settings
from ripeness.findings.indicators.common import LESS, of_checkpoints, of_plan, text_loss, values_of
from ripeness.findings.indicators.readings import ANSWER_LOSS, MARGIN, Indicator, Readings
from ripeness.tables.columns import HAS_VALUE, IS_OWN
from ripeness.tables.intervals import compared, scores

ASKED = ["probe", "probe_format", "shots"]
OTHERS = {"margin": (MARGIN, 1.0, "more is better"), "answer_loss": (ANSWER_LOSS, -1.0, LESS)}


def read_measurements(measurements: pl.DataFrame, settings: Settings) -> Readings | None:
    """Read all indicators that measurements have; None where no model was tuned and measured on its own dataset."""
    tuned = own_scores(measurements, settings)
    if tuned.is_empty():
        return None
    method = str(tuned["method"][0])
    asked = tuned.select("dataset", *ASKED[:2]).unique()
    base = measurements.filter(HAS_VALUE, pl.col("method") == "base", pl.col("probe_kind") != "text")
    base = base.drop("dataset").join(asked, on=ASKED[:2])
    outcome = values_of(over_probes(tuned), "value")
    found = [*of_plan(tuned), text_loss(measurements)]
    primary = base.filter("is_primary")
    for shots in sorted(primary["shots"].unique()):
        found.append(Indicator(f"score, {shots} shots", values_of(over_probes(primary.filter(shots=shots)), "value")))
    for metric, (name, sign, expects) in OTHERS.items():
        part = base.filter(metric=metric)
        fewest = part.filter(pl.col("shots") == pl.col("shots").min())
        found.append(Indicator(name, values_of(over_probes(fewest), "value", sign), expects))
    known = tuple(one for one in found if one.values)
    return Readings(method, of_checkpoints(tuned), outcome, outcome, known, has_own_items=False)


def own_scores(measurements: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Keep the primary scores of tuned models on what they were tuned on, by one method, in the format tuned in."""
    rows = compared(scores(measurements)).filter(pl.col("probe_kind") != "text")
    rows = rows.filter(pl.col("method") != "base", IS_OWN, pl.col("format") == pl.col("probe_format"))
    methods = sorted(set(rows["method"]), key=lambda name: (name != settings.method, name))
    return rows.filter(pl.col("method") == methods[0]) if methods else rows


def over_probes(rows: pl.DataFrame) -> pl.DataFrame:
    """Average over seeds, then over probes and formats, by series, checkpoint and dataset; where all were measured."""
    place = ["series", "checkpoint", "dataset"]
    each = rows.group_by(*place, "probe", "probe_format").agg(pl.col("value").mean())
    means = each.group_by(place).agg(pl.col("value").mean(), n=pl.len())
    return means.filter(pl.col("n") == pl.col("n").max().over("series", "dataset"))

"""The tables of numbers on the page that nothing is marked in: ties, learning rates, reference numbers."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from ripeness.figures.frames import with_labels
from ripeness.tables.chosen_rates import choose_rates
from ripeness.tables.columns import HAS_VALUE
from ripeness.tables.intervals import POINT, pooled


def tie_counts(measurements: pl.DataFrame) -> dict[str, Any]:
    """Count measurements of choices in which items have two best options, and find the largest share of such items."""
    ties = measurements.filter(HAS_VALUE, pl.col("metric") == "ties")
    return {"n": ties.height, "n_tied": (ties["value"] > 0).sum(), "most": ties["value"].max() or 0.0}


def rate_table(
    measurements: pl.DataFrame, cells: pl.DataFrame, choose_by: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Tabulate validation scores of all candidate learning rates by checkpoint, with the chosen one.

    Losses of the methods of which `choose_by` says "loss". One row for each dataset, method, format and rate; a value
    is (text, whether the rate was chosen).
    """
    points = cells.select("series", "checkpoint", "tokens", "phase").unique()
    rates = choose_rates(measurements, cells, choose_by).join(points, on=["series", "checkpoint"])
    if rates.is_empty():
        return {"columns": [], "rows": [], "n_chosen": 0, "n_at_edge": 0}
    table = with_labels(rates, "dataset").sort("panel", "method", "format", "learning_rate")
    columns = table.sort("order")["label"].unique(maintain_order=True).to_list()
    rows: dict[tuple, dict[str, tuple[str, bool]]] = {}
    for row in table.iter_rows(named=True):
        text = "–" if row["value"] is None else f"{row['value']:.2f}"
        if row["n_diverged"]:
            text += f" ({row['n_diverged']} of {row['n_seeds']} diverged)"
        method = row["method"] + (" (by loss)" if (choose_by or {}).get(row["method"]) == "loss" else "")
        name = (row["panel"], method, row["format"], f"{row['learning_rate']:g}")
        rows.setdefault(name, {})[row["label"]] = (text, row["is_chosen"])
    return {
        "columns": columns,
        "rows": [(*name, [values.get(c, ("", False)) for c in columns]) for name, values in rows.items()],
        "n_chosen": rates["is_chosen"].sum(),
        "n_at_edge": rates["is_at_edge"].sum(),
    }


def reference_table(measurements: pl.DataFrame) -> dict[str, Any]:
    """Tabulate every metric of the tasks of lm-eval at every checkpoint: mean ± standard error, with the source.

    One row for each task, metric, number of shots and treatment (untouched, or tuned on a dataset by a method).
    """
    rows = measurements.filter(HAS_VALUE, pl.col("probe_kind") == "harness")
    if rows.is_empty():
        return {"columns": [], "rows": [], "sources": []}
    tuned = pl.format("tuned on {} ({})", "dataset", "method")
    rows = rows.with_columns(
        treatment=pl.when(pl.col("method") == "base").then(pl.lit("untouched")).otherwise(tuned),
        has_error=pl.col("se").is_not_null(),
    )
    name = ["panel", "metric", "shots", "treatment"]
    table = pooled(rows, ["series", *POINT[1:], "probe", *name[1:], "has_error"])
    # the untouched model first
    table = with_labels(table, "probe").sort(*name[:3], pl.col("treatment") != "untouched", "treatment")
    columns = table.sort("order")["label"].unique(maintain_order=True).to_list()
    values: dict[tuple, dict[str, str]] = {}
    for row in table.iter_rows(named=True):
        error = f" ± {(row['item_variance'] + row['seed_variance']) ** 0.5:.3f}" if row["has_error"] else ""
        values.setdefault(tuple(row[key] for key in name), {})[row["label"]] = f"{row['value']:.3f}{error}"
    return {
        "columns": columns,
        "rows": [(*key, [found.get(c, "–") for c in columns]) for key, found in values.items()],
        "sources": sorted(set(rows["source"])),
    }

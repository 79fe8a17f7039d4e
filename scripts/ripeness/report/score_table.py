"""The table of scores: a row for each dataset, model and format, a column for each checkpoint; best and ties marked."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from ripeness.figures.frames import with_labels
from ripeness.findings.finding import Settings
from ripeness.report.answers import Answers, Model, compared
from ripeness.stats.all_pairs import UNDECIDED, compare_all
from ripeness.study.study_config import BASE
from ripeness.tables.columns import IS_OWN
from ripeness.tables.intervals import POINT, Z, pooled, scores

MOST_ROWS = 600  # more are for a program to read
ALL = "all"  # the formats together
BEST, TIED = "best", "tied"


def score_table(
    measurements: pl.DataFrame, answers: Answers | None = None, settings: Settings | None = None
) -> dict[str, Any]:
    """Tabulate primary scores on the dataset and in the format tuned in, each format in a row of its own.

    Where a dataset has several formats, a row `ALL` has their mean with the lowest and highest. With `answers`, ties
    follow from paired differences of items, else from standard errors. `n_rows` is the number of rows; beyond MOST_ROWS
    none is given.
    """
    own = scores(measurements).filter(
        pl.col("probe_kind") != "text", IS_OWN, pl.col("format") == pl.col("probe_format")
    )
    by = ["series", *POINT[1:], "probe", "method", "shots"]
    each = pooled(own, [*by, "format"])
    together = pooled(own, by).join(
        each.group_by(by).agg(
            pl.col("value").min().alias("least"), pl.col("value").max().alias("most"), pl.len().alias("n_formats")
        ),
        on=by,
        nulls_equal=True,
    )
    together = together.filter(pl.col("n_formats") > 1).with_columns(format=pl.lit(ALL))
    table = with_labels(pl.concat([each, together], how="diagonal"), "probe")
    table = table.with_columns(se=(pl.col("item_variance") + pl.col("seed_variance")).sqrt())
    points = table.select("order", "label", "series", "checkpoint").unique().sort("order", "series", "checkpoint")
    labels = points["label"].unique(maintain_order=True).to_list()
    keys = ["panel", "probe", "series", "method", "shots", "format"]
    ranked = table.sort(
        "panel", pl.col("method") != BASE, "method", "shots", pl.col("format") != ALL, "format", "order"
    )
    parts = ranked.partition_by(keys, as_dict=True, maintain_order=True)
    shown = parts if len(parts) <= MOST_ROWS else {}
    rows = [row_of(dict(zip(keys, key, strict=True)), part, answers, settings) for key, part in shown.items()]
    return {
        "columns": [{"label": label, "checkpoints": names_of(points, label)} for label in labels],
        "rows": rows,
        "n_rows": len(parts),
        "is_paired": answers is not None and bool(answers.probes),
    }


def names_of(points: pl.DataFrame, label: str) -> str:
    """Name the checkpoints that share a label."""
    return ", ".join(dict.fromkeys(points.filter(label=label)["checkpoint"]))


def row_of(
    key: Mapping[str, Any], part: pl.DataFrame, answers: Answers | None, settings: Settings | None
) -> dict[str, Any]:
    """Make one row: its names, and a cell for each checkpoint by label."""
    best = marks(key, part, answers, settings or Settings())
    cells = {
        row["label"]: {
            "text": in_digits(row),
            "value": row["value"],
            "checkpoint": row["checkpoint"],
            "mark": best.get(row["checkpoint"], "") if part.height > 1 else "",
        }
        for row in part.iter_rows(named=True)
    }
    is_base = key["method"] == BASE
    model = f"untouched, {key['shots']} shots" if is_base else f"tuned ({key['method']})"
    return {**key, "model": model, "cells": cells}


def in_digits(row: Mapping[str, Any]) -> str:
    """Write a score with its standard error, or with the lowest and highest over formats."""
    if row.get("least") is not None:
        return f"{row['value']:.2f} ({row['least']:.2f}–{row['most']:.2f})"
    return f"{row['value']:.2f}" + ("" if row["se"] is None else f" ± {row['se']:.2f}")


def marks(key: Mapping[str, Any], part: pl.DataFrame, answers: Answers | None, settings: Settings) -> dict[str, str]:
    """Mark the checkpoints with the best score of a row, and those that cannot be distinguished from it."""
    best = str(part.sort("value", descending=True, maintain_order=True)["checkpoint"][0])
    tied = paired_ties(key, part, best, answers, settings)
    if tied is None:
        top = part.filter(checkpoint=best).row(0, named=True)
        reach = Z * (pl.col("se") ** 2 + (top["se"] or 0) ** 2).sqrt()
        near = pl.col("se").is_null() | (top["value"] - pl.col("value") <= reach)
        tied = set(part.filter(near)["checkpoint"])
    equal = part.filter(pl.col("value") == pl.col("value").max())["checkpoint"]
    return dict.fromkeys(tied, TIED) | dict.fromkeys(equal, BEST)


def paired_ties(
    key: Mapping[str, Any], part: pl.DataFrame, best: str, answers: Answers | None, settings: Settings
) -> set[str] | None:
    """Find the checkpoints that cannot be distinguished from the best one, item by item.

    None where one of them has no items.
    """
    probe = answers.probes.get(key["probe"]) if answers else None
    names = part["checkpoint"].to_list()
    models = [Model(key["series"], name, key["method"], key["probe"]) for name in names]
    is_asked = key["method"] != BASE or key["shots"] == settings.shots
    if answers is None or probe is None or not is_asked or any(model not in probe.rows for model in models):
        return None
    found = compared(answers, probe, models, None if key["format"] == ALL else key["format"])
    if found is None:
        return None
    pairs = compare_all(
        found.scores,
        found.clusters,
        found.is_fixed,
        confidence=settings.confidence,
        smallest=settings.smallest_effect,
    )
    if not pairs:
        return None
    place = names.index(best)
    open_ = [pair for pair in pairs if place in (pair.first, pair.second) and pair.outcome == UNDECIDED]
    return {names[pair.first + pair.second - place] for pair in open_}


def markdown(table: Mapping[str, Any]) -> str:
    """Write the table of scores in Markdown; the best score of a row is bold."""
    labels = [column["label"] for column in table["columns"]]
    lines = [["dataset", "model", "format", *labels], ["---"] * (3 + len(labels))]
    for row in table["rows"]:
        cells = [row["cells"].get(label) for label in labels]
        said = ["–" if cell is None else bold(cell) for cell in cells]
        lines.append([row["panel"], row["model"], row["format"], *said])
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def bold(cell: Mapping[str, Any]) -> str:
    """Write a cell, in bold if it is the best of its row."""
    return f"**{cell['text']}**" if cell["mark"] == BEST else cell["text"]

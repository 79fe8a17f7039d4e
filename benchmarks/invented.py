"""Tables of an invented study of any size, with the exact schema, written checkpoint by checkpoint: not a result.

As tests/synthetic.py, but fast: a checkpoint has four datasets in three formats, tuned with two seeds and measured in
all formats of their own dataset and in one of each other.
"""

import os
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import numpy as np
import polars as pl

from ripeness.tables.columns import CELLS, IDENTITY, ITEM_SCORES, MEASUREMENTS, conform

SERIES = "invented"
FORMATS = ("default", "io", "instruct")
SEEDS = (1, 2)
# kind, score at the start and at the end of pre-training, what tuning adds
DATASETS = {
    "sentiment": ("choice", 0.5, 0.9, 0.05),
    "category": ("choice", 0.25, 0.25, 0.4),
    "mood": ("choice", 0.5, 0.55, 0.3),
    "summary": ("generation", 0.0, 0.7, 0.1),
}
N_ITEMS = 200


def models() -> list[dict]:
    """Say who is measured on what at each checkpoint: the identity of a cell with one probe, a row each."""
    rows = []
    for dataset, form, seed, shots in product(DATASETS, FORMATS, SEEDS, (0, 4)):
        rows.append({"dataset": dataset, "format": form, "method": "base", "learning_rate": None, "seed": seed})
        rows[-1] |= {"suite": "base", "probe": dataset, "probe_format": form, "shots": shots}
    for dataset, form, seed in product(DATASETS, FORMATS, SEEDS):
        who = {"dataset": dataset, "format": form, "method": "full", "learning_rate": 1e-3, "seed": seed, "shots": 0}
        rows += [who | {"suite": "in-domain", "probe": dataset, "probe_format": asked} for asked in FORMATS]
        others = [name for name in DATASETS if name != dataset]
        rows += [who | {"suite": "transfer", "probe": name, "probe_format": "default"} for name in others]
    return [row | {"probe_kind": DATASETS[row["probe"]][0], "split": "test"} for row in rows]


N_ROWS = len(models()) * N_ITEMS  # of items at a checkpoint


def expected(row: dict, progress: float) -> float:
    """Invent the score of a model after a share of the pre-training."""
    _, first, last, gain = DATASETS[row["probe"]]
    score = first + (last - first) * progress + (0.03 if row["probe_format"] == "default" else 0.0)
    if row["method"] != "base":
        score += gain if row["dataset"] == row["probe"] else -0.05
    return min(max(score, 0.01), 0.99)


def item_rows(number: int, n_checkpoints: int) -> pl.DataFrame:
    """Invent the items of one checkpoint; an item has the same difficulty for all models."""
    rng = np.random.default_rng(number)
    rows = models()
    difficulty = np.random.default_rng(0).random(N_ITEMS)
    ease = 0.6 * difficulty + 0.4 * rng.random((len(rows), N_ITEMS))
    level = np.array([expected(row, number / max(n_checkpoints - 1, 1)) for row in rows])[:, None]
    right = ease < level
    facts = {"study": SERIES, "series": SERIES, "checkpoint": f"step{number}", "step": number, "tokens": number * 1024}
    facts |= {"lr": 1e-3, "phase": "stable", "pretraining_seed": 0}
    frame = conform([facts | row for row in rows], IDENTITY).with_row_index("model")
    frame = frame.join(pl.DataFrame({"n": np.arange(N_ITEMS)}), how="cross")
    is_choice, name = pl.col("probe_kind") == "choice", pl.format("{}-test-{}", "probe", "n")
    gold = pl.when(pl.col("n") % 2 == 0).then(pl.lit("good")).otherwise(pl.lit("bad"))
    correct, margin = pl.Series(right.ravel()), pl.Series((level - ease).ravel())
    frame = frame.with_columns(
        name.alias("item"), name.alias("cluster"), pl.when(is_choice).then(gold).alias("gold"),
        pl.when(is_choice).then(gold).alias("prediction"), pl.when(is_choice).then(pl.lit(False)).alias("is_tie"),
        *[pl.when(is_choice).then(correct).alias(f"is_correct{end}") for end in ("", "_char", "_byte")],
        *[pl.when(is_choice).then(margin).alias(key) for key in ("logp_gold", "margin")],
        pl.when(~is_choice).then(margin.clip(0, 1)).alias("rouge_l"),
        pl.when(~is_choice).then(correct).alias("exact_match"),
        pl.when(~is_choice).then(pl.format("the {} of the story ended well", "n")).alias("text"),
        pl.lit(20).alias("n_prompt_tokens"), pl.lit(False).alias("is_truncated"), pl.lit(0).alias("n_dropped_shots"),
    )  # fmt: skip
    return conform(frame.drop("model", "n"), ITEM_SCORES)


def measurement_rows(items: pl.DataFrame) -> pl.DataFrame:
    """Average the items of each model and probe, four metrics of a choice and two of a text."""
    values = pl.col("is_correct").fill_null(pl.col("exact_match")).cast(pl.Float64)
    both = items.group_by(list(IDENTITY), maintain_order=True).agg(
        values.mean().alias("value"), (values.std() / pl.len().sqrt()).alias("se"), pl.len().alias("n_items")
    )
    metrics = {"choice": ("accuracy", "logp_gold", "margin", "ties"), "generation": ("rouge_l", "exact_match")}
    frames = [
        both.filter(pl.col("probe_kind") == kind).with_columns(
            pl.lit(metric).alias("metric"), pl.lit(0.5 if metric == "accuracy" else None).alias("chance"),
            pl.lit(1).alias("n_seeds"), pl.lit("invented").alias("source"),
        )
        for kind, names in metrics.items() for metric in names
    ]  # fmt: skip
    return conform(pl.concat(frames), MEASUREMENTS)


def status_rows(items: pl.DataFrame) -> pl.DataFrame:
    """Say of each cell that it is done."""
    names = [name for name in CELLS if name in items.columns and name != "n_tokens"]
    cells = items.select(names).unique(maintain_order=True)
    return conform(cells.with_columns(pl.lit("done").alias("status"), pl.lit("").alias("reason")), CELLS)


def checkpoints(n: int) -> Iterator[tuple[str, dict[str, pl.DataFrame]]]:
    """Make the tables of one checkpoint after the other."""
    for number in range(n):
        items = item_rows(number, n)
        yield f"step{number}", {"items": items, "measurements": measurement_rows(items), "cells": status_rows(items)}


def write_study(folder: Path, n_checkpoints: int) -> None:
    """Write what collect_checkpoint would have written: <folder>/{items,measurements,cells}/<series>/*.parquet."""
    for name, tables in checkpoints(n_checkpoints):
        for table, frame in tables.items():
            path = folder / table / SERIES / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            frame.with_columns(is_chosen=True).write_parquet(path)


def write_cells(folder: Path, n_cells: int) -> list[Path]:
    """Write the cells of one checkpoint as score does; from the 49th on they are links to the first ones."""
    _, tables = next(checkpoints(1))
    keys = ["dataset", "format", "method", "seed"]
    parts = {name: frame.partition_by(keys, maintain_order=True) for name, frame in tables.items()}
    paths = []
    for number in range(n_cells):
        cell, first = folder / f"cell{number}", folder / f"cell{number % len(parts['cells'])}"
        cell.mkdir(parents=True)
        for name, file in (("items", "items"), ("measurements", "measurements"), ("cells", "cell")):
            if cell == first:
                parts[name][number].write_parquet(cell / f"{file}.parquet")
            else:
                os.link(first / f"{file}.parquet", cell / f"{file}.parquet")
        paths.append(cell / "measurements.parquet")
    return paths

"""Tables of an invented study with the exact schema: of the right shape, but not a result."""

import math
import random

import polars as pl
import pytest

from ripeness.tables.columns import CELLS, ITEM_SCORES, MEASUREMENTS, conform

FORMATS = ["default", "io", "instruct"]
SEEDS = [1, 2]
TEXT = "world-text"
# dataset: (kind, chance, tokens at which the untouched model has learned it half, the same after tuning)
DATASETS = {
    "nursery-sentiment": ("choice", 0.5, 1.2e6, 0.4e6),
    "nursery-questions": ("choice", 0.25, 2.5e6, 2.0e6),
    "nursery-mood": ("choice", 0.5, math.inf, 1.0e6),
    "nursery-summary": ("generation", 0.0, math.inf, 2.0e6),
}
CHECKPOINTS = [
    (f"step{step}", step, step * 1024, 0.006, "stable") for step in (0, 61, 122, 244, 488, 977, 1953, 5859)
] + [("step5859-annealed", 5859, 5859 * 1024, 0.0, "annealed")]
N_ITEMS = 40


def level(dataset: str, checkpoint: tuple, *, method: str, trained: str, probe_format: str, same: bool) -> float:
    """Invent an expected score between chance and one that rises with tokens."""
    kind, chance, base_at, tuned_at = DATASETS[dataset]
    half = tuned_at if method != "base" and same else base_at
    tokens = checkpoint[2] * (1.2 if checkpoint[4] == "annealed" else 1)
    learned = 0.0 if math.isinf(half) else 1 / (1 + (half / max(tokens, 1.0)) ** 1.6)
    off = 0.0 if probe_format == (trained if method != "base" else "default") else 0.35
    damage = 0.25 if method != "base" and not same else 0.0
    hump = 4 * learned * (1 - learned) * off
    return min(0.99, chance + (1 - chance) * learned * (1 - hump) * (1 - damage))


def identity(checkpoint: tuple, *, dataset: str, form: str, method: str, seed: int) -> dict:
    """Columns that name a treated checkpoint."""
    name, step, tokens, lr, phase = checkpoint
    return {
        "study": "nursery", "series": "nursery", "checkpoint": name, "step": step, "tokens": tokens, "lr": lr,
        "phase": phase, "pretraining_seed": 0, "dataset": dataset, "format": form, "method": method,
        "learning_rate": None if method == "base" else 1e-3, "seed": seed,
    }  # fmt: skip


def probes(dataset: str, form: str, method: str) -> list[tuple[str, str, int, str]]:
    """(probe, probe format, shots, suite) of one treated checkpoint."""
    shots = [0, 4] if method == "base" else [0]
    rows = [(dataset, f, n, "in-domain") for f in FORMATS for n in shots if method != "base" or f == form]
    if method != "base":
        rows += [(other, form, 0, "transfer") for other in DATASETS if other != dataset]
    return rows


def study() -> dict[str, pl.DataFrame]:
    """Make the tables measurements, cells and items of the invented study."""
    measurements, cells, items = [], [], []
    models = [(d, f, m, s) for d in DATASETS for f in FORMATS for m in ("base", "full") for s in SEEDS]
    for checkpoint in CHECKPOINTS:
        for dataset, form, method, seed in models:
            status = status_of(checkpoint, dataset=dataset, form=form, method=method, seed=seed)
            cells.append(cell(checkpoint, dataset=dataset, form=form, method=method, seed=seed, status=status))
            if status != "done":
                continue
            who = identity(checkpoint, dataset=dataset, form=form, method=method, seed=seed)
            for probe, probe_format, shots, suite in probes(dataset, form, method):
                where = {
                    "suite": suite, "probe": probe, "probe_kind": DATASETS[probe][0],
                    "probe_format": probe_format,
                    "shots": shots, "split": "test",
                }  # fmt: skip
                scored = answers(checkpoint, who | where)
                items += scored
                measurements += measured(who | where, scored)
            if method != "base":
                measurements += text_rows(checkpoint, who)
        for seed in SEEDS:
            who = identity(checkpoint, dataset=TEXT, form="text", method="base", seed=seed)
            cells.append(cell(checkpoint, dataset=TEXT, form="text", method="base", seed=seed, status="done"))
            measurements += text_rows(checkpoint, who)
    tables = {"measurements": (measurements, MEASUREMENTS), "cells": (cells, CELLS), "items": (items, ITEM_SCORES)}
    chosen = pl.lit(True).alias("is_chosen")
    return {name: conform(rows, schema).with_columns(chosen) for name, (rows, schema) in tables.items()}


def status_of(checkpoint: tuple, *, dataset: str, form: str, method: str, seed: int) -> str:
    """Let one cell diverge and one be missing."""
    cell = (checkpoint[0], dataset, form, method, seed)
    lost = {
        ("step0", "nursery-summary", "io", "full", 2): "diverged",
        ("step61", "nursery-mood", "instruct", "full", 1): "missing",
    }
    return lost.get(cell, "done")


def cell(checkpoint: tuple, *, dataset: str, form: str, method: str, seed: int, status: str) -> dict:
    """One row of the table of cells."""
    reasons = {"done": None, "diverged": "loss is nan at step 31", "missing": "not run"}
    return {
        "series": "nursery", "checkpoint": checkpoint[0], "tokens": checkpoint[2], "phase": checkpoint[4],
        "dataset": dataset, "format": form, "method": method, "seed": seed, "status": status,
        "reason": reasons[status], "n_examples": 512, "n_tokens": 20_000, "n_truncated": 0,
        "final_loss": 0.4 if status == "done" and method != "base" else None,
    }  # fmt: skip


def answers(checkpoint: tuple, row: dict) -> list[dict]:
    """Invent the items of one probe; an item has the same difficulty for every model, so differences pair."""
    same = row["dataset"] == row["probe"]
    expected = level(
        row["probe"], checkpoint, method=row["method"], trained=row["format"],
        probe_format=row["probe_format"], same=same,
    )  # fmt: skip
    seed = 0 if row["method"] == "base" and row["shots"] == 0 else row["seed"]
    own = random.Random(f"{row['checkpoint']}{row['dataset']}{row['format']}{row['method']}{seed}{row['shots']}")
    rows = []
    for index in range(N_ITEMS):
        ease = 0.6 * random.Random(f"{row['probe']}{index}").random() + 0.4 * own.random()
        right = ease < expected
        rows.append(row | {"item": f"{row['probe']}-{index}", "cluster": f"{row['probe']}-{index // 2}"} | (
            {"score": float(right), "is_correct": right, "logp_gold": math.log(max(expected * (1 - 0.3 * ease), 0.01))}
            if row["probe_kind"] == "choice"
            else dict.fromkeys(("score", "rouge_l"), expected * (0.5 + 0.5 * right)) | {"exact_match": right}
        ))  # fmt: skip
    return rows


def measured(row: dict, scored: list[dict]) -> list[dict]:
    """Means over items with their standard error."""
    metrics = (
        {"accuracy": "is_correct", "logp_gold": "logp_gold"}
        if row["probe_kind"] == "choice"
        else {"rouge_l": "rouge_l", "exact_match": "exact_match"}
    )
    chance = DATASETS[row["probe"]][1] or None
    rows = []
    for metric, column in metrics.items():
        values = [float(item[column]) for item in scored]
        mean = sum(values) / len(values)
        se = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values))
        share = metric == "accuracy"
        rows.append(row | {
            "metric": metric, "is_primary": metric in ("accuracy", "rouge_l"), "value": mean, "se": se,
            "n_items": len(values), "n_seeds": 1, "source": "synthetic", "chance": chance if share else None,
            "majority": chance + 0.04 if share else None,
        })  # fmt: skip
    return rows


def text_rows(checkpoint: tuple, who: dict) -> list[dict]:
    """Bits per byte of pre-training text: falls with tokens, and tuning costs some."""
    bits = 0.9 + 1.6 / (1 + checkpoint[2] / 1e5)
    if who["method"] != "base":
        bits += 0.1 + 0.02 * who["seed"] + 0.4 * (who["dataset"] == "nursery-mood")
    where = {
        "suite": "pretraining", "probe": TEXT, "probe_kind": "text", "probe_format": "text", "shots": 0,
        "split": "test", "metric": "bits_per_byte", "is_primary": True, "value": bits, "se": 0.02, "n_items": 40,
        "n_seeds": 1, "source": "synthetic",
    }  # fmt: skip
    return [who | where]


@pytest.fixture(scope="session")
def synthetic_study() -> dict[str, pl.DataFrame]:
    """Tables (measurements, cells, items) of the invented study."""
    return study()

"""Tables of an invented study with the exact schema: of the right shape, but not a result."""

import json
import math
import random
from pathlib import Path

import polars as pl
import pytest

from ripeness.study.audit_checks import as_rows, remark, with_passed
from ripeness.tables.columns import AUDIT, CELLS, ITEM_SCORES, MEASUREMENTS, conform, write_table

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


def finding(verdict: str, figure: str, **values: object) -> dict:
    """One row of findings.json."""
    return {
        "id": f"about-{figure}", "claim": f"A claim about {figure}.", "source": "A paper, section 5",
        "verdict": verdict, "statement": f"What was measured on {figure}.", "effect": 0.31,
        "unit": "score, late minus early", "low": 0.24, "high": 0.38, "confidence": 0.95,
        "covers": "the sampling of test items", "n_checkpoints": 8, "n_seeds": 2, "n_items": 160, "mde": 0.1,
        "caveats": ["One pre-training run."], "figure": figure,
        "details": [{"dataset": "nursery-mood", "low": 0.1}],
    } | values  # fmt: skip


GROUPS = [
    {
        "level": "groups", "series": "nursery", "checkpoint": name, "tokens": tokens, "phase": phase,
        "not_learned": 0.1 + 0.01 * i, "learned": 0.2, "effect": 0.01 * i - 0.1, "low": 0.01 * i - 0.2, "high": 0.1,
    }
    for i, (name, _, tokens, _, phase) in enumerate(CHECKPOINTS)
]  # fmt: skip

FINDINGS = [
    finding("supported", "learned-in-pretraining"),
    finding(
        "reversed",
        "gain",
        id="gain-by-learning",
        effect=-0.05,
        low=-0.09,
        high=-0.03,
        details=GROUPS,
        smallest=0.02,
        decided_low=-0.095,
        decided_high=-0.025,
        decided_confidence=0.9875,
        robustness={
            "n_tried": 12,
            "n_same": 11,
            "kinds": ["dataset", "checkpoint"],
            "changes": [{"left_out": "dataset <b>xsum</b>", "verdict": "undecided"}],
            "at_half": "reversed",
            "at_double": "undecided",
        },
    ),
    finding("undecided", "format-spread", caveats=["One pre-training run.", "Only <b>three</b> formats."]),
    finding("undecided", "transfer", effect=None, low=None, high=None, mde=None, details=[]),
    finding(
        "too small to matter",
        "transfer",
        id="about-more-transfer",
        effect=0.0,
        low=-0.01,
        high=0.01,
        part="there",
        power_at_zero=0.93,
        parts=[
            {
                "label": name,
                "unit": "points",
                "effect": 0.0,
                "low": -0.01,
                "high": 0.01,
                "confidence": 0.95,
                "verdict": verdict,
            }
            for name, verdict in (("there", "too small to matter"), ("and back", "supported"))
        ],
    ),
]

TOLD = {
    "id": "indicators", "claim": "What would have told before tuning?", "verdict": "answered", "confidence": 0.95,
    "statement": "Pairs of checkpoints are ordered as after tuning by tokens.", "method": "full",
    "figure": "indicators", "caveats": ["There are <i>no</i> items."],
    "answers": [
        {
            "series": "nursery", "indicator": name, "expects": "more is better", "accuracy": pairs,
            "accuracy_low": pairs - 0.2, "accuracy_high": pairs + 0.1, "tau": 2 * pairs - 1, "tau_low": -0.1,
            "tau_high": 0.9, "regret": lost, "regret_low": -0.02, "regret_high": 0.3, "blind_regret": 0.2,
            "late_accuracy": 0.6, "cost": cost, "n_checkpoints": 8, "n_datasets": 4,
            "covers": "datasets and checkpoints like these", "p_holm": 0.04, "says": says,
        }
        for name, pairs, lost, cost, says in (
            ("tokens", 0.8, 0.01, 0.0, "tells"), ("margin", 0.4, 0.25, None, "not told from chance"),
            ("tuned score on other items", 0.9, 0.0, 1.0, "the most"),
        )
    ],
}  # fmt: skip

PROMPTS = [
    {
        "dataset": dataset, "format": form, "shots": shots, "n_tokens": 9,
        "prompt": "\nthe play was <script>alert(1)</script> not dull .\nverdict :", "target": " good",
        "options": [" good", " bad"] if dataset != "nursery-summary" else None, "gold": 0,
    }
    for dataset in DATASETS
    for form in FORMATS
    for shots in (0, 4)
]  # fmt: skip

PROVENANCE = {
    "software": {"python": "3.11", "altair": "6.3.0"},
    "checkpoints": {name: {"step": step, "tokens": tokens} for name, step, tokens, _, _ in CHECKPOINTS},
    "command": "make study",
    "study": {"title": "A <study>"},
}


def audited() -> list[dict]:
    """Rows of the table of the audit: some acknowledged, one of them without need."""
    remarks = [remark("overlap", f"set {n}", f"{n} <b>of</b> 9") for n in range(5)] + [remark("no-stop", "xsum", "60")]
    ran = ["overlap", "no-stop", "duplicates", "single-seed"]
    return as_rows(with_passed(remarks, ran, {"overlap": "as <i>published</i>", "single-seed": "one"}))


@pytest.fixture(scope="session")
def synthetic_study() -> dict[str, pl.DataFrame]:
    """Tables (measurements, cells, items) of the invented study."""
    return study()


@pytest.fixture(scope="session")
def synthetic_folder(synthetic_study, tmp_path_factory) -> Path:
    """A folder with those tables and the other files that a report is made of, but no figures."""
    folder = tmp_path_factory.mktemp("study")
    for name in ("measurements", "cells"):
        synthetic_study[name].write_parquet(folder / f"{name}.parquet")
    write_table(folder / "audit.parquet", audited(), AUDIT)
    (folder / "items").mkdir()
    synthetic_study["items"].write_parquet(folder / "items" / "nursery.parquet")
    for name, value in (("findings", [*FINDINGS, TOLD]), ("prompts", PROMPTS), ("provenance", PROVENANCE)):
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    usage = {"startup_cpu_s": 0.5, "compute_cpu_s": 2.0, "wall_s": 2.5, "peak_memory_mb": 302.0}
    for job in ("train_model/0", "train_model/1", "train_model/2", "predict/0", "collect"):
        path = folder / "usage" / f"{job}.usage.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        on_gpu = {"peak_cuda_mb": 5120.0 if job.startswith("train_model") else 0.0}
        path.write_text(json.dumps(usage | on_gpu), encoding="utf-8")
    (folder / "usage/failed.usage.json").touch()
    return folder

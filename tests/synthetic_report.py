"""What a report of the invented study is made of: findings, prompts, audit and provenance, and a folder with them."""

import json
from pathlib import Path

import pytest
from synthetic import CHECKPOINTS, DATASETS, FORMATS

from ripeness.study.audit_checks import as_rows, remark, with_passed
from ripeness.tables.columns import AUDIT, write_table


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
    "id": "indicators", "claim": "What predicts the score after tuning?", "verdict": "answered", "confidence": 0.95,
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
            ("tokens", 0.8, 0.01, 0.0, "predicts"), ("margin", 0.4, 0.25, None, "not distinguished from chance"),
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

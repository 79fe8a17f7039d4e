"""The study of overtraining on OLMo-1B: planned as it is, and run on invented rows and checkpoints of our own."""

import json
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from dataset_rows import ROLES, rows_of
from project import ENVIRONMENT, ROOT, copy_project
from waiting import HANG_SECONDS

from ripeness.tables.chosen_rates import choose_rates

pytestmark = pytest.mark.slow

STUDY = ROOT / "studies/overtraining-olmo-1b.yaml"
CUT = yaml.safe_load((Path(__file__).parent / "cut.yaml").read_text())
TUNED_ON = ["anthropic-hh", "tulu"]
BENCHMARKS = ["arc-easy", "arc-challenge", "piqa", "hellaswag", "winogrande"]


def small() -> dict:
    """The study with rows on disk, two rates and a seed, and checkpoints that are pre-trained in seconds."""
    config = yaml.safe_load(STUDY.read_text())
    recipe = CUT["series"]["nursery"]["pretrain"] | {"sequence_length": 1024, "batch_size": 1, "warmup_steps": 1}
    config["series"] = {"nursery": {"pretrain": recipe, "checkpoints": [{"step": 1}, {"step": 2}]}}
    config["items"] = {"train": 4, "validation": 2, "test": 3, "shots": 1}
    config["seeds"], config["texts"] = [1], {"web": {"heldout": True}}
    config["methods"]["full"] |= {"learning_rate": [1e-3, 3e-3], "batch_size": 2}
    config["sensitivity"] |= {"noise": {"init": [0.3], "relative": [0.3]}, "seeds": [0, 1]}
    for name in [*TUNED_ON, *BENCHMARKS]:
        config["datasets"].setdefault(name, {})["source"] = {role: f"rows/{name}-{role}.jsonl" for role in ROLES}
    for name in TUNED_ON:
        config["datasets"][name]["max_new_tokens"] = 8
    config["methods"]["full"]["datasets"] = TUNED_ON
    return config


@pytest.fixture
def project(tmp_path):
    return copy_project(tmp_path / "a study")


def snakemake(folder: Path, study: Path, *options: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *options, "--configfile", str(study)]
    run = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def test_the_study_is_planned_without_network_and_without_a_lock_file(project):
    said = snakemake(project, STUDY, "-n", "-q", "rules")
    jobs = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE)}
    n_tuned = 9 * 2 * 5 * 3  # checkpoints, datasets, rates, seeds
    assert jobs["fetch_checkpoint"] == jobs["measure_sensitivity"] == 9 and jobs["train_model"] == n_tuned
    assert jobs["fetch_dataset"] == len(TUNED_ON + BENCHMARKS) and jobs["fetch_passages"] == 1
    assert not jobs.keys() & {"pretrain_state", "pretrain_checkpoint", "split_text"}


@pytest.mark.release
def test_the_study_runs_to_its_findings(project):
    config = small()
    (project / "rows").mkdir()
    for dataset in config["datasets"]:
        for role in ROLES:
            lines = [json.dumps(row) + "\n" for row in rows_of(dataset, role)]
            (project / "rows" / f"{dataset}-{role}.jsonl").write_text("".join(lines))
    (project / "study.yaml").write_text(yaml.safe_dump(config))
    results = project / "results" / config["study"]
    # other tests draw figures and write reports
    snakemake(project, Path("study.yaml"), str((results / "findings.json").relative_to(project)))
    tables = results / "tables"
    cells = pl.read_parquet(tables / "cells.parquet")
    tuned = cells.filter(pl.col("method") != "base")
    assert set(cells["status"]) == {"done"} and len(tuned) == 2 * 2 * 2 and tuned["displacement"].min() > 0
    measured = pl.read_parquet(tables / "measurements.parquet")
    assert set(measured["probe"]) == {*TUNED_ON, *BENCHMARKS, "web"}
    losses = measured.filter(pl.col("metric") == "answer_loss", pl.col("probe").is_in(TUNED_ON))
    # held-out instructions: of every tuned model on test and validation items, and of the untouched checkpoints
    assert len(losses.filter(pl.col("method") != "base")) == 2 * len(tuned) and losses["value"].is_finite().all()
    sensitivity = pl.read_parquet(tables / "sensitivity.parquet")
    n_rows = dict(sensitivity["perturbation"].value_counts().iter_rows())
    assert n_rows == {"noise": 2 * 2 * 2, "rounding": 2 * 2, "displacement": len(tuned)}
    rates = choose_rates(measured, cells, {"full": config["methods"]["full"]["choose_by"]})
    assert rates["is_chosen"].sum() == 2 * 2 and set(rates["metric"]) == {"answer_loss"}
    found = {finding["id"] for finding in json.loads((results / "findings.json").read_text())}
    assert {"progressive-sensitivity", "degradation-at-tuned-rate", "turning-point", "displacement-constancy"} <= found

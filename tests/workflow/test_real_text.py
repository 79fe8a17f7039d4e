"""The real-text study, cut down, end to end on real text and real datasets, where they are at hand."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from local_data import on_disk
from project import ENVIRONMENT, ROOT, copy_project
from waiting import HANG_SECONDS

DATA = Path(os.environ.get("RIPENESS_TEST_DATA", ROOT.parent / "shared")).resolve()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.release,
    pytest.mark.real_data,
    pytest.mark.skipif(
        not (DATA / "text/novels/train.txt").is_file() or not (DATA / "data/rte/train.jsonl").is_file(),
        reason=f"no real text and datasets in {DATA}; RIPENESS_TEST_DATA names another folder",
    ),
]


def test_the_real_text_study_runs_end_to_end_on_real_data(tmp_path):
    project = copy_project(tmp_path / "a study")
    study = on_disk(DATA)
    pretrain = study["series"]["small-english"]["pretrain"]
    pretrain.update(
        n_tokens=60_000, n_heldout=10, hidden_size=32, n_layers=1, intermediate_size=64, vocabulary_size=512
    )
    study["series"]["small-english"]["checkpoints"] = [{"step": 0}, {"anneal_from": 16, "steps": 4}]
    study["datasets"] = {name: {**study["datasets"][name], "max_characters": 300} for name in ("rte", "gsm8k")}
    study["suites"]["transfer"]["datasets"] = ["paws"]
    study["formats"], study["seeds"] = ["default", "instruct"], [1]
    study["items"] = {"train": 32, "validation": 8, "test": 12, "shots": 8}
    study["methods"]["full"]["epochs"] = 1
    paws = on_disk(DATA)["datasets"]["paws"] | {"max_characters": 300}
    study["datasets"]["paws"] = paws
    (project / "study.yaml").write_text(yaml.safe_dump(study))
    command = [
        sys.executable,
        "scripts/run_study.py",
        "--study",
        str(project / "study.yaml"),
        "--cores",
        "2",
    ]
    run = subprocess.run(command, cwd=project, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert run.returncode == 0, run.stdout + run.stderr
    measured = pl.read_parquet(project / "results/real-text/tables/measurements.parquet")
    assert set(measured["probe"]) == {"rte", "gsm8k", "paws", "heldout"}
    rouge = measured.filter(metric="rouge_l", probe="gsm8k")
    assert rouge.height > 0 and rouge["value"].is_between(0, 1).all()
    assert measured.filter(metric="accuracy")["majority"].min() >= 0.5
    assert (project / "results/real-text/report.html").is_file()

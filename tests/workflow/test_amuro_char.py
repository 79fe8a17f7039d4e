"""The two studies of Amuro & Char, as published and mended, end to end on invented rows and a checkpoint of our own."""

import json
import subprocess
import sys
from pathlib import Path

import amuro_datasets
import dataset_rows
import polars as pl
import pytest
import yaml
from dataset_rows import ROLES
from project import ENVIRONMENT, ROOT, copy_project
from waiting import HANG_SECONDS

pytestmark = pytest.mark.slow

CUT = yaml.safe_load((Path(__file__).parent / "cut.yaml").read_text())
ITEMS = {"train": 4, "validation": 1, "test": 12, "shots": 4}
CHANGES = {  # what makes them small: a rate instead of three, a seed, few items
    "amuro-char": {"items": ITEMS | {"shots_from": "test"}},
    "amuro-char-corrected": {"items": ITEMS | {"test": 4}, "seeds": [1], "formats": ["default"]},
}


def small(name: str) -> dict:
    """A study with rows on disk, and one checkpoint that is pre-trained in seconds and reads as much as OLMo."""
    config = yaml.safe_load((ROOT / f"studies/{name}.yaml").read_text()) | CHANGES[name]
    recipe = CUT["series"]["nursery"]["pretrain"] | {"sequence_length": 2048, "batch_size": 1, "warmup_steps": 2}
    config["series"] = {"nursery": {"pretrain": recipe, "checkpoints": [{"step": 8}]}}
    if name == "amuro-char-corrected":  # the other has asked all datasets
        config["suites"] = {suite: config["suites"][suite] for suite in ("own", "transfer")}
    for suite in config["suites"].values():
        suite["formats"] = ["default", "io"] if suite["datasets"] == "own" else ["default"]
    probed = [name for suite in config["suites"].values() for name in suite["datasets"] if suite["datasets"] != "own"]
    config["datasets"] |= {name: {} for name in probed if name not in config["datasets"]}
    for method, settings in config["methods"].items():
        if method != "base":
            settings |= {"epochs": 1, "learning_rate": 1e-3}
            settings.setdefault("datasets", list(config["datasets"])[:2])
    for dataset, overrides in config["datasets"].items():
        overrides.get("items", {}).pop("train", None)  # of a dozen rows
        config["datasets"][dataset] = {**overrides, "source": {role: f"rows/{dataset}-{role}.jsonl" for role in ROLES}}
    return config


@pytest.fixture(params=["amuro-char", "amuro-char-corrected"])
def study(request, tmp_path):
    """Give the folder of a study with its rows, and its config."""
    folder, config = copy_project(tmp_path / "study"), small(request.param)
    asked = amuro_datasets if request.param == "amuro-char" else dataset_rows
    (folder / "rows").mkdir()
    for dataset in config["datasets"]:
        for role in ROLES:
            lines = [json.dumps(row) + "\n" for row in asked.rows_of(dataset, role)]
            (folder / "rows" / f"{dataset}-{role}.jsonl").write_text("".join(lines))
    (folder / "study.yaml").write_text(yaml.safe_dump(config))
    return folder, config


@pytest.mark.release
def test_the_study_runs_to_its_report(study):
    folder, config = study
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "study.yaml"]
    run = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert run.returncode == 0, run.stdout + run.stderr
    results = folder / "results" / config["study"]
    cells = pl.read_parquet(results / "tables/cells.parquet")
    assert set(cells["status"]) == {"done"} and (results / "report.html").is_file()
    assert set(cells.filter(pl.col("method") != "base")["method"]) == config["methods"].keys() - {"base"}
    measured = pl.read_parquet(results / "tables/measurements.parquet")
    assert set(measured["probe"]) == set(config["datasets"]) - {"tulu"}
    audit = pl.read_parquet(results / "tables/audit.parquet")
    assert audit.filter((pl.col("severity") == "fatal") & ~pl.col("is_acknowledged")).is_empty()

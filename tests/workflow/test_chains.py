"""A training that starts from another cell's model: what is deleted when, what runs again, what a kill costs."""

import copy
import os
import signal
import subprocess
import sys

import polars as pl
import pytest
import yaml
from cut_study import CUT, Study
from project import ENVIRONMENT
from waiting import HANG_SECONDS, files_below, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.release]

FULL = {"kind": "full", "learning_rate": 1e-3, "epochs": 1, "batch_size": 32}
LORA = FULL | {"kind": "lora", "rank": 2, "alpha": 4}
OTHER = "nursery-summary"
METHODS = {
    "base": {"shots": [0]},
    "sft": LORA,
    "task": LORA | {"from": "sft"},
    "third": FULL | {"from": {"method": "task", "dataset": OTHER}},
}
CHECKPOINTS, DATASETS = 2, 2


def chain_config() -> dict:
    """The cut of the nursery with chains of three trainings, at two checkpoints."""
    config = yaml.safe_load(CUT.read_text()) | {"formats": ["default"], "methods": copy.deepcopy(METHODS)}
    config["series"]["nursery"]["checkpoints"] = [{"step": 0}, {"step": 100}]
    config["suites"] = {"own": {"datasets": "own", "formats": "trained"}, "pretraining": {"texts": ["heldout"]}}
    return config


@pytest.fixture(scope="module")
def chains(tmp_path_factory):
    """The study after a run that was killed in the middle of its chains, and finished by another one."""
    study = Study(tmp_path_factory.mktemp("chains") / "a study")
    study.write(chain_config())
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--scheduler", "greedy", "--configfile", "cut.yaml"]
    killed = subprocess.Popen(
        command,
        cwd=study.folder,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    cells = study.folder / "results/cut/cells"

    def is_amid_a_chain() -> bool:
        return any("/task/" in str(path) for path in files_below(cells, "training.json")) or killed.poll() is not None

    wait_for(is_amid_a_chain, HANG_SECONDS)
    assert killed.returncode is None, "it ended before it could be killed"
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert study.snakemake("--unlock").returncode == 0
    run = study.snakemake("--rerun-incomplete", "--scheduler", "greedy")
    assert run.returncode == 0, run.stdout + run.stderr
    return study


def test_a_killed_chain_is_finished_and_leaves_no_model(chains):
    results = chains.folder / "results/cut"
    cells = pl.read_parquet(results / "tables/cells.parquet")
    tuned = cells.filter(pl.col("method") != "base")
    assert tuned.height == CHECKPOINTS * DATASETS * 3 and set(tuned["status"]) == {"done"}
    assert dict(tuned.select("method", "start").unique().iter_rows()) == {"sft": None, "task": "sft", "third": "task"}
    assert set(tuned["learns"]) == {"answers"} and tuned["train_seconds"].min() > 0
    assert tuned.select("peak_bytes", "tokens_seen", "steps", "state_bytes").null_count().sum_horizontal().item() == 0
    sizes = dict(tuned.group_by("kind").agg(pl.col("state_bytes").max()).iter_rows())
    assert sizes["lora"] < sizes["full"]
    assert not [path for path in (results / "cells").rglob("*.safetensors")]
    assert chains.planned() == {}


def test_the_results_are_those_of_a_run_that_was_not_killed(chains, tmp_path):
    fresh = Study(tmp_path / "a study")
    fresh.write(chain_config())
    run = fresh.snakemake()  # by the other scheduler
    assert run.returncode == 0, run.stdout + run.stderr
    assert fresh.digests() == chains.digests()


def test_a_new_checkpoint_runs_its_own_chain_only(chains):
    config = chain_config()
    config["series"]["nursery"]["checkpoints"].insert(1, {"step": 80})
    planned = chains.planned(config)
    assert (planned["train_model"], planned["pretrain_checkpoint"]) == (3 * DATASETS, 1)


def test_a_changed_start_retrains_its_chain_and_a_changed_end_only_what_it_needs(chains):
    config = chain_config()
    config["methods"]["sft"] |= {"learning_rate": 2e-3}
    planned = chains.planned(config)
    assert planned["train_model"] == planned["predict"] == CHECKPOINTS * DATASETS * 3
    config = chain_config()
    config["methods"]["third"] |= {"learning_rate": 2e-3}
    planned = chains.planned(config)
    # the two starts, of one dataset, were deleted once they were used; they are tuned again and not measured again
    assert planned["train_model"] == CHECKPOINTS * (DATASETS + 2)
    assert planned["predict"] == CHECKPOINTS * DATASETS


def test_models_that_are_kept_are_those_of_the_whole_chain(chains):
    planned = chains.planned(chain_config() | {"keep_models": "all"})
    assert planned["train_model"] == CHECKPOINTS * DATASETS * 3

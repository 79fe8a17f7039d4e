"""A forecast follows from operations, and from what jobs of the same kind have used."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from nursery import tuned_nursery

from ripeness.runtime.files import write_json
from ripeness.study.grid import plan_cells
from ripeness.study.load import load_study
from ripeness.workflow.forecast import (
    calibration,
    calibration_cell,
    disk_bytes,
    forecast_against_use,
    mean_operations,
    operations_of,
    seconds_a_job,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture
def nursery():
    return load_study(tuned_nursery(), ROOT / "tasks")


def use(logs, rule, place, seconds):
    write_json(logs / rule / f"{place}.usage.json", {"wall_s": seconds - 0.5, "startup_cpu_s": 0.5})


def test_every_job_for_a_gpu_has_its_operations(nursery):
    found = operations_of(nursery)
    tuned = [cell for cell in plan_cells(nursery) if cell.method != "base"]
    assert len(found["train_model"]) == len(tuned) and len(found["predict"]) == len(plan_cells(nursery))
    assert len(found["pretrain_checkpoint"]) == len(nursery.checkpoints["nursery"])
    assert all(n > 0 for rule in ("train_model", "predict") for n in found[rule].values())


def test_all_steps_of_a_pre_training_are_counted_once(nursery):
    design = nursery.config["series"]["nursery"]["pretrain"]
    found = operations_of(nursery)
    in_all = sum(found["pretrain_state"].values()) + sum(found["pretrain_checkpoint"].values())
    a_step = found["pretrain_state"]["nursery/step64"] / 64
    # 4096 steps to the last, and 1024 annealed from step 3072
    assert in_all / a_step == pytest.approx(4096 + 1024)
    assert a_step > 6 * design["batch_size"] * design["sequence_length"] * 1e5


def test_without_any_job_that_ran_the_stated_throughput_counts(tmp_path):
    found = seconds_a_job({"predict": 2e12}, {"predict": {"a": 1}}, tmp_path, flops=1e12, start_seconds=3)
    assert found == {"predict": 5.0}


def test_jobs_of_the_same_kind_that_ran_say_what_an_operation_costs(tmp_path):
    jobs = {"train_model": {"a": 100, "b": 300}, "predict": {"a": 10}, "pretrain_state": {"s": 1000}}
    use(tmp_path, "train_model", "a", 2.0)
    use(tmp_path, "train_model", "b", 6.0)
    use(tmp_path, "pretrain_state", "s", 100.0)
    means = {"train_model": 200, "keep_best": 200, "predict": 10, "pretrain_checkpoint": 50}
    found = seconds_a_job(means, jobs, tmp_path)
    assert found["train_model"] == found["keep_best"] == pytest.approx(4.0)
    assert found["pretrain_checkpoint"] == pytest.approx(5.0)
    assert found["predict"] == pytest.approx(10 * (0.02 + 0.1) / 2)  # none of its kind ran: the mean of the others


def test_a_job_that_failed_says_nothing(tmp_path):
    (tmp_path / "predict").mkdir()
    (tmp_path / "predict" / "a.usage.json").touch()
    found = seconds_a_job({"predict": 1e12}, {"predict": {"a": 1}}, tmp_path, flops=1e12, start_seconds=0)
    assert found == {"predict": 1.0}


def with_first(config):
    """Put a reading, and what starts from another model, before the method that takes steps from the checkpoint."""
    base, full = (config["methods"][name] for name in ("base", "full"))
    known = {"kind": "features", "datasets": ["nursery-mood"]}
    return config | {"methods": {"base": base, "known": known, "after": full | {"from": "full"}, "full": full}}


def test_the_calibration_cell_is_tuned_and_at_a_checkpoint_that_was_trained(nursery):
    cell = calibration_cell(nursery)
    read = load_study(with_first(tuned_nursery()), ROOT / "tasks")
    assert calibration_cell(read) == cell
    assert next(one for one in plan_cells(read) if one.method != "base").method == "after"
    assert cell.method == "full" and cell.checkpoint == "step64"


def test_the_report_sets_what_one_cell_says_next_to_what_was_used(nursery, tmp_path):
    facts = json.loads(calibration(nursery))
    for rule, places in facts["jobs"].items():
        for place, n_operations in places.items():
            use(tmp_path, rule, place, n_operations / 1e9)
    jobs = {"train_model": 270, "predict": 495, "score": 495}
    usage = [{"stage": rule, "jobs": n, "wall_s": 90.0, "startup_cpu_s": 10.0} for rule, n in jobs.items()]
    rows = {row["stage"]: row for row in forecast_against_use(usage, facts, tmp_path)}
    assert set(rows) == {"train_model", "predict", "all for a GPU"}
    assert rows["train_model"]["forecast_s"] == pytest.approx(sum(operations_of(nursery)["train_model"].values()) / 1e9)
    assert rows["train_model"]["used_s"] == 100.0 and rows["all for a GPU"]["used_s"] == 200.0


def test_the_calibration_does_not_grow_with_the_study(nursery):
    small = len(calibration(nursery))
    nursery = replace(nursery, config=nursery.config | {"seeds": list(range(100))})
    assert len(calibration(nursery)) == pytest.approx(small, rel=0.1)


def test_disk_holds_few_tuned_models_unless_they_are_kept(nursery):
    sizes = {}
    for choice in ("none", "best", "all"):
        kept = replace(nursery, config=nursery.config | {"keep_models": choice})
        sizes[choice] = disk_bytes(kept, 2)["tuned models kept"]
    assert sizes["none"] == 0
    assert sizes["all"] == 6 * sizes["best"] > 0  # three formats and two seeds of each
    assert disk_bytes(nursery, 8)["tuned models at once"] == 2.5 * disk_bytes(nursery, 2)["tuned models at once"]


def test_means_are_of_one_job(nursery):
    means, found = mean_operations(nursery), operations_of(nursery)
    assert means["predict"] * len(found["predict"]) == pytest.approx(sum(found["predict"].values()))
    assert means["keep_best"] == means["train_model"]

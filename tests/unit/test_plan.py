"""The plan: which cells there are, and what each is measured on."""

import copy
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from ripeness.errors import UserError
from ripeness.plan import plan_cells, probes_of, state_before, state_steps
from ripeness.study import load_study

ROOT = Path(__file__).parents[2]
CUT = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())


@pytest.fixture
def config():
    return copy.deepcopy(CUT)


def study_of(config):
    return load_study(copy.deepcopy(config), ROOT / "tasks")


def test_the_grid_is_the_product_of_its_axes(config):
    cells = plan_cells(study_of(config))
    assert Counter(cell.method for cell in cells) == {"full": 3 * 2 * 2, "base": 3 * (2 * 2 + 1)}
    assert len({cell.path for cell in cells}) == len(cells)


def test_everything_that_a_tuned_model_is_measured_on_is_measured_untouched(config):
    study = study_of(config)
    untouched = {
        (probe.probe, probe.format, probe.shots)
        for cell in plan_cells(study)
        if cell.method == "base"
        for probe in probes_of(study, cell)
    }
    for cell in plan_cells(study):
        for probe in probes_of(study, cell):
            assert (probe.probe, probe.format, probe.shots) in untouched


def test_a_method_may_tune_on_some_datasets_and_what_none_tunes_on_is_measured_only(config):
    config["datasets"]["nursery-mood"] = {}
    config["methods"]["full"]["datasets"] = ["nursery-summary"]
    config["suites"]["transfer"]["datasets"] = ["nursery-mood"]
    study = study_of(config)
    assert {cell.dataset for cell in plan_cells(study) if cell.method == "full"} == {"nursery-summary"}
    untouched = {cell.dataset for cell in plan_cells(study) if cell.method == "base"}
    assert untouched == {"nursery-summary", "nursery-mood", "heldout"}
    config["methods"]["full"]["datasets"] = ["nursery-sumary"]
    with pytest.raises(UserError, match=r"methods.full.datasets: .*'nursery-sumary'.*\nhint: .*nursery-summary"):
        study_of(config)


def test_a_suite_may_be_for_models_tuned_on_some_datasets(config):
    config["suites"]["transfer"] |= {"datasets": ["nursery-mood"], "tuned_on": ["nursery-summary"]}
    study = study_of(config)
    asked = {
        cell.dataset: {probe.probe for probe in probes_of(study, cell) if probe.suite == "transfer"}
        for cell in plan_cells(study)
        if cell.method == "full"
    }
    assert asked == {"nursery-sentiment": set(), "nursery-summary": {"nursery-mood"}}
    config["suites"]["transfer"]["tuned_on"] = ["nursery-mood"]
    with pytest.raises(UserError, match=r"suites.transfer.tuned_on: .*'nursery-mood'"):
        study_of(config)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["series"]["nursery"]["checkpoints"].append({"step": 80}),
        lambda config: config["datasets"].update({"nursery-mood": {}}),
        lambda config: config["seeds"].append(2),
        lambda config: config["methods"].update(other=config["methods"]["full"]),
    ],
)
def test_what_is_added_adds_cells_and_changes_none(config, change):
    before = study_of(config)
    measured = {cell.path: probes_of(before, cell) for cell in plan_cells(before)}
    change(config)
    after = study_of(config)
    found = {cell.path: probes_of(after, cell) for cell in plan_cells(after)}
    assert len(found) > len(measured)
    assert all(found[path] == probes for path, probes in measured.items())


def test_a_tuned_model_is_measured_in_all_formats_elsewhere_and_on_text(config):
    study = study_of(config)
    cell = next(c for c in plan_cells(study) if c.method == "full" and c.dataset == "nursery-summary")
    assert [(p.suite, p.probe, p.format, p.shots) for p in probes_of(study, cell)] == [
        ("in-domain", "nursery-summary", "default", 0),
        ("in-domain", "nursery-summary", "io", 0),
        ("transfer", "nursery-sentiment", "default", 0),
        ("pretraining", "heldout", "text", 0),
    ]


def test_training_states_are_powers_of_two_and_stay_when_the_series_grows(config):
    study = study_of(config)
    assert state_steps(study, "nursery") == [0, 64]
    assert state_before(study, "nursery", 100) == 64 and state_before(study, "nursery", 63) == 0
    config["series"]["nursery"]["checkpoints"].append({"step": 1000})
    assert state_steps(study_of(config), "nursery") == [0, 64, 128, 256, 512]


def test_planning_imports_neither_torch_nor_transformers_nor_polars():
    code = f"""
import sys, yaml
from pathlib import Path
from ripeness import dataset_lookups, lookups, series_lookups, warm
from ripeness.plan import plan_cells
from ripeness.study import load_study
root = Path({str(ROOT)!r})
print(len(plan_cells(load_study(yaml.safe_load((root / "config.yaml").read_text()), root / "tasks"))))
print(sorted({{"torch", "transformers", "polars", "numpy", "datasets"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True, check=True
    )
    n_cells, heavy = done.stdout.splitlines()
    assert int(n_cells) == 441 and heavy == "[]"

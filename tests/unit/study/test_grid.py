"""The plan: which cells there are, and what each is measured on."""

import copy
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from ripeness.runtime.errors import UserError
from ripeness.study.grid import plan_cells, probes_of, state_before, state_steps
from ripeness.study.load import load_study

ROOT = Path(__file__).parents[3]
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


@pytest.mark.parametrize(
    ("shots", "untouched"),
    [
        ([0], {(0, 3)}),  # (shots, seed)
        ([0, 4], {(0, 3), (4, 3), (4, 1), (4, 2)}),
        ([2, 4], {(2, 3), (2, 1), (2, 2), (4, 3), (4, 1), (4, 2)}),
    ],
)
def test_an_untouched_model_is_asked_without_shots_once_and_with_shots_by_every_seed(config, shots, untouched):
    config["methods"]["base"]["shots"], config["seeds"] = shots, [3, 1, 2]
    del config["suites"]["pretraining"]
    for suite in config["suites"].values():
        suite["shots"] = shots[:1]
    study = study_of(config)
    cells = [cell for cell in plan_cells(study) if cell.method == "base"]
    for place in {(cell.checkpoint, cell.dataset, cell.format) for cell in cells}:
        own = [cell for cell in cells if (cell.checkpoint, cell.dataset, cell.format) == place]
        asked = [(probe.shots, cell.seed) for cell in own for probe in probes_of(study, cell)]
        assert set(asked) == untouched and len(asked) == len(untouched)
    assert all(probes_of(study, cell) for cell in cells)
    tuned = [cell for cell in plan_cells(study) if cell.method != "base"]
    assert {cell.seed for cell in tuned} == {1, 2, 3}


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


def with_second_series(config, methods):
    series = config["series"]
    series["other"] = copy.deepcopy(series["nursery"]) | {"methods": methods}
    config["methods"]["short"] = config["methods"]["full"] | {"datasets": ["nursery-summary"]}
    config["suites"]["transfer"] |= {"tuned_on": ["nursery-sentiment"]}
    return study_of(config)


def test_a_series_has_the_cells_of_its_methods_and_is_asked_what_their_models_are(config):
    study = with_second_series(config, ["short"])
    cells = [cell for cell in plan_cells(study) if cell.series == "other"]
    assert {(cell.method, cell.dataset) for cell in cells if cell.method != "base"} == {("short", "nursery-summary")}
    tuned, untouched = (
        {
            (probe.probe, probe.format)
            for cell in cells
            if (cell.method == "base") == is_untouched
            for probe in probes_of(study, cell)
        }
        for is_untouched in (False, True)
    )
    assert tuned == untouched == {("nursery-summary", "default"), ("nursery-summary", "io"), ("heldout", "text")}


def test_a_series_with_all_methods_by_name_is_as_one_without_the_key(config):
    study = with_second_series(config, ["short", "full"])
    cells = [
        {(cell.dataset, cell.format, cell.method, cell.seed) for cell in plan_cells(study) if cell.series == name}
        for name in study.checkpoints
    ]
    assert cells[0] == cells[1]


def test_a_series_that_no_method_tunes_has_no_cell_and_changes_nothing_of_others(config):
    before = with_second_series(copy.deepcopy(config), ["full"])
    study = with_second_series(config, [])
    assert [cell for cell in plan_cells(study) if cell.series == "other"] == []
    assert [c for c in plan_cells(study)] == [c for c in plan_cells(before) if c.series == "nursery"]


def test_methods_of_a_series_are_methods_of_the_study(config):
    for method in ("ful", "base"):
        with pytest.raises(UserError, match=rf"series.other.methods: unknown method '{method}'; known are full, short"):
            with_second_series(copy.deepcopy(config), [method])
    config["series"]["nursery"]["methods"] = []
    with pytest.raises(UserError, match=r"no cell to train(.|\n)*hint: .*series"):
        study_of(config)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"texts": ["prose"]}, r"sensitivity.texts: unknown text 'prose'; known are heldout"),
        ({"series": ["nursry"]}, r"sensitivity.series: unknown series 'nursry'.*\nhint: did you mean 'nursery'"),
        ({"noise": {}, "bits": []}, r"neither `noise` nor `bits`.*\nhint: "),
        ({"noise": {"initial": [1.0]}}, r"sensitivity.noise: unknown key 'initial'"),
        ({"noise": {"init": [0.0]}}, r"sensitivity.noise.init.0: 0.0"),
    ],
)
def test_what_cannot_be_perturbed_is_said(config, change, said):
    config["sensitivity"] = {"texts": ["heldout"]} | change
    with pytest.raises(UserError, match=said):
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
        ("validation", "nursery-summary", "default", 0),
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
from ripeness.workflow import code_digest, forecast, lookups, resources, rule_values, run_conditions
from ripeness.workflow.snakemake_patches import register
from ripeness.study.grid import plan_cells
from ripeness.study.load import load_study
root = Path({str(ROOT)!r})
print(len(plan_cells(load_study(yaml.safe_load((root / "config.yaml").read_text()), root / "tasks"))))
print(sorted({{"torch", "transformers", "polars", "numpy", "datasets"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True, check=True
    )
    n_cells, heavy = done.stdout.splitlines()
    assert int(n_cells) > 300 and heavy == "[]"

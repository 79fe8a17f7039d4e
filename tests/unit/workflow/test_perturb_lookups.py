"""What is perturbed, by what, and what else a study with a perturbed series has: nothing."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from nursery import tuned_nursery

from ripeness.audit.grid import single_pretraining_run
from ripeness.study.grid import perturbed_series
from ripeness.study.load import load_study
from ripeness.workflow import forecast, operations, resources
from ripeness.workflow.lookups import audit as audit_lookups
from ripeness.workflow.lookups import collect, keep, perturb, provenance, report

ROOT = Path(__file__).parents[3]
RESULTS = "results/nursery"
NOISE = {"init": [0.1, 0.2], "relative": [0.3]}


def study_of(**sensitivity):
    """The nursery, and with it a series on disk that is perturbed only."""
    config = tuned_nursery()
    checkpoints = [{"path": "models/a", "step": 0, "tokens": 0}, {"path": "models/b", "step": 9, "tokens": 99}]
    config["series"]["disk"] = {"methods": [], "checkpoints": checkpoints}
    config["texts"] = {"novel": {"path": "a/novel.txt", "items": 40}}
    config["suites"]["pretraining"]["texts"] = ["novel"]
    if sensitivity:
        config["sensitivity"] = {"texts": ["novel"], "noise": NOISE, "seeds": [1, 2, 3]} | sensitivity
    return load_study(copy.deepcopy(config), ROOT / "tasks")


@pytest.fixture(scope="module")
def study():
    return study_of(bits=[4])


def place(series, checkpoint="step9"):
    return SimpleNamespace(series=series, checkpoint=checkpoint)


def test_a_study_without_the_key_perturbs_nothing():
    study = study_of()
    assert perturbed_series(study) == perturb.sensitivity_tables(study) == []
    assert perturb.sensitivity_table(study) == []
    assert "measure_sensitivity" not in forecast.operations_of(study)


def test_every_checkpoint_has_a_table_and_all_have_one(study):
    tables = perturb.sensitivity_tables(study)
    assert len(tables) == 9 + 2 and tables[-1] == f"{RESULTS}/sensitivity/disk/step9.parquet"
    assert perturb.sensitivity_table(study) == [f"{RESULTS}/tables/sensitivity.parquet"]
    assert perturbed_series(study_of(series=["disk"])) == ["disk"]


def test_a_job_reads_its_texts_and_the_series_at_step_0_where_init_asks_for_it(study):
    texts = {"novel": f"{RESULTS}/texts/novel.parquet"}
    assert json.loads(perturb.text_list(study, place("disk"))) == texts
    assert perturb.text_inputs(study, place("disk")) == list(texts.values())
    settings = json.loads(perturb.noise_settings(study))
    assert settings == {"noise": NOISE | {"absolute": []}, "seeds": [1, 2, 3], "bits": [4]}
    assert perturb.start_of_series(study, place("disk")) == [f"{RESULTS}/checkpoints/disk/step0"]
    state = f"{RESULTS}/pretraining/nursery/step0.safetensors"
    assert perturb.start_of_series(study, place("nursery")) == [state]
    assert perturb.start_of_series(study_of(noise={"relative": [1.0]}), place("disk")) == []


def test_held_out_text_is_that_of_the_series():
    config = tuned_nursery() | {"sensitivity": {"texts": ["heldout"]}}
    study = load_study(config, ROOT / "tasks")
    files = {"heldout": f"{RESULTS}/corpus/nursery/heldout.parquet"}
    assert perturb.text_files(study, place("nursery")) == files
    assert perturb.text_inputs(study, place("nursery")) == [f"{RESULTS}/corpus/nursery"]


def test_work_is_a_reading_as_it_is_and_one_for_every_perturbation(study):
    found = forecast.operations_of(study)["measure_sensitivity"]
    size, n_readings = operations.n_parameters(study, "nursery", "step64"), 1 + 3 * 3 + 1
    assert found["nursery/step64"] == 2 * size * n_readings * 40 * 128
    assert len(found) == 11 and "measure_sensitivity" in forecast.mean_operations(study)


def test_perturbing_requests_three_times_the_weights_and_more_with_every_attempt(study):
    for need in (resources.sensitivity_memory, resources.sensitivity_minutes):
        asked = [need(study, place("disk"), attempt) for attempt in (1, 2, 3)]
        assert asked == sorted(set(asked))
    memory = [need(study, place("disk"), 1) for need in (resources.prediction_memory, resources.sensitivity_memory)]
    n_parameters = operations.n_parameters(study, "disk", "step9")
    assert memory[1] - memory[0] == pytest.approx(8 * n_parameters / 2**20, abs=2)


def test_a_series_that_is_perturbed_only_is_listed_and_gated_and_has_no_table_of_cells(study):
    assert all("/disk/" not in path for path in collect.checkpoint_tables(study))
    assert f"{RESULTS}/checkpoints/disk/step9" in provenance.checkpoint_folders(study)
    assert report.shown_checkpoint(study) == f"{RESULTS}/checkpoints/nursery/step0"
    best = keep.kept_models(replace(study, config=study.config | {"keep_models": "best"}), None)
    assert len(best) == 9 * 5 and "/disk/" not in str(best)


def test_the_audit_checks_nothing_of_such_a_series(study):
    plan = json.loads(audit_lookups.audit_plan(study))
    assert plan["series"]["disk"]["asked"] == [] and "asked" not in plan["series"]["nursery"]
    assert [remark.seen for remark in single_pretraining_run(plan)] == ["one pre-training run, nursery"]

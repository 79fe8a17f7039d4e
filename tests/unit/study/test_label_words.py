"""The plan of kinds that choose among label words: on which datasets, and what their models are asked."""

import copy

import pytest
from nursery import ROOT, tuned_nursery

from ripeness.runtime.errors import UserError
from ripeness.study.grid import Cell, plan_cells, probes_of
from ripeness.study.load import load_study

CONFIG = tuned_nursery()
CHOICES = [name for name in CONFIG["datasets"] if name != "nursery-summary"]
FEATURES = {"kind": "features", "datasets": CHOICES}
HEAD = {"kind": "head", "learning_rate": 1e-2, "epochs": 3, "batch_size": 32, "datasets": CHOICES}
KINDS = [FEATURES, HEAD | {"moves": "head"}]


def study_of(method, **change):
    config = copy.deepcopy(CONFIG) | copy.deepcopy(change)
    config["methods"]["labelled"] = copy.deepcopy(method)
    return load_study(config, ROOT / "tasks")


def asked(study, dataset="nursery-mood", format_="io", method="labelled"):
    cell = Cell("nursery", "step64", dataset, format_, method, 1)
    return [(probe.suite, probe.probe, probe.kind, probe.format) for probe in probes_of(study, cell)]


@pytest.mark.parametrize("method", KINDS, ids=["features", "head"])
def test_a_model_that_stays_is_asked_its_own_dataset_alone(method):
    own = [("in-domain", "nursery-mood", "choice", format_) for format_ in CONFIG["formats"]]
    transferred = ("transfer", "nursery-mood", "choice", "default")
    expected = [("validation", "nursery-mood", "choice", "io"), *own]
    assert [one for one in asked(study_of(method)) if one != transferred] == expected


def test_a_model_that_moves_is_asked_all_that_others_are():
    study = study_of(HEAD | {"moves": "all"})
    assert asked(study) == asked(study, method="full")
    assert {kind for _, _, kind, _ in asked(study)} == {"choice", "generation", "text"}


@pytest.mark.parametrize("method", KINDS, ids=["features", "head"])
def test_its_cells_are_those_of_any_method_on_its_datasets(method):
    study = study_of(method)
    cells = {cell for cell in plan_cells(study) if cell.method == "labelled"}
    others = [cell for cell in plan_cells(study) if cell.method == "full" and cell.dataset in CHOICES]
    assert cells == {Cell(*list(vars(cell).values())[:4], "labelled", cell.seed) for cell in others}
    before = load_study(copy.deepcopy(CONFIG), ROOT / "tasks")
    assert [cell for cell in plan_cells(study) if cell not in cells] == plan_cells(before)
    assert all(probes_of(study, cell) == probes_of(before, cell) for cell in plan_cells(before))


@pytest.mark.parametrize("method", KINDS, ids=["features", "head"])
def test_a_dataset_without_label_words_is_refused_with_those_that_have_them(method):
    everywhere = {key: value for key, value in method.items() if key != "datasets"}
    said = "nursery-summary is answered by text that is written\nhint: datasets: .nursery-sentiment, nursery-mood, "
    with pytest.raises(UserError, match=said):
        study_of(everywhere)
    item = {"datasets": {"arc-easy": {}}, "texts": {}, "suites": {"own": {"datasets": "own"}}, "formats": ["default"]}
    config = {"methods": {"base": {"shots": [0]}}} | item
    with pytest.raises(UserError, match="arc-easy has options of its own for each item\nhint: another kind"):
        study_of(everywhere, **config)


def test_a_study_that_never_measures_its_own_dataset_is_refused():
    suites = {"pretraining": {"texts": ["heldout"]}}
    with pytest.raises(UserError, match="kind features answers .* alone, which no suite measures\nhint: "):
        study_of(FEATURES, suites=suites)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 1e-3}, "has no learning_rate\nhint: kind: features alone is enough"),
        ({"epochs": 3, "batch_size": 2}, "has no epochs, batch_size\nhint: "),
        ({"replay": {"share": 0.5}}, "has no replay\nhint: "),
        ({"schedule": "cosine"}, "has no schedule\nhint: "),
        ({"penalties": [0.0]}, "methods.labelled.penalties.0: 0.0 is less than or equal to the minimum of 0"),
        ({"labels": ["a", "b"]}, "methods.labelled: unknown key 'labels'"),
        ({"gpu": 2}, "cannot be split over 2 GPUs"),
    ],
)
def test_settings_of_steps_are_refused_where_none_is_taken(change, message):
    with pytest.raises(UserError, match=message):
        study_of(FEATURES | change)


def test_a_kind_that_takes_steps_still_needs_a_rate():
    with pytest.raises(UserError, match="methods.labelled: missing 'learning_rate'; needed are learning_rate, epochs"):
        study_of({"kind": "head", "moves": "all", "epochs": 3, "batch_size": 2})

"""What the rules tell programs of kinds that choose among label words, and what is estimated of their jobs."""

import copy
import json
from types import SimpleNamespace

import pytest
from nursery import ROOT, tuned_nursery

from ripeness.runtime.errors import UserError
from ripeness.study.load import load_study
from ripeness.study.methods.reading import read_settings
from ripeness.study.probes import Probe as Given
from ripeness.study.probes import check_types
from ripeness.workflow import forecast, resources
from ripeness.workflow.lookups import keep, measure, train
from ripeness.workflow.operations import prediction_operations, training_operations
from ripeness.workflow.wildcards import cell_of

CONFIG = tuned_nursery()
CHOICES = [name for name in CONFIG["datasets"] if name != "nursery-summary"]
STEPS = {"learning_rate": 1e-2, "epochs": 3, "batch_size": 32, "datasets": CHOICES}
METHODS = {
    "known": {"kind": "features", "datasets": CHOICES, "penalties": [1.0, 0.1]},
    "layer": {"kind": "head", "moves": "head", **STEPS},
    "classifier": {"kind": "head", "moves": "all", **STEPS},
}
BEST = {"series": "nursery", "checkpoint": "step64", "dataset": "nursery-mood"}
RESULTS = "results/nursery"


@pytest.fixture(scope="module")
def study():
    config = copy.deepcopy(CONFIG)
    config["methods"] |= copy.deepcopy(METHODS)
    sensitivity = {"texts": ["heldout"], "noise": {"init": [1.0]}, "seeds": [1], "bits": [8], "curvature": True}
    return load_study(config | {"sensitivity": sensitivity}, ROOT / "tasks")


def place(method, **change):
    return SimpleNamespace(**BEST | {"format": "io", "seed": "2", "method": method} | change)


def test_settings_are_those_of_the_kind_without_the_defaults_of_steps(study):
    told = json.loads(train.method_settings(study, place("known")))
    assert told == {"kind": "features", "penalties": [1.0, 0.1], "precision": "auto", "seed": 2}
    assert read_settings(told).penalties == (1.0, 0.1)
    again = json.loads(keep.tuning_settings(study, SimpleNamespace(**BEST, tuning="known")))
    assert again == {"kind": "features", "penalties": [1.0, 0.1], "precision": "auto"}
    assert read_settings(json.loads(train.method_settings(study, place("layer")))).moves == "head"


def test_validation_items_are_named_for_a_fit_alone(study):
    option = train.validation_option(study, place("known"))
    assert option == f"--validation {RESULTS}/examples/nursery-mood/io/validation.parquet"
    best = train.validation_option(study, SimpleNamespace(**BEST, tuning="known"))
    assert best == f"--validation {RESULTS}/best/nursery/step64/nursery-mood/known/choice/validation.parquet"
    assert [train.validation_option(study, place(name)) for name in ("full", "layer", "classifier")] == [""] * 3


def test_the_curvature_is_measured_where_weights_move(study):
    has_option = {name: bool(train.curvature_option(study, place(name))) for name in ("full", *METHODS)}
    assert has_option == {"full": True, "known": False, "layer": False, "classifier": True}


def test_own_choices_are_asked_of_the_map_and_others_of_the_output_layer(study):
    for name in METHODS:
        for row in json.loads(measure.probe_list(study, place(name))):
            check_types("probe", Given, row)
            assert row.get("head") == (row["probe"] == "nursery-mood" if row["kind"] == "choice" else None)
    rows = json.loads(measure.probe_list(study, place("full"))) + json.loads(measure.probe_list(study, place("base")))
    assert not any("head" in row for row in rows)


def test_what_a_map_says_is_not_normalised_by_the_length_of_a_label():
    config = copy.deepcopy(CONFIG)
    config["methods"] |= copy.deepcopy(METHODS)
    config["datasets"]["nursery-mood"] = {"normalisation": "pmi", "unconditional": "feeling :"}
    config["datasets"]["nursery-category"] = {"normalisation": "character"}
    study = load_study(config, ROOT / "tasks")
    mood, category = ({format_: name for format_ in CONFIG["formats"]} for name in ("pmi", "character"))
    assert json.loads(measure.probe_normalisations(study, place("full")))["nursery-mood"] == mood
    assert json.loads(measure.probe_normalisations(study, place("known"))) == {}
    others = json.loads(measure.probe_normalisations(study, place("classifier")))
    assert others == {"nursery-category": {"default": category["default"]}}
    rows = json.loads(measure.probe_list(study, place("classifier")))
    assert not any("unconditional" in row for row in rows if row["probe"] == "nursery-mood")
    assert any("unconditional" in row for row in json.loads(measure.probe_list(study, place("full"))))


def test_a_fit_costs_as_reading_its_items_once(study):
    known, full = (study.recipes[name]["nursery-mood"] for name in ("known", "full"))
    per_item = training_operations(study, place("full"), full) / (3 * 512)  # three epochs, three times a forward pass
    assert training_operations(study, place("known"), known) == pytest.approx((512 + 80) * per_item / 3)
    assert resources.training_memory(study, place("known"), 1) == resources.prediction_memory(study, place("known"), 1)
    cells = [cell_of(place(name)) for name in ("known", "full")]
    assert prediction_operations(study, cells[0]) < prediction_operations(study, cells[1])
    assert forecast.state_size(known, 118_000) < forecast.state_size(full, 118_000) / 5


def test_a_method_without_a_rate_has_one_recipe_that_names_none(study):
    assert "learning_rate" not in study.recipes["known"]["nursery-mood"]
    assert json.loads(measure.cell_identity(study, place("known")))["learning_rate"] is None


def test_doses_are_for_a_fit_too():
    config = copy.deepcopy(CONFIG)
    config["methods"]["known"] = METHODS["known"] | {"examples": [8, 32]}
    study = load_study(config, ROOT / "tasks")
    told = json.loads(train.method_settings(study, place("known-n8")))
    assert told["examples"] == 8 and read_settings(told).examples == 8
    small, large = (training_operations(study, place(name), study.recipes[name]["nursery-mood"])
                    for name in ("known-n8", "known-n32"))  # fmt: skip
    assert small / large == pytest.approx((8 + 80) / (32 + 80))


def test_no_training_starts_from_a_map_to_labels():
    config = copy.deepcopy(CONFIG)
    config["methods"] |= {"known": METHODS["known"], "after": {"kind": "full", **STEPS, "from": "known"}}
    with pytest.raises(UserError, match="no training starts from a model of kind features: its map .*\nhint: "):
        load_study(config, ROOT / "tasks")


def test_a_kind_that_chooses_among_labels_learns_no_text():
    config = copy.deepcopy(CONFIG)
    config["methods"]["layer"] = METHODS["layer"] | {"learns": "text", "text": "corpora/domain.txt"}
    with pytest.raises(UserError, match="learns"):
        load_study(config, ROOT / "tasks")

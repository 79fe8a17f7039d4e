"""Doses are methods of their own, and what learns a text has one training for all datasets."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from ripeness.runtime.errors import UserError
from ripeness.study.grid import Cell, plan_cells, probes_of
from ripeness.study.load import load_study
from ripeness.study.methods.register import KINDS
from ripeness.study.trainings import start_of, training_of, trainings
from ripeness.workflow.forecast import operations_of
from ripeness.workflow.lookups import analyse, measure, train
from ripeness.workflow.operations import training_operations

ROOT = Path(__file__).parents[3]
CUT = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())
FULL = CUT["methods"]["full"]
RESULTS = "results/cut"


def study_of(methods, **changes):
    config = copy.deepcopy(CUT | changes)
    config["methods"] |= copy.deepcopy(methods)
    return load_study(config, ROOT / "tasks")


def cell(method, dataset="nursery-sentiment", format_="io"):
    return Cell("nursery", "step0", dataset, format_, method, 1)


def settings_of(study, method):
    return json.loads(train.method_settings(study, SimpleNamespace(**vars(cell(method)))))


def test_every_dose_is_a_method_and_the_table_of_cells_says_whose():
    study = study_of({"form": FULL | {"examples": [8, 32]}, "one": FULL | {"examples": [16]}})
    assert list(study.recipes) == ["full", "form-n8", "form-n32", "one"]
    facts = {name: json.loads(measure.method_facts(study, cell(name))) for name in study.recipes}
    assert {name: (fact["examples"], fact["doses_of"]) for name, fact in facts.items()} == {
        "full": (None, None), "form-n8": (8, "form"), "form-n32": (32, "form"), "one": (16, None)
    }  # fmt: skip
    assert settings_of(study, "form-n8") == settings_of(study, "full") | {"examples": 8}
    work = [training_operations(study, cell(name), study.recipes[name]["nursery-sentiment"]) for name in study.recipes]
    assert work == [8 * work[1], work[1], 4 * work[1], 2 * work[1]]


def test_a_series_that_names_a_method_has_all_its_doses_and_rates():
    series = copy.deepcopy(CUT["series"])
    series["nursery"]["methods"] = ["form"]
    study = study_of({"form": FULL | {"examples": [8, 32], "learning_rate": [1e-3, 1e-4]}}, series=series)
    tuned = {one.method for one in plan_cells(study)} - {"base"}
    assert tuned == {f"form-n{dose}-lr{rate}" for dose in (8, 32) for rate in ("0.001", "0.0001")}


@pytest.mark.parametrize(("dose", "batch_size", "epochs"), [(8, 32, 48), (32, 32, 48), (64, 32, 24), (8, 3, 16)])
def test_steps_are_those_of_every_dose(dose, batch_size, epochs):
    study = study_of({"form": FULL | {"examples": dose, "steps": 48, "batch_size": batch_size}})
    settings = settings_of(study, "form")
    assert (settings["steps"], settings["epochs"]) == (48, epochs)
    assert epochs * -(-dose // batch_size) >= 48 > (epochs - 1) * -(-dose // batch_size)
    kept = train.training_settings(study, SimpleNamespace(tuning="form", dataset="nursery-sentiment"))
    assert kept["epochs"] == epochs  # of a model that is tuned again to be kept


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"a": FULL | {"examples": [8, 65]}}, "methods.a.examples: 65 examples, but models are tuned on 64 of nursery"),
        ({"a": FULL | {"examples": [0]}}, "methods.a.examples.0: 0 is less than"),
        ({"a": FULL | {"examples": []}}, "methods.a.examples"),
        ({"a": FULL | {"examples": [8, 9]}, "a-n8": FULL}, "a dose makes a second method named 'a-n8'\nhint: "),
        ({"a": FULL | {"examples": [8, 9]}, "b": FULL | {"from": "a"}}, "a is 2 methods, .*\nhint: .*: a-n8, a-n9"),
        ({"a": FULL | {"examples": 1, "steps": 10**6}}, "methods.a.steps: 1000000 steps of a are 1000000 passes"),
    ],
)
def test_a_dose_that_cannot_be_is_refused(methods, message):
    with pytest.raises(UserError, match=message):
        study_of(methods)


@pytest.fixture
def text(tmp_path):
    (tmp_path / "domain.txt").write_text("the film was long and good\n" * 400)
    return FULL | {"learns": "text", "text": str(tmp_path / "domain.txt")}


def test_a_text_is_learned_once_for_all_datasets_and_formats(text):
    study = study_of({"continued": text, "task": FULL | {"from": "continued"}})
    cells = [one for one in plan_cells(study) if one.method == "continued"]
    learned = [one for one in trainings(study) if one.method == "continued"]
    assert (len(cells), len(learned)) == (3 * 2 * 2, 3)
    (shared,) = {training_of(study, one) for one in cells if one.checkpoint == "step0"}
    assert (shared.dataset, shared.format) == ("text", "text") and start_of(study, cell("task")) == shared
    assert {measure.model_folder(study, one) for one in cells} == {
        f"{RESULTS}/cells/{one.path}/model" for one in learned
    }
    assert measure.training_record(study, cell("continued")) == [f"{RESULTS}/cells/{shared.path}/training.json"]
    assert {measure.delete_option(study, one) for one in cells} == {""}  # several cells measure it
    place = SimpleNamespace(**vars(shared))
    assert train.examples_read(study, place) == [] and train.text_learned(study, place) == [text["text"]]
    assert json.loads(train.method_settings(study, place))["learns"] == "text"
    assert train.examples_read(study, cell("full")) == [f"{RESULTS}/examples/nursery-sentiment/io"]
    assert train.text_learned(study, cell("full")) == [] and "learns" not in settings_of(study, "full")
    assert json.loads(measure.method_facts(study, cell("continued")))["learns"] == "text"
    assert set(operations_of(study)["train_model"]) == {one.path for one in trainings(study)}
    assert operations_of(study)["train_model"][shared.path] > 0


def test_what_learned_a_text_carries_nothing_over_from_a_dataset(text):
    study = study_of({"continued": text})
    suites = {probe.suite for probe in probes_of(study, cell("continued"))}
    assert (
        suites == {"validation", "in-domain", "pretraining"} < {probe.suite for probe in probes_of(study, cell("full"))}
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": None}, "`learns: text` and `text`, a file, go together"),
        ({"learns": None}, "`learns: text` and `text`, a file, go together"),
        (
            {"learns": "tex"},
            "'tex' is not one of answers, text, preferences, reward, policy\nhint: did you mean 'text'",
        ),
        ({"from": "full"}, "from: full has a model for every dataset, but a text is learned once for all\nhint: "),
        ({"examples": 8}, "examples: a text is learned once"),
        ({"by_dataset": {"nursery-summary": {"steps": 2}}}, "by_dataset: a text is learned once"),
    ],
)
def test_a_text_that_cannot_be_learned_is_refused(text, change, message):
    settings = {key: value for key, value in (text | change).items() if value is not None}
    with pytest.raises(UserError, match=message):
        study_of({"a": settings})


def test_a_measured_text_is_not_learned_and_no_best_model_is_kept(text):
    texts = CUT["texts"] | {"mine": {"path": text["text"], "items": 5}}
    with pytest.raises(
        UserError, match=r"methods.a.text: .*domain.txt is the text 'mine', on which models are measured"
    ):
        study_of({"a": text}, texts=texts)
    with pytest.raises(UserError, match="keep_models: methods.a has one model for all datasets"):
        study_of({"a": text}, keep_models="best")
    study_of({"a": text, "b": text | {"from": "a"}})


def test_a_kind_that_does_not_learn_text_refuses_it(text, monkeypatch):
    monkeypatch.setitem(KINDS, "full", type(KINDS["full"])(**vars(KINDS["full"]) | {"learns": ("answers",)}))
    with pytest.raises(
        UserError, match="methods.a: a training of kind full does not learn text\nhint: learns: answers"
    ):
        study_of({"a": text})


FACTS = {"nursery-mood": {}, "nursery-newfacts": {}}


def test_a_study_says_which_of_its_datasets_teach_form_and_knowledge():
    named = {"form": ["nursery-mood"], "knowledge": ["nursery-newfacts"]}
    study = study_of({}, datasets=FACTS, findings=named)
    settings = json.loads(analyse.finding_settings(study, SimpleNamespace()))
    assert {key: settings[key] for key in named} == named
    assert not {"form", "knowledge"} & json.loads(analyse.finding_settings(study_of({}), SimpleNamespace())).keys()


@pytest.mark.parametrize(
    ("findings", "message"),
    [
        ({"form": ["nursery-mood"]}, "form is given without the other one"),
        ({"form": ["nursery-mod"], "knowledge": ["nursery-newfacts"]}, "'nursery-mod'.*did you mean 'nursery-mood'"),
        ({"form": ["nursery-mood"], "knowledge": ["nursery-mood"]}, "is listed as form and as knowledge"),
    ],
)
def test_datasets_that_are_not_there_or_teach_both_are_refused(findings, message):
    with pytest.raises(UserError, match=f"(?s){message}.*hint: |{message}"):
        study_of({}, datasets=FACTS, findings=findings)

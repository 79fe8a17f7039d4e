"""A study with pictures: which models see, what they are measured on, and what is refused before anything runs."""

import json
from types import SimpleNamespace

import pytest
from nursery import tuned_nursery

from ripeness.runtime.errors import UserError
from ripeness.runtime.project import ROOT
from ripeness.study.grid import VIEWS, Cell, base_probes, probes_of
from ripeness.study.load import load_study
from ripeness.study.pictures import cell_sees
from ripeness.workflow import resources
from ripeness.workflow.forecast import disk_bytes
from ripeness.workflow.lookups import analyse, audit, measure, pictures, report
from ripeness.workflow.operations import n_pictures, picture_mb

HOW = {"kind": "full", "learning_rate": 1e-3, "epochs": 1, "batch_size": 8}
METHODS = {
    "base": {"shots": [0]},
    "see": HOW | {"kind": "projector", "datasets": ["nursery-scenes"]},
    "look": HOW | {"from": "see", "datasets": ["nursery-scenes"]},
    "after": HOW | {"from": {"method": "look", "dataset": "nursery-scenes"}, "datasets": ["nursery-mood"]},
    "blind": HOW,
}
SUITES = {
    "own": {"datasets": "own", "formats": "all"},
    "more": {"datasets": ["nursery-scenes", "nursery-scenes-blank"], "formats": ["default"]},
}


def config(**change):
    given = tuned_nursery() | {
        "formats": ["default"],
        "methods": METHODS,
        "suites": SUITES,
        "pictures": {"pretrain": {}},
    }
    given |= {"datasets": {"nursery-scenes": {}, "nursery-mood": {}}} | change
    return {key: value for key, value in given.items() if value is not None}


def study(**change):
    return load_study(config(**change), ROOT / "tasks")


def cell(method, dataset="nursery-scenes"):
    return Cell("nursery", "step512", dataset, "default", method, 1)


def test_a_model_sees_if_it_or_one_that_it_comes_from_has_a_projector():
    found = study()
    seeing = {method: cell_sees(found, cell(method)) for method in ("see", "look", "blind", "base")}
    assert seeing == {"see": True, "look": True, "blind": False, "base": False}
    assert cell_sees(found, cell("after", "nursery-mood")) and not cell_sees(found, cell("blind", "nursery-mood"))


def test_pictures_are_read_for_datasets_that_have_them_by_models_that_see():
    found = study()
    rows = {
        method: {row["probe"]: row.get("pictures") for row in measure.probe_rows(found, cell(method, dataset))}
        for method, dataset in (("look", "nursery-scenes"), ("blind", "nursery-scenes"), ("after", "nursery-mood"))
    }
    folder = "results/nursery/pictures"
    assert rows["look"] == {name: f"{folder}/{name}" for name in ("nursery-scenes", "nursery-scenes-blank")}
    assert set(rows["blind"].values()) == {None}
    assert rows["after"] == {"nursery-mood": None, "nursery-scenes": f"{folder}/nursery-scenes"}
    place = SimpleNamespace(**vars(cell("see")))
    assert pictures.pictures_learned(found, place) == [f"{folder}/nursery-scenes"]
    assert pictures.pictures_learned(found, SimpleNamespace(**vars(cell("blind")))) == []
    assert f"{folder}/nursery-scenes-blank" in measure.probe_files(found, SimpleNamespace(**vars(cell("look"))))


def test_views_are_no_datasets_of_their_own():
    found = study()
    suites = {probe.probe: probe.suite for probe in probes_of(found, cell("look")) if probe.split == "test"}
    assert suites == {"nursery-scenes": "own", "nursery-scenes-blank": VIEWS}
    other = {probe.probe for probe in probes_of(found, cell("after", "nursery-mood"))}
    assert other == {"nursery-mood", "nursery-scenes"}
    assert not [probe for probe, _ in base_probes(found) if probe == "nursery-scenes-blank"]


def test_the_encoder_is_the_one_that_is_pre_trained_here_or_a_folder(tmp_path):
    here, given = study(), study(pictures={"path": str(tmp_path)})
    place = SimpleNamespace(dataset="nursery-scenes")
    assert pictures.encoder_folder(here, place) == "results/nursery/encoder"
    assert pictures.encoder_layer(here, place) == -1
    assert pictures.encoder_folder(given, place) == str(tmp_path) and pictures.encoder_layer(given, place) == -2
    assert json.loads(pictures.encoder_settings(here, place))["min_accuracy"] == 0.9
    assert pictures.picture_control(here, SimpleNamespace(dataset="nursery-scenes-blank")) == "blank"


def test_an_encoder_of_the_hub_is_fetched_by_its_commit_and_states_may_be_computed_on_the_fly():
    commit, place = "0123456789abcdef" * 2 + "01234567", SimpleNamespace(dataset="nursery-scenes")
    given = study(pictures={"hub": "openai/clip", "revision": commit, "live": True})
    assert pictures.encoder_folder(given, place) == "results/nursery/fetched_encoder"
    assert json.loads(pictures.fetched_encoder(given, place)) == {"repo": "openai/clip", "revision": commit}
    assert pictures.encoder_layer(given, place) == -2 and pictures.live_option(given, place) == "--live"
    assert pictures.live_option(study(), place) == ""
    for wrong in ({"hub": "openai/clip"}, {"hub": "openai/clip", "revision": "main"}, {"hub": "a/b", "path": "c"}):
        with pytest.raises(UserError, match="pictures"):
            study(pictures=wrong)


def test_the_disk_and_memory_of_pictures_are_counted():
    here, elsewhere = study(), study(pictures={"path": "clip"})
    live = study(pictures={"path": "clip", "live": True})
    n_items = sum(tuned_nursery()["items"].values())
    assert n_pictures(here, "nursery-scenes") == n_items
    assert picture_mb(here, "nursery-scenes") == pytest.approx(n_items * 16 * 48 * 4 / 2**20)
    assert picture_mb(elsewhere, "nursery-scenes") == pytest.approx(n_items * 576 * 1024 * 4 / 2**20, rel=0.1)
    assert picture_mb(live, "nursery-scenes") < picture_mb(elsewhere, "nursery-scenes") / 10
    sizes = [disk_bytes(one, 2)["pictures"] for one in (here, elsewhere, live)]
    assert sizes[0] < sizes[2] < sizes[1]
    assert "pictures" not in disk_bytes(load_study(tuned_nursery(), ROOT / "tasks"), 2)
    see, blind = cell("see"), cell("blind")
    for place, seeing in ((see, True), (blind, False)):
        grows = resources.training_memory(elsewhere, place, 1) - resources.training_memory(here, place, 1)
        assert (grows > 0) == seeing
        assert resources.prediction_memory(elsewhere, place, 1) >= resources.prediction_memory(here, place, 1)


def test_findings_know_what_views_are_and_the_report_shows_pictures():
    found = study()
    assert json.loads(analyse.finding_settings(found, None))["views"] == {"nursery-scenes-blank": "blank"}
    assert "views" not in json.loads(analyse.finding_settings(load_study(tuned_nursery(), ROOT / "tasks"), None))
    assert report.picture_rows(found) == ["results/nursery/datasets/nursery-scenes"]
    assert report.picture_items(found) == ["results/nursery/items/nursery-scenes"]
    assert report.picture_examples(found) == ["results/nursery/examples/nursery-scenes/default"]
    last = list(found.checkpoints["nursery"])[-1]
    assert report.picture_scores(found) == f"results/nursery/tables/items/nursery/{last}.parquet"
    assert report.pictures_file(found) == ["results/nursery/pictures.json"]
    assert report.pictures_file(load_study(tuned_nursery(), ROOT / "tasks")) == []
    assert "seeing" in analyse.figures_of(found)
    assert "seeing" not in analyse.figures_of(load_study(tuned_nursery(), ROOT / "tasks"))


def test_the_audit_counts_the_tokens_of_a_picture_in_the_window():
    found = audit.virtual_tokens(study(), "nursery")
    assert found == {("nursery-scenes", "default"): [16, 16], ("nursery-scenes-blank", "default"): [16, 0]}
    coarse = audit.virtual_tokens(study(pictures={"pretrain": {"patch_size": 12}}), "nursery")
    assert coarse["nursery-scenes", "default"] == [4, 4]


REFUSED = {
    "no encoder": ({"pictures": None}, r"methods\.see: no encoder is given to read pictures\nhint: pictures: "),
    "two encoders": ({"pictures": {"path": "a", "pretrain": {}}}, "pictures"),
    "no pictures": (
        {"methods": METHODS | {"see": HOW | {"kind": "projector"}}},
        r"methods\.see: kind projector learns from pictures, and nursery-mood has none\nhint: datasets: \[nursery-sc",
    ),
    "shots": (
        {"methods": METHODS | {"base": {"shots": [0, 4]}}},
        r"datasets\.nursery-scenes: questions about pictures have no shots, .*\nhint: shots: \[0\]",
    ),
    "another kind after it": (
        {"methods": METHODS | {"look": METHODS["look"] | {"kind": "freeze", "norms": True}}},
        r"methods\.look: kind freeze does not train the projector .*\nhint: kind: full or lora",
    ),
    "a second projector": (
        {"methods": METHODS | {"look": METHODS["look"] | {"kind": "projector"}}},
        r"methods\.look: kind projector does not train the projector of the model that it starts from",
    ),
    "several GPUs": ({"methods": METHODS | {"see": METHODS["see"] | {"gpu": 2}}}, "a model with a projector"),
    "several GPUs later": (
        {"methods": METHODS | {"look": METHODS["look"] | {"gpu": 2}}},
        r"methods\.look: a model with a projector cannot be split over 2 GPUs\nhint: gpu: 1",
    ),
    "preferences after it": (
        {"methods": METHODS | {"look": METHODS["look"] | {"learns": "preferences", "loss": "dpo", "beta": 0.1}}},
        r"methods\.look: a model that reads pictures does not learn preferences\nhint: leave `learns` out",
    ),
    "a view that is tuned on": (
        {"datasets": {"nursery-scenes": {}, "nursery-mood": {}, "nursery-scenes-blank": {}}},
        r"datasets\.nursery-scenes-blank: its items are those of nursery-scenes, and no model is tuned on it",
    ),
    "replay": (
        {"methods": METHODS | {"see": METHODS["see"] | {"replay": {"share": 0.1}}}},
        r"methods\.see: text is not read by a projector.*\nhint: take out `replay`",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_with_a_hint(case):
    change, message = REFUSED[case]
    with pytest.raises(UserError, match=message):
        study(**change)


def test_pictures_of_github_and_controls_of_text_are_refused():
    splits = {"train": "a", "validation": "b", "test": "c"}
    source = {"github": "a/b", "revision": "0" * 40, "files": dict.fromkeys("abc", "a.jsonl")} | splits
    with pytest.raises(UserError, match="read from files on disk, or from the hub\nhint: save the rows as Parquet"):
        study(datasets={"nursery-scenes": {"source": source}, "nursery-mood": {}})
    hub = {"hub": "a/b", "revision": "main", "splits": splits, "images": {"config": "c", "id": "id", "by": "of"}}
    with pytest.raises(UserError, match=r"`source\.images` is for a task with `image`\nhint: name the column"):
        study(datasets={"nursery-scenes": {}, "nursery-mood": {"source": hub}})
    with pytest.raises(UserError, match="`pictures: blank` is for a task with `image`"):
        study(datasets={"nursery-scenes": {}, "nursery-mood": {"pictures": "blank"}})

"""A training that is made of the adapters of other cells: what it reads, and what is refused before anything runs."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from ripeness.runtime.errors import UserError
from ripeness.study.grid import Cell
from ripeness.study.load import load_study
from ripeness.study.trainings import cells_read, is_read_by_another, longest_chain, states_of
from ripeness.workflow.lookups import measure, train

ROOT = Path(__file__).parents[3]
CUT = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())
FULL = CUT["methods"]["full"]
LORA = FULL | {"kind": "lora", "rank": 2, "alpha": 4}
ADAPTER = FULL | {"kind": "adapter", "size": 4}
DATASETS = ["nursery-sentiment", "nursery-summary"]
FUSED = FULL | {"kind": "fusion", "of": {"method": "adapter", "datasets": DATASETS}}


def study_of(methods, **changes):
    config = copy.deepcopy(CUT | changes)
    config["methods"] |= copy.deepcopy(methods)
    return load_study(config, ROOT / "tasks")


def cell(method, dataset="nursery-summary"):
    return Cell("nursery", "step100", dataset, "io", method, 1)


def folder(method, dataset):
    return f"results/cut/cells/{cell(method, dataset).path}/model"


def test_a_fusion_reads_the_adapters_of_each_dataset_at_the_same_place():
    study = study_of({"adapter": ADAPTER, "fused": FUSED})
    assert cells_read(study, cell("fused")) == {"of": [cell("adapter", name) for name in DATASETS]}
    assert train.fused_models(study, cell("fused")) == [folder("adapter", name) for name in DATASETS]
    assert train.fused_models(study, cell("adapter")) == train.start_model(study, cell("fused")) == []
    assert is_read_by_another(study, cell("adapter")) and not is_read_by_another(study, cell("fused"))
    assert measure.delete_option(study, cell("adapter")) == "" and measure.delete_option(study, cell("fused"))
    assert longest_chain(study) == 2
    told = json.loads(train.method_settings(study, SimpleNamespace(**vars(cell("fused")))))
    assert told["of"] == {"method": "adapters", "datasets": ["1", "2"]}  # names are in no key


def test_a_fusion_is_made_again_by_the_code_of_both_kinds_and_measured_by_its_own():
    study = study_of({"adapter": ADAPTER, "fused": FUSED})
    kinds = [f"ripeness/models/methods/{kind}.py" for kind in ("fusion", "adapter")]
    assert train.kind_modules(study, cell("fused")) == kinds
    assert measure.kind_modules(study, cell("fused")) == kinds[:1]
    assert states_of(study, cell("fused")) == [cell("fused")]
    assert measure.checkpoint_of_state(study, cell("fused")) == ["results/cut/checkpoints/nursery/step100"]


def test_adapters_and_their_fusion_may_start_from_the_same_other_model():
    start = {"from": {"method": "sft", "dataset": "nursery-summary"}}
    study = study_of({"sft": FULL, "adapter": ADAPTER | start, "fused": FUSED | start})
    assert cells_read(study, cell("fused"))["start"] == [cell("sft")]


def test_a_model_that_learned_a_text_is_one_start_for_adapters_of_several_datasets(tmp_path):
    (tmp_path / "domain.txt").write_text("the film was good\n" * 1000)
    text = FULL | {"learns": "text", "text": str(tmp_path / "domain.txt")}
    start = {"from": "continued"}
    study = study_of({"continued": text, "adapter": ADAPTER | start, "fused": FUSED | start})
    (shared,) = cells_read(study, cell("fused"))["start"]
    assert (shared.dataset, shared.format) == ("text", "text")
    assert {one for name in DATASETS for one in cells_read(study, cell("adapter", name))["start"]} == {shared}
    with pytest.raises(UserError, match="methods.fused: a training of kind fusion does not learn text\nhint: learns: "):
        study_of({"adapter": ADAPTER, "fused": FUSED | {"learns": "text", "text": text["text"]}})


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"fused": FUSED}, "methods.fused.of: unknown method 'adapter'; known are full, fused\nhint: "),
        ({"adapter": LORA, "fused": FUSED}, "of: adapter is of kind lora\nhint: name a method of kind adapter "),
        (
            {"adapter": ADAPTER | {"learning_rate": [1e-3, 1e-2]}, "fused": FUSED},
            "of: adapter is 2 methods, .*\nhint: name one of them: adapter-lr0.001, adapter-lr0.01",
        ),
        ({"adapter": ADAPTER | {"datasets": DATASETS[:1]}, "fused": FUSED}, "of: adapter does not tune on nursery-sum"),
        (
            {"adapter": ADAPTER, "fused": FUSED | {"of": FUSED["of"] | {"datasets": ["nursery-sentiment", "xsum"]}}},
            "of: unknown dataset 'xsum'; known are nursery-sentiment, ",
        ),
        (
            {"adapter": ADAPTER | {"from": "full"}, "fused": FUSED},
            "methods.fused.of: adapter on nursery-sentiment does not start from the model that fused on .* starts from",
        ),
        (
            {"adapter": ADAPTER | {"from": "full"}, "fused": FUSED | {"from": "full"}},
            "methods.fused.of: adapter on nursery-summary does not start from the model that fused on nursery-sen",
        ),
        ({"adapter": ADAPTER, "next": LORA | {"from": "adapter"}}, "no training starts from a model of kind adapter: "),
        (
            {"adapter": ADAPTER, "fused": FUSED, "next": LORA | {"from": "fused"}},
            "no training starts from a model of kind fusion: .* would be lost\nhint: start from a method ",
        ),
    ],
)
def test_what_a_fusion_cannot_be_made_of_is_refused_before_anything_runs(methods, message):
    with pytest.raises(UserError, match=message):
        study_of(methods)

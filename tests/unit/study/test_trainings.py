"""Which trainings a study has, which models each of them reads, and what is refused before anything runs."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from ripeness.runtime.errors import UserError
from ripeness.study.grid import Cell, plan_cells
from ripeness.study.load import load_study
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import Reference
from ripeness.study.trainings import cells_read, is_read_by_another, longest_chain, start_of, states_of, trainings
from ripeness.workflow.forecast import disk_bytes, operations_of
from ripeness.workflow.lookups import measure, train

ROOT = Path(__file__).parents[3]
CUT = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())
FULL = CUT["methods"]["full"]
LORA = FULL | {"kind": "lora", "rank": 2, "alpha": 4}
OTHER = "nursery-summary"
RESULTS = "results/cut"


def study_of(methods, **changes):
    config = copy.deepcopy(CUT | changes)
    config["methods"] |= copy.deepcopy(methods)
    return load_study(config, ROOT / "tasks")


def cell(method, dataset="nursery-sentiment"):
    return Cell("nursery", "step0", dataset, "io", method, 1)


def folder(method, dataset="nursery-sentiment", name="model"):
    return f"{RESULTS}/cells/{cell(method, dataset).path}/{name}"


CHAIN = {"sft": LORA, "task": LORA | {"from": "sft"}, "third": FULL | {"from": {"method": "task", "dataset": OTHER}}}


def test_a_method_without_from_reads_the_checkpoint_alone():
    study = study_of({})
    assert [one for one in plan_cells(study) if one.method != "base"] == trainings(study)
    assert all(cells_read(study, one) == {} and not is_read_by_another(study, one) for one in trainings(study))
    assert longest_chain(study) == 1
    assert measure.delete_option(study, cell("full")) == "$DELETE_MEASURED"
    assert train.start_model(study, cell("full")) == train.read_states(study, cell("full")) == []


def test_a_chain_reads_the_models_of_the_same_place():
    study = study_of(CHAIN)
    assert start_of(study, cell("task")) == cell("sft") and start_of(study, cell("third")) == cell("task", OTHER)
    assert start_of(study, cell("sft")) is None and start_of(study, cell("base")) is None
    assert longest_chain(study) == 3
    assert train.start_model(study, cell("third")) == [folder("task", OTHER)]
    assert train.start_record(study, cell("third")) == [folder("task", OTHER, "training.json")]
    assert train.read_states(study, cell("third")) == [folder("sft", OTHER)]  # in which that small state is put
    assert "from" not in train.method_settings(study, SimpleNamespace(**vars(cell("third"))))


def test_a_model_that_another_training_reads_is_not_deleted_when_it_is_measured():
    study = study_of(CHAIN)
    assert is_read_by_another(study, cell("sft")) and is_read_by_another(study, cell("task", OTHER))
    assert not is_read_by_another(study, cell("task")) and not is_read_by_another(study, cell("third"))
    found = {one.method for one in trainings(study) if not measure.delete_option(study, one)}
    assert found == {"sft", "task"} and measure.delete_option(study, cell("task")) == "$DELETE_MEASURED"


def test_a_small_state_is_measured_with_all_that_it_is_put_into():
    study = study_of(CHAIN)
    assert states_of(study, cell("task")) == [cell("task"), cell("sft")]
    assert measure.starts_of_state(study, cell("task")) == [folder("sft")]
    assert measure.checkpoint_of_state(study, cell("task")) == [f"{RESULTS}/checkpoints/nursery/step0"]
    assert measure.starts_of_state(study, cell("third")) == measure.checkpoint_of_state(study, cell("third")) == []
    of_lora = ["ripeness/models/methods/lora.py"]
    assert measure.kind_modules(study, cell("task")) == of_lora and measure.kind_modules(study, cell("third")) == []
    assert train.kind_modules(study, cell("third")) == ["ripeness/models/methods/full.py", *of_lora]
    whole = study_of({"task": LORA | {"from": "full"}})
    assert measure.starts_of_state(whole, cell("task")) == [folder("full")]
    assert measure.checkpoint_of_state(whole, cell("task")) == []  # the start has all weights


def test_the_table_of_cells_says_where_a_cell_starts():
    study = study_of(CHAIN)
    found = {name: json.loads(measure.method_facts(study, cell(name)))["start"] for name in CHAIN}
    assert found == {"sft": None, "task": "sft", "third": "task"}


def test_the_forecast_knows_starts_that_wait():
    plain = study_of({name: {k: v for k, v in kind.items() if k != "from"} for name, kind in CHAIN.items()})
    chain = study_of(CHAIN)
    assert operations_of(chain) == operations_of(plain)
    once = "tuned models at once"
    assert disk_bytes(chain, 2)[once] / disk_bytes(plain, 2)[once] == pytest.approx((2 + 2 * 2 + 2) / (2 + 2))


RATES = {"sft": FULL | {"learning_rate": [1e-3, 1e-4]}}


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"a": FULL | {"from": "ful"}}, r"methods.a.from: unknown method 'ful'; known are full, a\nhint: did you mean"),
        ({"a": FULL | {"from": "base"}}, "methods.a.from: base is the untouched checkpoint, .*\nhint: leave the key"),
        (RATES | {"a": FULL | {"from": "sft"}}, "sft is 2 methods, .*\nhint: name one of them: sft-lr0.001, sft-lr0.0"),
        ({"a": FULL | {"from": "a"}}, "methods.a: it starts from itself: a from a\nhint: "),
        ({"a": FULL | {"from": "b"}, "b": LORA | {"from": "a"}}, "starts from itself: a from b from a\nhint: "),
        (
            CHAIN | {"third": FULL | {"from": "task"}, "fourth": FULL | {"from": "third"}},
            "methods.fourth: more than 3 trainings one after another: fourth from third from task from sft\nhint: ",
        ),
        ({"a": FULL | {"from": {"method": "full", "dataset": "other"}}}, "unknown dataset 'other'; known are nursery"),
        (
            {"a": FULL | {"datasets": [OTHER]}, "b": FULL | {"from": "a"}},
            "a does not tune on nursery-sentiment, but on nursery-summary\nhint: add nursery-sentiment to its",
        ),
        ({"a": FULL | {"from": 1}}, "methods.a.from: 1 is not valid"),
        ({"a": FULL | {"from": {"method": "full"}}}, "methods.a.from: missing 'dataset'"),
    ],
)
def test_a_start_that_cannot_be_is_refused(methods, message):
    with pytest.raises(UserError, match=message):
        study_of(methods)


def test_one_rate_of_a_list_may_be_a_start():
    study = study_of(RATES | {"a": FULL | {"from": "sft-lr0.001"}})
    assert start_of(study, cell("a")) == cell("sft-lr0.001")


def test_a_start_that_does_not_tune_a_series_is_refused():
    series = copy.deepcopy(CUT["series"])
    series["nursery"]["methods"] = ["a"]
    with pytest.raises(UserError, match=r"from: full does not tune the series nursery\nhint: add full to series.nur"):
        study_of({"a": FULL | {"from": "full"}}, series=series)
    series["nursery"]["methods"] = ["full"]
    study_of({"a": FULL | {"from": "full"}}, series=series)


@pytest.mark.parametrize(("key", "value"), [("scratch", "$TMPDIR"), ("keep_models", "best")])
def test_what_would_lose_a_start_is_refused(key, value):
    study_of({}, **{key: value})
    with pytest.raises(UserError, match=rf"{key}: .*methods.a .*\nhint: "):
        study_of({"a": FULL | {"from": "full"}}, **{key: value})


def test_a_kind_may_refuse_to_be_a_start_and_may_read_further_models(monkeypatch):
    lora = KINDS["lora"]
    changed = type(lora)(**vars(lora) | {"no_start": "nothing of it moves\nhint: kind: full"})
    monkeypatch.setitem(KINDS, "lora", changed)
    with pytest.raises(UserError, match=r"methods.a.from: no training starts from .* kind lora: nothing of it moves"):
        study_of({"sft": LORA, "a": FULL | {"from": "sft"}})

    def reads(given):
        return [Reference("of", "full", ("nursery-sentiment", OTHER))]

    monkeypatch.setitem(KINDS, "lora", type(lora)(**vars(lora) | {"reads": reads}))
    study = study_of({"fused": LORA})
    assert cells_read(study, cell("fused")) == {"of": [cell("full"), cell("full", OTHER)]}
    assert start_of(study, cell("fused")) is None and is_read_by_another(study, cell("full", OTHER))
    monkeypatch.setitem(
        KINDS, "lora", type(lora)(**vars(lora) | {"reads": lambda given: [Reference("of", "none", (OTHER,))]})
    )
    with pytest.raises(UserError, match=r"methods.fused.of: unknown method 'none'"):
        study_of({"fused": LORA})

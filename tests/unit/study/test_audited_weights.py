"""Which checkpoints of a study the audit compares by their weights, and what it says of them."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from compared_weights import files
from nursery import tuned_nursery

from ripeness.audit.weights import same_weights
from ripeness.study.annealed_twins import is_twin
from ripeness.study.load import load_study
from ripeness.study.same_weights import partly, same
from ripeness.workflow.lookups import audit as audit_lookups
from ripeness.workflow.lookups import fetch
from ripeness.workflow.lookups.audit import audit_plan, audited_checkpoints

TASKS = Path(__file__).parents[3] / "tasks"


def test_of_files_all_or_some_may_be_the_same_and_each_group_is_said_once():
    records = {
        "step0": files("a", "b", "c"), "step1": files("c", "b", "a"), "step2": files("d", "e", "f"),
        "step3": files("a", "h", "i"), "main": files("a", "b", "c"), "none": files(),
    }  # fmt: skip
    (equal,), (shared,) = same(records), partly(records)
    assert equal.owners == ("step0", "step1", "main")
    assert set(shared.owners) == {"step0", "step1", "main", "step3"} and (shared.n_shared, shared.n_parts) == (1, 3)
    # what is known in different ways is not compared
    assert same({"a": files("x"), "b": {"kind": "tensors", "parts": ["x"], "rest": []}}) == []


def plan_of(**series):
    config = tuned_nursery()
    given = {name: {"pretrain": config["series"]["nursery"]["pretrain"] | recipe, "checkpoints": lines}
             for name, (recipe, lines) in series.items()}  # fmt: skip
    suites = {name: suite for name, suite in config["suites"].items() if "texts" not in suite}
    return json.loads(audit_plan(load_study(config | {"series": given, "texts": {}, "suites": suites}, TASKS)))


WSD = {"schedule": "wsd", "end_step": 512, "decay_steps": 128}


@pytest.mark.parametrize(
    ("series", "words"),
    [
        ({"a": ({}, [{"step": 64}, {"step": 64, "name": "again"}])}, "step64 and again have the same weights"),
        ({"a": ({}, [{"step": 64}, {"step": 128}])}, None),
        # a run under two names counts twice; with another seed it is another run
        ({"a": ({}, [{"step": 64}]), "b": ({}, [{"step": 64}])}, "one run counts twice"),
        ({"a": ({}, [{"step": 64}]), "b": ({"seed": 7}, [{"step": 64}])}, None),
        ({"a": ({}, [{"step": 0}]), "b": (WSD, [{"step": 0}])}, None),
        (
            {"a": ({}, [{"step": 64}, {"step": 128}]), "b": (WSD, [{"step": 64}, {"step": 128}, {"step": 512}])},
            "step64 and step128 of a have the weights of those in b",
        ),
        # docs/decay.md: the end of a wsd run is an annealed branch of a constant one
        (
            {"a": ({}, [{"anneal_from": 384, "steps": 128}]), "b": (WSD, [{"step": 512}])},
            "one run counts twice",
        ),
        ({"a": (WSD, [{"step": 512}, {"anneal_from": 384, "steps": 128, "name": "branch"}])}, "have the same weights"),
    ],
)
def test_of_what_is_pretrained_here_the_plan_knows_which_weights_will_be_the_same(series, words):
    found = [row.seen for row in same_weights(plan_of(**series))]
    assert len(found) == (words is not None) and all(words in seen for seen in found), found


def test_the_hub_is_asked_of_what_lies_there_before_the_audit_and_of_nothing_else():
    lines = [{"step": 0}, {"step": 1}, {"path": "models/a", "step": 5, "tokens": 10_485_760, "name": "mine"}]
    config = tuned_nursery() | {"texts": {}, "suites": {"own": {"datasets": "own", "formats": "trained"}}}
    study = load_study(config | {"series": {"pythia": {"from": "pythia-70m", "checkpoints": lines}}}, TASKS)
    sources = json.loads(audit_lookups.listed_sources(study))["pythia"]
    assert sources["step0"] == {"repo": "EleutherAI/pythia-70m", "revision": "step0", "commit": None}
    assert set(sources) == {"step0", "step1"}
    plan = json.loads(audit_lookups.listed_plan(study))
    assert [point["tokens"] for point in plan["series"]["pythia"]["checkpoints"]] == [0, 2_097_152]
    assert plan["weights"]["pythia"]["known"][0]["names"] == ["step0", "step1"]
    assert audited_checkpoints(study)[0] == "results/nursery/audit/weights.json"
    disk = load_study(config | {"series": {"mine": {"checkpoints": lines[2:]}}}, TASKS)
    assert json.loads(audit_lookups.listed_sources(disk)) == {}
    assert audited_checkpoints(disk) == ["results/nursery/checkpoints/mine/mine"]
    # a known case is named in the remark
    for name in sources:
        plan["weights"]["pythia"]["checkpoints"][name] = files("x")
    (row,) = same_weights(plan)
    assert row.severity == "fatal" and "known: https://github.com/EleutherAI/pythia/issues/83" in row.seen


def test_weights_made_here_are_compared_when_they_are_there_unless_that_is_meant():
    place = SimpleNamespace(series="nursery")
    config = tuned_nursery()
    assert fetch.compare_option(load_study(config, TASKS), place) == "--compare-weights"
    meant = load_study(config | {"audit": {"acknowledge": {"same-weights": "a test"}}}, TASKS)
    assert fetch.compare_option(meant, place) == ""
    assert not any(is_twin(entry) for entry in meant.checkpoints["nursery"].values())

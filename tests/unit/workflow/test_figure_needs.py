"""Which studies have which figures."""

import copy

from nursery import ROOT, tuned_nursery

from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml
from ripeness.workflow.lookups.analyse import figures_of, has_several_ways

FULL = {"kind": "full", "learning_rate": 1e-3, "epochs": 1, "batch_size": 8}


def study_of(**methods):
    config = copy.deepcopy(tuned_nursery()) | {"methods": {"base": {"shots": [0]}} | methods}
    return load_study(config, ROOT / "tasks")


def test_a_front_needs_two_ways_that_start_alike_and_learn_the_same():
    lora = FULL | {"kind": "lora", "rank": 4, "alpha": 8}
    assert has_several_ways(study_of(full=FULL, lora=lora))
    assert not has_several_ways(study_of(full=FULL))
    assert not has_several_ways(study_of(full=FULL, few=FULL | {"examples": [8, 16]}))
    assert not has_several_ways(study_of(full=FULL, after=lora | {"from": "full"}))
    labels = {"kind": "features", "datasets": ["nursery-sentiment"]}
    assert not has_several_ways(study_of(full=FULL, known=labels))


def test_the_embedded_study_and_that_of_ways_have_a_front_and_that_of_real_text_has_none():
    has_front = {
        name: "pareto-front" in figures_of(load_study(read_yaml(ROOT / name), ROOT / "tasks"))
        for name in ("config.yaml", "studies/methods.yaml", "studies/real-text.yaml")
    }
    assert has_front == {"config.yaml": True, "studies/methods.yaml": True, "studies/real-text.yaml": False}

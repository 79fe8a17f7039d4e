"""The table of metrics: what follows from it is there, and nothing contradicts."""

import pytest

from ripeness.measure.metrics import SCORERS, score_choice, score_generation
from ripeness.study.scoring.metrics import KINDS, METRICS, metrics_of, primary_metrics
from ripeness.tables.columns import ITEM_SCORES


def test_every_name_means_one_metric():
    names = [name for metric in METRICS for name in (metric.name, *metric.other_names)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_a_mean_over_items_or_a_ratio_of_sums(metric):
    assert (metric.column is None) == (metric.of_item is None) == (metric.ratio is not None)
    assert metric.kinds and set(metric.primary_of) <= set(metric.kinds) <= set(KINDS)
    assert metric.better or not metric.primary_of
    assert metric.lowest < metric.highest
    assert metric.column is None or metric.column in ITEM_SCORES


def test_the_usual_primary_metric_of_each_kind():
    assert {kind: primary_metrics(kind) for kind in KINDS} == {
        "choice": ["accuracy"],
        "preference": ["preferred"],
        "generation": ["rouge_l", "exact_match"],
        "text": ["bits_per_byte"],
    }


def test_scored_items_have_a_column_for_every_metric_that_is_a_mean():
    scored = {
        "choice": score_choice({"choices": [" a", " b"], "logps": [-1.0, -2.0], "gold": 0}),
        "preference": SCORERS["preference"]({"choices": [" a", " b"], "logps": [-1.0, -2.0], "gold": 0}),
        "generation": score_generation({"target": "a", "text": "a"}),
    }
    for kind, row in scored.items():
        assert {metric.column for metric in metrics_of(kind) if metric.column} <= row.keys()

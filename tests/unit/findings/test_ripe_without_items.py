"""The checkpoint to tune by published numbers: named with how sure that is, and with what the tables lack."""

import numpy as np
import pytest

from ripeness.findings.finding import Settings
from ripeness.findings.ripe import ALL, as_entry
from ripeness.findings.ripe_without_items import LACKS, published_answers
from ripeness.tables.columns import MEASUREMENTS, OTHER_DATASET, OWN_DATASET, conform

HUMP = (0.3, 0.42, 0.55, 0.66, 0.7, 0.78, 0.72, 0.6, 0.48, 0.35)


def rows(values, *, dataset="mood", series="one", probe=None, se=None, seed=None, method="full", suite=OWN_DATASET):
    place = {"phase": "stable", "pretraining_seed": 0, "method": method, "dataset": dataset, "seed": seed, "se": se}
    asked = {"probe": probe or dataset, "probe_kind": "choice", "probe_format": "default", "format": "default"}
    asked |= {"shots": 4, "split": "test", "suite": suite, "metric": "accuracy", "is_primary": True, "series": series}
    return [
        place | asked | {"checkpoint": f"step{k}", "step": k, "tokens": 2**k * 1000, "value": float(value)}
        for k, value in enumerate(values, 1)
    ]


def answered(*parts, **settings):
    table = conform([row for part in parts for row in part], MEASUREMENTS).with_columns(is_chosen=True)
    return published_answers(table, Settings(**settings))


def test_the_top_of_a_hump_is_named_with_what_the_last_one_costs():
    (found,) = answered(rows(HUMP))
    assert found.checkpoint == "step6" and set(found.may_be_best) < {f"step{k}" for k in range(1, 11)}
    assert 0 < found.low < found.last_is_worse_by == pytest.approx(0.43) and found.high < 0.6
    assert found.statement.startswith("For mood: tune step 6 (64k tokens), which has the highest published score.")
    assert found.statement.endswith("worse on these numbers.") and found.lacks == LACKS


def test_the_entry_says_what_is_lacking():
    entry = as_entry(answered(rows(HUMP)), Settings())
    assert entry["verdict"] == "answered" and entry["statement"].endswith(LACKS)


def test_noise_tells_no_checkpoint_from_another():
    found = [answered(rows(0.5 + 0.02 * np.random.default_rng(k).normal(size=10)))[0] for k in range(20)]
    told = [one for one in found if one.low is not None and one.low > 0]
    assert len(told) <= 3 and np.mean([len(one.may_be_best) for one in found]) > 7
    assert any("no checkpoint can be distinguished from another" in one.statement for one in found)


def test_standard_errors_that_are_larger_than_the_scatter_count():
    exact, vague = (answered(rows(HUMP, se=se))[0] for se in (0.001, 0.2))
    assert len(vague.may_be_best) > len(exact.may_be_best) and vague.low < 0 < exact.low


def test_few_checkpoints_tell_nothing_and_the_highest_is_named():
    (found,) = answered(rows(HUMP[:5]))
    assert found.checkpoint == "step5" and len(found.may_be_best) == 5 and found.low is None
    assert "with 5 checkpoints and no items (at least 6) it cannot be distinguished from the others" in found.statement


def test_the_last_one_may_be_the_best():
    (found,) = answered(rows(HUMP[:6]))
    assert found.checkpoint == found.last == "step6" and found.statement.endswith("Step 6 is the last checkpoint.")
    assert found.last_is_worse_by == 0 and found.low is None


def test_datasets_together_come_first_by_their_weights_at_checkpoints_that_all_have():
    early, late = rows(HUMP), rows(HUMP[::-1], dataset="verbs")
    assert [one.dataset for one in answered(early, late)] == [ALL, "mood", "verbs"]
    assert answered(early, late, weights={"mood": 9.0})[0].checkpoint == "step6"
    without = [row for row in late if row["checkpoint"] != "step6"]
    assert answered(early, without, weights={"mood": 9.0})[0].checkpoint == "step7"


def test_probes_seeds_and_series_are_kept_apart_or_averaged():
    two_seeds = answered(rows(HUMP, seed=1), rows(np.add(HUMP, 0.1), seed=2))
    assert two_seeds[0].checkpoint == "step6" and len(two_seeds) == 1
    probes = answered(rows(HUMP, probe="a"), rows(HUMP[:8], probe="b"))
    assert len(probes) == 1 and probes[0].last == "step8"  # where both were measured
    other = rows(HUMP[::-1], suite=OTHER_DATASET, probe="elsewhere")  # not what was tuned on
    assert [one.checkpoint for one in answered(rows(HUMP), other)] == ["step6"]
    assert [one.series for one in answered(rows(HUMP), rows(HUMP, series="two"))] == ["one", "two"]
    assert answered(rows(HUMP, method="base")) == []

"""The answer: chosen on validation items, judged on test items, and said in words."""

import numpy as np
import polars as pl
import pytest

from ripeness.findings.finding import Settings
from ripeness.findings.ripe import ALL, as_entry, ripe_answers

STEPS = (64, 512, 1024, 2048)
SPLITS = {"validation": 100, "test": 300}


def table(level, *, dataset="mood", seeds=(1, 2, 3), series="one", splits=SPLITS, formats=("a", "b"), seed=0):
    """Items of models tuned at four checkpoints, right with probability `level` [checkpoints] in each split."""
    rng, rows = np.random.default_rng(seed), []
    for split, n_items in splits.items():
        hardness = rng.normal(0, 0.15, n_items)
        for step, right in zip(STEPS, level[split] if isinstance(level, dict) else level, strict=True):
            for training_seed in seeds:
                for format_ in formats:
                    said = rng.random(n_items) < right + hardness
                    rows += [
                        {
                            "series": series,
                            "checkpoint": f"step{step}",
                            "step": step,
                            "tokens": step * 1000,
                            "method": "full",
                            "dataset": dataset,
                            "probe": dataset,
                            "probe_kind": "choice",
                            "format": format_,
                            "probe_format": format_,
                            "shots": 0,
                            "seed": training_seed,
                            "split": split,
                            "suite": "validation" if split == "validation" else "own",
                            "item": f"{split}{number}",
                            "score": float(value),
                            "is_chosen": True,
                        }
                        for number, value in enumerate(said)
                    ]
    return pl.LazyFrame(rows)


def only(tables, settings=None):
    (found,) = ripe_answers(tables, settings or Settings())
    return found


def test_a_hump_is_found_with_its_neighbours_and_the_last_one_costs_something():
    found = only([table([0.3, 0.8, 0.8, 0.5])])
    assert found.checkpoint in ("step512", "step1024")
    assert set(found.may_be_best) == {"step512", "step1024"}
    assert 0.2 < found.low < found.last_is_worse_by < found.high < 0.4
    assert (found.n_seeds, found.n_items, found.last) == (3, 300, "step2048")
    other = ({"step512", "step1024"} - {found.checkpoint}).pop()
    assert f"Not distinguishable from it: step {int(other[4:]):,}." in found.statement
    assert found.statement.startswith(f"For mood: tune step {int(found.checkpoint[4:]):,} (")
    assert found.statement.endswith("] worse.")


def test_where_nothing_differs_that_is_the_sentence():
    found = only([table([0.5, 0.5, 0.5, 0.5])])
    assert len(found.may_be_best) == 4
    assert found.statement.startswith("For mood: no checkpoint can be distinguished from another; step ")


def test_equal_scores_are_called_equal():
    found = only([table([1.5, 1.5, 1.5, 1.5])])  # every answer is right
    assert found.checkpoint == "step64"
    assert found.statement == (
        "For mood: no checkpoint can be distinguished from another; step 64 (64k tokens) is the first of the 4 that "
        "scored best on validation items. The last checkpoint scores the same (difference 0.0 points [-0.9, 0.9])."
    )


def test_test_items_do_not_choose():
    level = {"validation": [0.9, 0.5, 0.5, 0.5], "test": [0.5, 0.5, 0.5, 0.9]}
    found = only([table(level)])
    assert found.checkpoint == "step64" and found.may_be_best == ("step2048",)
    assert "On test items another one is better: step 2,048." in found.statement
    assert found.last_is_worse_by < 0 and found.statement.endswith("] better.")


def test_one_training_seed_tells_nothing():
    found = only([table([0.2, 0.9, 0.5, 0.5], seeds=(1,))])
    assert found.checkpoint == "step512" and len(found.may_be_best) == 4 and found.low is None
    assert "with one training seed it cannot be distinguished from the others" in found.statement


def test_without_validation_items_nothing_is_chosen():
    found = only([table([0.5, 0.5, 0.5, 0.5], splits={"test": 50})])
    assert found.checkpoint is None and "no validation items were measured" in found.statement


def test_datasets_together_come_first_and_count_by_their_weights():
    tables = [table([0.9, 0.5, 0.5, 0.5], dataset="early"), table([0.5, 0.5, 0.5, 0.9], dataset="late", seed=1)]
    names = [one.dataset for one in ripe_answers(tables, Settings())]
    assert names == [ALL, "early", "late"]
    for weights, best in [({"early": 9.0}, "step64"), ({"late": 9.0}, "step2048")]:
        together = ripe_answers(tables, Settings(weights=weights))[0]
        assert together.checkpoint == best
    entry = as_entry(ripe_answers(tables, Settings()), Settings())
    assert entry["id"] == "ripe" and entry["verdict"] == "answered" and len(entry["answers"]) == 3
    assert entry["statement"] == entry["answers"][0]["statement"]


def test_several_series_are_answered_apart():
    tables = [table([0.9, 0.5, 0.5, 0.5]), table([0.5, 0.5, 0.5, 0.9], series="two", seed=1)]
    assert [(one.series, one.checkpoint) for one in ripe_answers(tables, Settings())] == [
        ("one", "step64"),
        ("two", "step2048"),
    ]
    statement = as_entry(ripe_answers(tables, Settings()), Settings())["statement"]
    assert statement.startswith("one: For mood: tune") and " two: For mood: tune" in statement


def test_a_model_that_failed_in_one_format_is_left_out_with_its_seed():
    frame = table([0.3, 0.8, 0.5, 0.5])
    failed = (pl.col("checkpoint") == "step512") & (pl.col("seed") == 1) & (pl.col("format") == "a")
    found = only([frame.filter(~failed)])
    assert found.checkpoint == "step512" and found.n_seeds == 2


@pytest.mark.parametrize("column", ["is_chosen", "dataset", "probe_format"])
def test_only_chosen_models_on_their_own_dataset_in_their_own_format_count(column):
    other = {"is_chosen": False, "dataset": "another", "probe_format": "x"}[column]
    frame = table([0.9, 0.5, 0.5, 0.5])
    wrong = table([0.1, 0.5, 0.5, 0.9], seed=1).with_columns(pl.lit(other).alias(column))
    assert only([frame, wrong]) == only([frame])


@pytest.mark.release
def test_the_best_checkpoint_is_in_the_set_as_often_as_is_said():
    held = []
    for seed in range(200):
        found = only([table([0.6, 0.64, 0.62, 0.55], seed=seed)], Settings())
        held.append("step512" in found.may_be_best)
    assert np.mean(held) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)

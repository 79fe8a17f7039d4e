"""Item scores read from tables, in any order and number of files, and the folds of items."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from planted import AMURO, FAST, QUICK, as_items, found, simulate

from ripeness.findings.pairs import folds, strata_of
from ripeness.findings.scores import Scores, Wanted, read_scores


def test_what_sorts_and_what_measures_share_no_item():
    for fold in (cut := folds(simulate(AMURO, 0), "classes", FAST)):
        assert not (fold.choose & fold.measure).any()
    assert np.array_equal(sum(fold.measure.astype(int) for fold in cut), np.ones(AMURO.n_items))


def test_validation_items_sort_where_they_were_measured():
    test, validation = simulate(AMURO, 0), simulate(AMURO, 1)
    blocks = test.blocks | {(probe, "validation"): one for (probe, _), one in validation.blocks.items()}
    (fold,) = folds(Scores(test.checkpoints, blocks), "classes", FAST)
    assert fold.split == "validation"
    assert fold.measure.all()
    assert found(AMURO, Scores(test.checkpoints, blocks))["gain-by-learning"].verdict == "supported"


def test_items_are_redrawn_within_gold_answers_unless_they_come_in_clusters():
    one = simulate(AMURO, 0).blocks["classes", "test"]
    assert np.array_equal(strata_of(one), one.gold)
    assert not strata_of(replace(one, clusters=one.clusters // 2)).any()
    assert not strata_of(replace(one, gold=np.arange(AMURO.n_items))).any()


def read(items: pl.DataFrame, folder: Path, by: list[str]) -> Scores:
    """Read a table of items that is cut into files by some columns."""
    (folder / "matrices").mkdir(parents=True)
    for number, part in enumerate(items.partition_by(by) if by else [items]):
        part.write_parquet(folder / f"{number}.parquet")
    return read_scores([folder], Wanted(), folder / "matrices")


@pytest.mark.parametrize("by", [[], ["checkpoint"], ["seed", "probe"]], ids=["whole", "by checkpoint", "by cell"])
def test_tables_of_items_give_the_same_scores_in_any_order_and_in_any_number_of_files(by, tmp_path):
    scores = simulate(replace(AMURO, n_items=8), 0)
    read_back = read(as_items(scores).sample(fraction=1.0, shuffle=True, seed=1), tmp_path, by)
    assert read_back.blocks.keys() == scores.blocks.keys()
    for key, block_ in read_back.blocks.items():
        place = {row: index for index, row in enumerate(scores.blocks[key].rows)}
        assert sorted(place) == block_.rows
        everything = block_.values[list(range(len(place)))]
        assert np.array_equal(everything, scores.blocks[key].values[[place[row] for row in block_.rows]])
        assert np.array_equal(block_.gold, scores.blocks[key].gold)
    assert read_back.checkpoints == scores.checkpoints


def test_an_item_that_was_not_asked_is_not_a_number_and_rates_are_averaged(tmp_path):
    items = as_items(simulate(replace(AMURO, n_items=4), 0))
    lost = (pl.col("checkpoint") == "step3") & (pl.col("item") == "classes-001")
    other = items.filter(method="full", probe="classes").with_columns(learning_rate=1.0, score=1.0)
    scores = read(pl.concat([items.filter(~lost), other.filter(~lost)]), tmp_path, ["checkpoint"])
    block_ = scores.blocks["classes", "test"]
    values = block_.values[list(range(len(block_.rows)))]
    assert [row.checkpoint == "step3" for row in block_.rows] == np.isnan(values[:, 1]).tolist()
    assert not np.isnan(values[:, [0, 2, 3]]).any()
    assert set(np.unique(values[[row.method == "full" for row in block_.rows]][:, 0])) <= {0.5, 1.0}
    assert scores.n_learning_rates == 2


def test_a_table_without_choices_and_texts_gives_no_scores(tmp_path):
    scores = read(as_items(simulate(replace(AMURO, n_items=4), 0)).head(0), tmp_path, [])
    assert (scores.checkpoints, scores.blocks) == ({}, {})


def test_findings_from_files_are_those_from_memory(tmp_path):
    world = replace(AMURO, n_items=24, n_seeds=3)
    scores = simulate(world, 0)
    here, there = found(world, scores, QUICK), found(world, read(as_items(scores), tmp_path, ["checkpoint"]), QUICK)
    for name, finding in here.items():
        assert there[name].statement == finding.statement
        assert there[name].caveats == finding.caveats
        assert [there[name].low, there[name].high] == pytest.approx([finding.low, finding.high], abs=1e-9)


def test_checkpoints_of_the_same_step_are_always_in_the_same_order(tmp_path):
    items = as_items(simulate(replace(AMURO, n_items=4), 0)).filter(checkpoint="step3")
    names = ["step3", "step3-annealed", "step3-b"]
    items = pl.concat([items.with_columns(checkpoint=pl.lit(name)) for name in names[::-1]])
    assert [point.checkpoint for point in read(items, tmp_path, []).checkpoints["run"]] == names


def test_findings_warn_of_tuned_models_that_say_the_same_to_every_item(tmp_path):
    """Their gains are those of a fixed answer; a note of the audit alone is overlooked."""
    world = replace(AMURO, n_items=40)
    items = as_items(simulate(world, 0)).with_columns(prediction=pl.col("item"))
    is_alike = pl.col("method").eq("full") & pl.col("seed").eq(1) & pl.col("probe").eq("classes")
    said = pl.when(is_alike).then(pl.lit("yes")).otherwise(pl.col("item"))
    got = found(world, read(items.with_columns(prediction=said), tmp_path / "alike", ["checkpoint"]))
    for name in ("gain-by-learning", "format-spread", "transfer-between-types", "transfer-within-type"):
        (caveat,) = [caveat for caveat in got[name].caveats if "all answers are the same" in caveat]
        assert caveat.startswith("Warning: in ") and "(classes)" in caveat, name
    # an item that is answered otherwise, or an untouched model, is none
    nearly = pl.when(is_alike & (pl.col("item") != "classes-003")).then(pl.lit("yes")).otherwise(pl.col("item"))
    for number, other in enumerate([nearly, pl.when(method="base").then(pl.lit("yes")).otherwise(pl.col("item"))]):
        got = found(world, read(items.with_columns(prediction=other), tmp_path / str(number), ["checkpoint"]))
        assert not [caveat for one in got.values() for caveat in one.caveats if "all answers are the same" in caveat]

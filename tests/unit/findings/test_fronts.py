"""The front of gain against loss, on studies whose truth is planted."""

from itertools import product

import numpy as np
import polars as pl
import pytest

from ripeness.figures.register import BY_ID
from ripeness.findings.finding import Settings
from ripeness.findings.fronts import fronts
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import CELLS, IS_CHOSEN, ITEM_SCORES, MEASUREMENTS, conform

QUICK = Settings(draws=200)
SIZES = {"full": 1000, "lora": 50, "prefix": 5}
# way: score gained, nats a token lost
CLEAR = {"full": (0.4, 0.5), "lora": (0.2, 0.1), "prefix": (0.05, 0.6)}


def study(ways, *, seeds=3, n_items=200, n_texts=60, seed_sd=0.0, formats=("default",), seed=0, points=("step0",)):
    """Draw items: an untouched model is right on half of them, and loses 2 nats on each token of a passage."""
    rng = np.random.default_rng(seed)
    rows, cells = [], []
    difficulty = rng.random(n_items)
    for k, point in enumerate(points):
        place = {"study": "drawn", "series": "run", "checkpoint": point, "step": k, "tokens": 1000 * (k + 1)}
        place |= {"phase": "stable", "pretraining_seed": 0, "shots": 0, "split": "test", "is_chosen": True}
        asked = {"suite": "own", "probe": "quiz", "probe_kind": "choice", "dataset": "quiz"}
        for form in formats:
            base = place | asked | {"method": "base", "seed": 0, "format": form, "probe_format": form}
            rows += [base | {"item": f"q{i}", "score": float(d < 0.5)} for i, d in enumerate(difficulty)]
        read = place | {"suite": "text", "probe": "prose", "probe_kind": "text", "probe_format": "text"}
        base = {"method": "base", "seed": 0, "dataset": "prose", "format": "text"}
        lengths = [10 + i % 7 for i in range(n_texts)]
        rows += [read | base | passage(i, 2.0, n) for i, n in enumerate(lengths)]
        for (way, (gain, lost)), seed_, form in product(ways.items(), range(seeds), formats):
            moved = seed_sd * rng.standard_normal()
            cell = {"method": way, "seed": seed_, "format": form, "dataset": "quiz", "learning_rate": 1e-3}
            own = place | asked | cell | {"probe_format": form}
            rows += [own | {"item": f"q{i}", "score": float(d < 0.5 + gain + moved)} for i, d in enumerate(difficulty)]
            rows += [read | cell | passage(i, 2.0 + lost, n) for i, n in enumerate(lengths)]
            facts = {"kind": "full", "trainable_parameters": SIZES.get(way, 7), "status": "done"}
            cells.append({key: value for key, value in (place | cell | facts).items() if key in CELLS | IS_CHOSEN})
    tables = {"cells": conform(cells, CELLS | IS_CHOSEN), "measurements": conform([], MEASUREMENTS | IS_CHOSEN)}
    return Tables.of(**tables, items=[conform(rows, ITEM_SCORES | IS_CHOSEN).lazy()])


def passage(number, loss, n_tokens):
    """The loss of a passage; longer ones are harder, so that a mean over passages is not one over tokens."""
    return {"item": f"p{number}", "nll": (loss + 0.01 * number) * n_tokens, "n_tokens": n_tokens}


def changed(tables, change):
    """Change the items of a study."""
    items = change(tables.items[0].collect())
    return Tables.of(cells=tables.cells, measurements=tables.measurements, items=[items.lazy()])


def by_way(tables, settings=QUICK):
    return {row["method"]: row for row in fronts(tables, settings).to_dicts()}


def test_what_is_beaten_in_both_is_never_there_and_what_trades_always_is():
    found = by_way(study(CLEAR))
    assert {name: row["share"] for name, row in found.items()} == {"base": 1, "full": 1, "lora": 1, "prefix": 0}
    assert [name for name, row in found.items() if row["is_on_front"]] == ["base", "full", "lora"]
    assert found["full"]["gain"] == pytest.approx(0.4, abs=0.1) and found["full"]["lost"] == pytest.approx(0.5)
    assert found["full"]["gain_low"] < found["full"]["gain"] < found["full"]["gain_high"]
    swapped = by_way(study(CLEAR | {"prefix": (0.45, 0.05)}))
    assert {name for name, row in swapped.items() if row["is_on_front"]} == {"base", "prefix"}


def test_equal_ways_with_seeds_of_their_own_share_the_front():
    """Each of two equal ways beats the other in half of the cases; where they tie both are there."""
    shares = []
    for number in range(20):
        found = by_way(study({"full": (0.2, 0.2), "lora": (0.2, 0.2)}, seed_sd=0.05, seed=number))
        shares.append([found["full"]["share"], found["lora"]["share"]])
    assert 0.45 < np.mean(shares) < 0.75
    assert np.mean(np.max(shares, axis=1) < 0.99) > 0.4  # which of them is not taken for known


def test_a_way_that_is_worse_than_no_tuning_is_not_there():
    found = by_way(study({"full": (-0.1, 0.3), "lora": (0.3, 0.3)}))
    assert not found["full"]["share"] and found["lora"]["share"] == 1


def test_loss_is_that_of_all_tokens_and_differences_are_paired():
    one = by_way(study({"full": (0.2, 0.25), "lora": (0.1, 0.1)}))["full"]
    assert one["lost"] == pytest.approx(0.25) and one["lost_low"] == pytest.approx(one["lost_high"])


def test_formats_are_averaged_and_a_way_that_lacks_one_or_a_seed_is_left_out():
    whole = study(CLEAR, formats=("default", "io"))
    assert by_way(whole)["full"]["gain"] == pytest.approx(by_way(study(CLEAR))["full"]["gain"], abs=0.1)
    for lost in ({"format": "io"}, {"seed": 2}):
        is_lost = pl.all_horizontal(pl.col(key) == value for key, value in {"method": "full", **lost}.items())
        assert set(by_way(changed(whole, lambda rows, gone=is_lost: rows.filter(~gone)))) == {"base", "lora", "prefix"}
    is_text = (pl.col("method") == "full") & (pl.col("probe_kind") == "text") & (pl.col("seed") == 1)
    broken = [pl.when(is_text).then(value).otherwise("nll").alias("nll") for value in (None, float("nan"))]
    for one in broken:
        assert "full" not in by_way(changed(whole, lambda rows, one=one: rows.with_columns(one)))


def test_ways_with_another_start_and_validation_items_are_not_compared():
    tables = study(CLEAR)
    started = tables.cells.with_columns(start=pl.when(pl.col("method") == "prefix").then(pl.lit("sft")))
    others = Tables.of(cells=started, measurements=tables.measurements, items=tables.items)
    assert "prefix" not in by_way(others)

    def with_validation(rows):
        more = rows.filter(probe_kind="choice").with_columns(split=pl.lit("validation"), score=pl.lit(0.0))
        return pl.concat([rows, more])

    assert by_way(changed(tables, with_validation)) == by_way(tables)


def test_one_way_alone_makes_no_front():
    assert fronts(study({"full": (0.2, 0.2)}), QUICK).is_empty()


def test_the_figure_has_a_panel_for_each_checkpoint_and_the_sizes_of_ways():
    figure, tables = BY_ID["pareto-front"], study(CLEAR, points=("step0", "step1"))
    frame = figure.frame(tables, QUICK)
    assert frame.height == 8 and set(frame["label"]) == {"1k", "2k"}
    sizes = dict(frame.select("method", "trainable_parameters").unique().iter_rows())
    assert sizes == SIZES | {"base": None}
    figure.chart(frame).to_dict(validate=True)
    assert len(figure.says(frame)) > 20
    shuffled = changed(tables, lambda rows: rows.sample(fraction=1, shuffle=True, seed=1))
    assert figure.frame(shuffled, QUICK).equals(frame)

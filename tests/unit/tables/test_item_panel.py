"""An item is shown with its full prompt, the answers of all models, and the log-likelihoods of its options."""

import json

import polars as pl
import pytest
from finished import finished_folder
from synthetic import synthetic_study  # noqa: F401

from ripeness.cli.showing import show
from ripeness.tables.changed_items import changed_items, won_and_lost
from ripeness.tables.columns import IS_CHOSEN, ITEM_SCORES, PREDICTIONS, conform
from ripeness.tables.item_panel import panels

ITEM = "nursery-sentiment-3"
TUNED = {"series": "nursery", "checkpoint": "step488", "dataset": "nursery-sentiment", "format": "io", "method": "full"}


@pytest.fixture(scope="module")
def results(synthetic_study, tmp_path_factory):  # noqa: F811
    """A finished study in which the predictions of one tuned cell are left."""
    folder = finished_folder(tmp_path_factory.mktemp("[2] panel") / "nursery", synthetic_study)
    (folder / "items/nursery-sentiment").mkdir(parents=True)
    rows = [{"id": f"nursery-sentiment-{n}", "fields": {"text": f"t\u2028{n}"}, "target": "yes"} for n in range(40)]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "items/nursery-sentiment/test.jsonl").write_text(lines)
    cell = folder / "cells" / "/".join(TUNED.values()) / "seed1"
    cell.mkdir(parents=True)
    items = pl.read_parquet(folder / "tables/items/nursery/step488.parquet", glob=False).filter(
        **TUNED, seed=1, item=ITEM
    )
    items.drop("is_chosen").write_parquet(cell / "items.parquet")
    names = [name for name in PREDICTIONS if name in items.columns and name in ITEM_SCORES]
    conform(items.select(names).with_columns(logps=pl.lit([-1.25, -0.5])), PREDICTIONS).write_parquet(
        cell / "predictions.parquet"
    )
    return folder


def test_an_item_has_its_prompts_and_each_answer_once(results):
    (panel,) = panels(results, ITEM)
    assert (panel.dataset, panel.right, panel.fields) == ("nursery-sentiment", "yes", {"text": "t\u20283"})
    assert panel.prompts["io"] == {"prompt": "io 3 |\n", "options": [" no", " yes"], "answer": " yes"}
    keys = ["series", "checkpoint", "dataset", "format", "method", "seed", "probe_format", "shots"]
    assert panel.rows.height == panel.rows.select(keys).n_unique()
    untouched = panel.rows.filter(method="base", shots=0, probe_format="io", checkpoint="step488")
    assert untouched.height == 1 and untouched["seed"].to_list() == [None]
    known = panel.rows.filter(pl.col("logps").is_not_null())
    assert set(known.select(*TUNED, "seed").rows()) == {(*TUNED.values(), 1)} and known["logps"][0].to_list() == [
        -1.25,
        -0.5,
    ]
    assert not list(panels(results, "nowhere"))


def test_show_writes_the_prompt_and_both_answers(results):
    said = "\n".join(show(results, ITEM, None))
    assert "prompt in the format io, without shots:\n  | io 3 |\n  | \n  option ' no'\n  right ' yes'" in said
    assert "-1.25 -0.5" in said and "log-likelihoods (nats)" in said
    assert "made by: ripeness run nursery -- " in said and "tables/items/nursery/step488.parquet" in said
    cell = "\n".join(show(results, f"{'/'.join(TUNED.values())}/seed1", None))
    assert "items against the untouched checkpoint, over all seeds:" in cell and "status: done" in cell


def test_items_that_changed_are_paired_and_counted():
    shared = {
        "series": "s", "checkpoint": "c", "probe": "d", "probe_format": "io", "shots": 0, "split": "test",
        "suite": "own", "probe_kind": "choice", "is_chosen": True,
    }  # fmt: skip
    here = shared | {"dataset": "d", "format": "io"}
    base = [
        here | {"method": "base", "seed": 1, "item": f"i{n}", "score": float(n > 1), "logp_gold": 0.0} for n in range(4)
    ]
    tuned = [
        here | {"method": "full", "seed": seed, "item": f"i{n}", "logp_gold": float(n)}
        | {"score": [1.0, float(seed == 1), 0.0, 1.0][n]}
        for n in range(4)
        for seed in (1, 2)
    ]  # fmt: skip
    rows = conform(base + tuned, ITEM_SCORES | IS_CHOSEN).lazy()
    changed = changed_items(rows)
    assert changed.select("item", "change").rows() == [("i2", -1.0), ("i0", 1.0), ("i1", 0.5), ("i3", 0.0)]
    assert won_and_lost(changed).select("won", "lost", "both_right", "both_not_right").rows() == [(2, 1, 1, 0)]

"""The table of ways of tuning: what each trains and stores, and what it costs next to plain tuning."""

import polars as pl

from ripeness.report.methods_table import methods_table
from ripeness.tables.columns import CELLS, conform


def cell(method: str, checkpoint: str, seconds: float | None, **more) -> dict:
    row = {"series": "s", "checkpoint": checkpoint, "dataset": "d", "format": "default", "method": method, "seed": 1}
    row |= {"kind": method, "learns": "answers", "status": "done", "train_seconds": seconds, "steps": 48}
    return row | more


def table(*rows: dict) -> list[dict]:
    return methods_table(conform(list(rows), CELLS))


def test_costs_are_multiples_of_plain_tuning_in_the_same_cells():
    """LoRA was trained at the dear checkpoint alone: against all cells of plain tuning it would look dear."""
    plain = {"trainable_parameters": 1000, "state_bytes": 2_000_000, "peak_bytes": 400}
    small = {"trainable_parameters": 15, "state_bytes": 900, "peak_bytes": 100}
    rows = table(
        cell("full", "a", 1.0, **plain), cell("full", "b", 100.0, **plain), cell("lora", "b", 110.0, **small),
        {"method": "base", "series": "s", "checkpoint": "a", "status": "done"},
    )  # fmt: skip
    full, lora = rows
    assert (full["method"], full["time"], full["share"], full["stored"]) == ("full", "1.00", "100 %", "2.0 MB")
    assert (lora["time"], lora["memory"], lora["share"], lora["stored"]) == ("1.10", "0.25", "1.5 %", "0.9 kB")
    assert lora["trained"] == "15" and lora["start"] == "the checkpoint" and lora["n_cells"] == 1


def test_what_is_not_known_is_a_dash_and_nothing_tuned_is_no_table():
    (row,) = table(cell("lora", "a", None, status="diverged", trainable_parameters=None))
    assert (row["time"], row["memory"], row["trained"], row["stored"], row["share"]) == ("–",) * 5
    assert row["n_diverged"] == 1
    assert table({"method": "base", "series": "s", "checkpoint": "a"}) == []
    assert methods_table(pl.DataFrame(schema=CELLS)) == []


def test_plain_tuning_is_no_map_to_labels_no_dose_and_starts_from_the_checkpoint():
    """A layer over labels next to all weights has the most numbers."""
    full = {"kind": "full", "trainable_parameters": 1000}
    rows = table(
        cell("after", "a", 9.0, **full, start="tuned"),
        cell("classifier", "a", 9.0, kind="head", trainable_parameters=1004),
        cell("dose-n8", "a", 9.0, **full, examples=8, doses_of="dose"),
        cell("text", "a", 9.0, **full | {"learns": "text"}),
        cell("tuned", "a", 1.0, **full),
        cell("unknown", "a", 9.0),
    )
    assert rows[0]["method"] == "tuned" and {row["time"] for row in rows} == {"1.00", "9.00"}
    assert {row["method"]: row["share"] for row in rows}["classifier"] == "100 %"
    (alone,) = table(cell("layer", "a", 1.0, kind="head", trainable_parameters=4))
    assert alone["share"] == "100 %"

"""score: what a cell says of its training, its method, its cost, and of numbers that are missing."""

import json
import math

import polars as pl
import pytest
from scored_cells import RECORD, predictions

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import write_json
from ripeness.tables.columns import CELLS, ITEM_SCORES


def test_the_cell_says_how_its_training_went(scored):
    (row,) = pl.read_parquet(scored("cell", predictions(), RECORD) / "cell.parquet").rows(named=True)
    assert list(row) == list(CELLS)
    assert (row["status"], row["reason"], row["final_loss"]) == ("done", "", 1.25)
    assert (row["tokens"], row["n_tokens"], row["n_examples"]) == (4096, 700, 12)
    assert (row["displacement"], row["relative_displacement"], row["curvature"]) == (0.5, 0.01, None)


COSTS = {"trainable_parameters": 90, "state_bytes": 360, "tokens_seen": 800}


def test_the_cell_says_what_its_method_is_and_what_it_cost(scored, tmp_path):
    method = {"kind": "lora", "learns": "answers", "start": "sft", "examples": 8, "doses_of": "form"}
    method |= {"start_dataset": "tulu", "rewarded_by": "rule and rm"}
    write_json(tmp_path / "usage.json", {"train_s": 2.5, "peak_memory_mb": 3.0, "peak_cuda_mb": 0.0})
    more = ["--method", json.dumps(method), "--training-usage", str(tmp_path / "usage.json")]
    row = pl.read_parquet(scored("cell", predictions(), RECORD | COSTS, more=more) / "cell.parquet").row(0, named=True)
    assert {key: row[key] for key in method} == method and {key: row[key] for key in COSTS} == COSTS
    assert (row["steps"], row["train_seconds"], row["peak_bytes"]) == (len(RECORD["losses"]), 2.5, 3 * 2**20)
    write_json(tmp_path / "usage.json", {"train_s": 2.5, "peak_memory_mb": 3.0, "peak_cuda_mb": 7.0})
    row = pl.read_parquet(scored("gpu", predictions(), RECORD, more=more) / "cell.parquet").row(0, named=True)
    assert row["peak_bytes"] == 7 * 2**20


def test_a_record_of_an_older_version_leaves_costs_empty_but_those_that_it_tells(scored, tmp_path):
    more = ["--training-usage", str(tmp_path / "gone.json")]
    row = pl.read_parquet(scored("cell", predictions(), RECORD, more=more) / "cell.parquet").row(0, named=True)
    assert (row["tokens_seen"], row["steps"]) == (700, len(RECORD["losses"]))
    unknown = ("trainable_parameters", "state_bytes", "train_seconds", "peak_bytes", "kind", "start")
    assert {row[key] for key in unknown} == {None}
    for change in ({"n_replayed": 3}, {"status": "diverged"}):  # of which it is unknown how many tokens were read
        row = pl.read_parquet(scored("odd", [], RECORD | change) / "cell.parquet").row(0, named=True)
        assert row["tokens_seen"] is None
    row = pl.read_parquet(scored("base", predictions(), method="base", learning_rate=None) / "cell.parquet")
    assert row.select("steps", "tokens_seen", "kind", "peak_bytes").row(0) == (None,) * 4


def test_a_method_that_cannot_be_is_refused(scored):
    for said, words in ({"kinds": "full"}, "unknown key 'kinds'\nhint: did"), ({"examples": "8"}, "a whole number"):
        with pytest.raises(UserError, match=words):
            scored("odd", predictions(), RECORD, more=["--method", json.dumps(said)])


def test_the_cell_counts_the_shots_that_were_left_out_and_names_its_precision(scored):
    rows = [row | {"n_dropped_shots": number, "precision": "bf16"} for number, row in enumerate(predictions())]
    row = pl.read_parquet(scored("cell", rows, RECORD) / "cell.parquet").row(0, named=True)
    assert row["n_dropped_shots"] == sum(range(len(rows))) > 0
    assert (row["train_precision"], row["predict_precision"]) == ("fp32", "bf16")


def test_a_cell_without_numbers_has_no_scores_and_says_why(scored, collected_as):
    rows = predictions()
    rows[2]["logps"] = [float("nan"), -19.2]
    rows[6]["nll"] = math.inf
    folder = scored("cell", rows, RECORD)
    found = pl.read_parquet(folder / "measurements.parquet")
    null = found.filter(pl.col("value").is_null())
    assert set(found.filter(probe="film")["metric"]) - set(null["metric"]) == set()
    assert null["se"].null_count() == null.height and null["reason"].null_count() == 0
    assert found.filter(pl.col("value").is_not_null())["reason"].drop_nulls().is_empty()
    assert found["value"].is_nan().sum() == 0
    reason = "1 of 4 items without a number: no finite log-likelihood of 1 of 2 options"
    assert found.filter(metric="accuracy").select("value", "n_items", "reason").row(0) == (None, 4, reason)
    items = pl.read_parquet(folder / "items.parquet")
    assert items["is_correct"].null_count() == items.height and items["rouge_l"][4:6].to_list() == [1.0, 0.5]
    (cell,) = pl.read_parquet(folder / "cell.parquet").rows(named=True)
    assert cell["status"] == "done"
    assert cell["reason"] == (
        f"film (io, 0 shots): {reason}; prose (text, 0 shots): 1 of 1 item without a number: no finite log-likelihood "
        "of the text"
    )
    tables = collected_as(folder)
    assert tables["measurements"].drop("is_chosen").equals(found) and tables["items"].drop("is_chosen").equals(items)


def test_a_training_whose_numbers_are_none_says_so(scored):
    record = RECORD | {"displacement": None, "relative_displacement": float("inf"), "curvature": None}
    (row,) = pl.read_parquet(scored("cell", predictions(), record) / "cell.parquet").rows(named=True)
    assert row["reason"] == "no finite displacement; no finite relative displacement; no finite curvature"
    assert [row[key] for key in ("displacement", "relative_displacement", "curvature")] == [None] * 3
    lost = RECORD | {"status": "diverged", "losses": [2.5, None]}
    (row,) = pl.read_parquet(scored("lost", [], lost) / "cell.parquet").rows(named=True)
    assert row["final_loss"] is None and "to nan in 2 steps" in row["reason"]


def test_an_untouched_checkpoint_is_done_without_training(scored):
    folder = scored("cell", predictions(), method="base", learning_rate=None)
    (row,) = pl.read_parquet(folder / "cell.parquet").rows(named=True)
    assert (row["status"], row["method"], row["n_examples"], row["final_loss"]) == ("done", "base", None, None)


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        ([2.5, 9.0, 80.0], "the loss went from 2.5 to 80 in 3 steps"),
        ([2.5, float("nan")], "the loss went from 2.5 to nan in 2 steps"),
        ([6.2, 5.95], "the loss went from 6.2 to 5.95 in 2 steps, and the model can no longer learn"),
    ],
)
def test_a_diverged_model_has_no_scores_but_a_status_with_a_reason(scored, losses, reason):
    folder = scored("cell", [], RECORD | {"status": "diverged", "losses": losses})
    assert pl.read_parquet(folder / "items.parquet").schema == pl.Schema(ITEM_SCORES)
    assert pl.read_parquet(folder / "items.parquet").height == 0
    assert pl.read_parquet(folder / "measurements.parquet").height == 0
    (row,) = pl.read_parquet(folder / "cell.parquet").rows(named=True)
    assert (row["status"], row["reason"]) == ("diverged", reason)

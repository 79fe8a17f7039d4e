"""Choosing a checkpoint from the results of a study or from published numbers, with constraints."""

import json

import numpy as np
import polars as pl
import pytest
from synthetic_report import TOLD

import choose
from ripeness.runtime.errors import UserError
from ripeness.tables.columns import IS_CHOSEN, ITEM_SCORES, MEASUREMENTS, conform, write_table

STEPS = {64: 0.4, 512: 0.8, 1024: 0.7, 2048: 0.5}  # how often a tuned model is right
FORGOTTEN = {64: 0.0, 512: 0.3, 1024: 0.01, 2048: 0.02}  # nats a token on running text


def identity(step, method, dataset, seed=1):
    return {
        "study": "mine",
        "series": "one",
        "checkpoint": f"step{step}",
        "step": step,
        "tokens": step * 1000,
        "phase": "stable",
        "method": method,
        "dataset": dataset,
        "format": "default",
        "seed": seed,
        "is_chosen": True,
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("results") / "mine", np.random.default_rng(0)
    items, measurements = [], []
    for step, right in STEPS.items():
        probe = {"probe": "mood", "probe_kind": "choice", "probe_format": "default", "shots": 0}
        for seed in (1, 2, 3):
            for split, suite, n in (("validation", "validation", 200), ("test", "own", 300)):
                items += [
                    identity(step, "full", "mood", seed)
                    | probe
                    | {"suite": suite, "split": split, "item": f"{split}{number}", "score": float(value)}
                    for number, value in enumerate(rng.random(n) < right)
                ]
        for method, loss in (("base", 3.0), ("full", 3.0 + FORGOTTEN[step])):
            text = {"probe": "web", "probe_kind": "text", "probe_format": "text", "shots": 0, "split": "test"}
            dataset = "web" if method == "base" else "mood"
            measurements.append(identity(step, method, dataset) | text | {"metric": "loss", "value": loss})
    write_table(
        folder / "tables/items/one/all.parquet", conform(items, ITEM_SCORES | IS_CHOSEN), ITEM_SCORES | IS_CHOSEN
    )
    table = conform(measurements, MEASUREMENTS | IS_CHOSEN)
    write_table(folder / "tables/measurements.parquet", table, MEASUREMENTS | IS_CHOSEN)
    own = {"mine": {"claim": "Tuning helps.", "compare": {"method": "full"}, "metric": "score"}}
    (folder / "provenance.json").write_text(json.dumps({"study": {"findings": {"smallest_effect": 0.02} | own}}))
    return folder


@pytest.mark.parametrize(
    ("options", "checkpoint"),
    [
        ([], "step 512"),
        (["--dataset", "mood", "--forget-at-most", "0.05"], "step 1,024"),
        (["--tokens-at-most", "600000"], "step 512"),
        (["--method", "full"], "step 512"),
    ],
)
def test_the_best_checkpoint_that_meets_the_constraints_is_named(results, capsys, options, checkpoint):
    choose.main([str(results), *options])
    said = capsys.readouterr().out
    assert said.startswith(f"For mood: tune {checkpoint} (") and said.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "rte"], "no model was tuned on rte\nhint: models were tuned on mood"),
        (
            ["--tokens-at-most", "1"],
            "no tuned checkpoint meets this\nhint: tuned checkpoints have 64,000 to 2,048,000 tokens",
        ),
        (["--method", "lora"], "no tuned checkpoint meets this\nhint: models were tuned by full"),
        (
            ["--forget-at-most", "-0.1"],
            "no tuned checkpoint meets this\nhint: tuning adds 0 to 0.3 nats a token at these checkpoints",
        ),
    ],
)
def test_what_cannot_be_met_is_said(results, options, message):
    with pytest.raises(UserError, match=message):
        choose.main([str(results), *options])


def test_the_only_checkpoint_that_meets_the_constraints_is_the_answer(results, capsys):
    choose.main([str(results), "--forget-at-most", "0.005"])
    assert capsys.readouterr().out.startswith("For mood: step 64 is the only tuned checkpoint that meets this")


def test_each_dataset_is_answered_by_what_tuning_on_it_costs(results, tmp_path, capsys):
    folder, other = tmp_path / "mine", pl.lit("other")
    table = pl.read_parquet(results / "tables/measurements.parquet")
    is_tuned = pl.col("method") == "full"
    gentle = table.filter(is_tuned).with_columns(dataset=other, value=pl.lit(2.9))  # tuning on it costs nothing
    items = pl.read_parquet(results / "tables/items/one/all.parquet")
    items = pl.concat([items, items.with_columns(dataset=other, probe=other)])
    write_table(folder / "tables/measurements.parquet", pl.concat([table, gentle]), MEASUREMENTS | IS_CHOSEN)
    write_table(folder / "tables/items/one/all.parquet", items, ITEM_SCORES | IS_CHOSEN)
    (folder / "provenance.json").write_text((results / "provenance.json").read_text())

    def said(*options):
        choose.main([str(folder), *options])
        return capsys.readouterr().out.splitlines()

    together, mood, free = said("--forget-at-most", "0.05")
    assert mood.startswith("For mood: tune step 1,024 (") and free.startswith("For other: tune step 512 (")
    assert together.startswith("For all datasets: tune ")
    assert [mood] == said("--forget-at-most", "0.05", "--dataset", "mood")
    assert [free] == said("--forget-at-most", "0.05", "--dataset", "other")
    assert "last checkpoint within the limits" in said("--tokens-at-most", "600000", "--dataset", "mood")[0]
    _, refused, _ = said("--forget-at-most", "-0.01")
    assert (
        refused == "For mood: no tuned checkpoint meets this: tuning adds 0 to 0.3 nats a token at these checkpoints."
    )


def test_a_tuned_model_without_a_loss_has_not_forgotten_little(results, tmp_path, capsys):
    table = pl.read_parquet(results / "tables/measurements.parquet")
    diverged = table.filter(checkpoint="step1024", method="full").with_columns(seed=pl.lit(2, pl.Int64), value=None)
    folder = tmp_path / "mine"
    (folder / "tables").mkdir(parents=True)
    (folder / "tables/items").symlink_to(results / "tables/items")
    (folder / "provenance.json").write_text((results / "provenance.json").read_text())
    write_table(folder / "tables/measurements.parquet", pl.concat([table, diverged]), MEASUREMENTS | IS_CHOSEN)
    choose.main([str(folder), "--forget-at-most", "0.05"])
    assert capsys.readouterr().out.startswith("For mood: tune step 2,048 (")


def test_forgetting_that_was_not_measured_is_said(results, tmp_path):
    table = pl.read_parquet(results / "tables/measurements.parquet")
    (tmp_path / "tables").mkdir()
    (tmp_path / "provenance.json").write_text((results / "provenance.json").read_text())
    tuned = table.with_columns(probe_kind=pl.lit("choice"))
    write_table(tmp_path / "tables/measurements.parquet", tuned, MEASUREMENTS | IS_CHOSEN)
    with pytest.raises(UserError, match="needs the loss of tuned models on running text, but none was measured\nhint"):
        choose.main([str(tmp_path), "--forget-at-most", "0.05"])


@pytest.fixture
def published(tmp_path):
    """Eight checkpoints whose tuned scores rise and fall, without items."""
    rows = []
    for place, value in enumerate((0.3, 0.4, 0.52, 0.6, 0.71, 0.79, 0.72, 0.6)):
        asked = {"probe": "mood", "probe_kind": "choice", "probe_format": "default", "shots": 0, "split": "test"}
        asked |= {"suite": "own dataset", "metric": "accuracy", "is_primary": True, "value": value}
        rows.append(identity(64 * 2**place, "full", "mood") | asked)
    table = conform(rows, MEASUREMENTS | IS_CHOSEN)
    write_table(tmp_path / "tables/measurements.parquet", table, MEASUREMENTS | IS_CHOSEN)
    (tmp_path / "provenance.json").write_text(json.dumps({"study": {"findings": {}, "published": {}}}))
    return tmp_path


def test_published_numbers_are_answered_with_what_they_lack(published, capsys):
    choose.main([str(published)])
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("For mood: tune step 2,048 (2M tokens), which has the highest published score.")
    assert said[1].startswith("There are no validation items: the checkpoint is chosen and judged on the same numbers.")
    choose.main([str(published), "--tokens-at-most", "600000"])
    said = capsys.readouterr().out
    assert said.startswith(
        "For mood: step 512 (512k tokens) has the highest published score; with 4 checkpoints and no"
    )


def test_a_study_of_models_that_lost_its_items_is_no_published_one(published):
    (published / "provenance.json").write_text(json.dumps({"study": {"findings": {}}}))
    with pytest.raises(UserError, match="there is no .*tables/items"):
        choose.main([str(published)])


def test_indicators_are_printed_where_they_are_known(results, published, capsys):
    with pytest.raises(UserError, match="findings.json"):
        choose.main([str(results), "--indicators"])
    (published / "findings.json").write_text(json.dumps([TOLD]))
    choose.main([str(published), "--indicators"])
    said = capsys.readouterr().out.splitlines()
    assert TOLD["statement"] in said and TOLD["caveats"][0] in said
    assert [line.split()[-1] for line in said[-3:]] == ["0", "known", "100"]
    (published / "findings.json").write_text(json.dumps([TOLD | {"id": "ripe"}]))
    with pytest.raises(UserError, match="has no entry `indicators`\nhint"):
        choose.main([str(published), "--indicators"])

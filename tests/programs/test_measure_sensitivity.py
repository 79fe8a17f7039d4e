"""measure_sensitivity: the loss of a real, small model with noise on its weights, and with rounded weights."""

import json
import math
import shutil
from types import SimpleNamespace

import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM

import collect_sensitivity
import measure_sensitivity
import predict
from ripeness.measure.perturbation import draw_noise, rounded, weights_of
from ripeness.runtime.errors import UserError
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, SENSITIVITY, write_table

PASSAGES = ["the dog ran far away", "a cat sat on the mat " * 12, "yes", "what is it to see"]
SETTINGS = {"noise": {"init": [0.05, 0.5], "relative": [0.5], "absolute": [0.1]}, "seeds": [1, 2], "bits": [8, 3]}


@pytest.fixture(scope="module")
def measure(tmp_path_factory, checkpoint):
    """Give a function that runs the program on two texts and returns its table."""
    folder = tmp_path_factory.mktemp("sensitivity")
    rows = pl.DataFrame({"item": [f"p{n}" for n in range(len(PASSAGES))], "text": PASSAGES})
    rows.write_parquet(folder / "text.parquet")
    (folder / "prose.txt").write_text("a dog sat\n\n\nthe film was long\nand good\n", encoding="utf-8")
    texts = {"heldout": str(folder / "text.parquet"), "prose": str(folder / "prose.txt")}

    def measure(*options, settings=SETTINGS, model=checkpoint):
        output = folder / "table.parquet"
        words = ["--model", str(model), "--texts", json.dumps(texts), "--settings", json.dumps(settings)]
        measure_sensitivity.main([*words, "--output", str(output), *options])
        return pl.read_parquet(output)

    measure.folder = folder
    return measure


@pytest.fixture(scope="module")
def table(measure):
    return measure("--study", "mine")


def losses_of(folder, measure):
    """Loss of every passage as scripts/predict.py has it."""
    probe = {"suite": "a", "probe": "heldout", "kind": "text", "format": "text", "shots": 0}
    probe |= {"examples": str(measure.folder / "text.parquet")}
    output = measure.folder / "predictions.parquet"
    predict.main(["--model", str(folder), "--probes", json.dumps([probe]), "--output", str(output)])
    return pl.read_parquet(output)


def test_every_perturbation_has_a_row_for_every_text(table):
    assert table.schema == pl.Schema(SENSITIVITY)
    assert table.height == 2 * (2 * 4 + 2) and table.filter(probe="heldout").height == 10
    counts = table.group_by("perturbation", "normalisation", "scale", maintain_order=True).len().rows()
    scales = [("init", 0.05), ("init", 0.5), ("relative", 0.5), ("absolute", 0.1)]
    assert counts == [*(("noise", *place, 4) for place in scales), ("rounding", "", 8.0, 2), ("rounding", "", 3.0, 2)]
    assert table.filter(perturbation="rounding")["noise_seed"].null_count() == 4
    identity = {"study": "mine", "series": "tiny", "checkpoint": "step8", "step": 8, "tokens": 4096, "lr": 1e-3}
    identity |= {"phase": "stable", "pretraining_seed": 5}
    assert table.select(list(identity)).unique().rows(named=True) == [identity]
    assert table["dataset"].null_count() == table["curvature"].null_count() == table.height
    assert set(table.select("probe", "n_items").iter_rows()) == {("heldout", 4), ("prose", 2)}


@pytest.mark.parametrize("row", [1, 5, 7, 8])
def test_losses_are_those_that_predict_finds_of_the_perturbed_model(measure, table, checkpoint, tmp_path, row):
    order = ("perturbation", "normalisation", "scale", "noise_seed")
    found = table.filter(probe="heldout").sort(order).row(row, named=True)
    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    weights, seed = weights_of(model), found["noise_seed"]
    noise = draw_noise(weights, seed or 0)
    for name, weight in weights.items():
        if found["perturbation"] == "rounding":
            weight.copy_(rounded(weight, int(found["scale"])) if weight.ndim > 1 else weight)
            continue
        std = {"init": 0.15 if weight.ndim > 1 else 0.0, "relative": weight.square().mean().sqrt(), "absolute": 1.0}
        weight.add_(noise[name] * std[found["normalisation"]] * found["scale"])
    shutil.copytree(checkpoint, tmp_path / "perturbed")
    model.save_pretrained(tmp_path / "perturbed")
    before, after = (losses_of(folder, measure) for folder in (checkpoint, tmp_path / "perturbed"))
    n = before["n_tokens"].sum()
    assert found["n_tokens"] == n
    assert found["base_loss"] == before["nll"].sum() / n
    assert found["loss"] == pytest.approx(after["nll"].sum() / n, abs=1e-5)
    assert found["increase"] == pytest.approx(found["loss"] - found["base_loss"], abs=1e-9)
    assert found["perplexity"] == pytest.approx(math.exp(found["loss"]))
    # the error of a ratio of sums over passages, from the differences of pairs
    rest = after["nll"] - before["nll"] - found["increase"] * before["n_tokens"]
    assert found["se"] == pytest.approx(math.sqrt((rest**2).sum() * 4 / 3) / n, rel=1e-3)


def test_a_perturbation_alone_gives_what_it_gives_among_others(measure, table):
    alone = measure("--study", "mine", settings={"noise": {"relative": [0.5]}, "seeds": [2], "bits": []})
    same = table.filter(normalisation="relative", noise_seed=2)
    assert alone.equals(same)


def test_half_precision_sees_the_noise_too(measure, table):
    half = measure("--precision", "bf16")
    large = (pl.col("scale") >= 0.1) & (pl.col("perturbation") == "noise")
    one, two = (frame.filter(large)["increase"].to_list() for frame in (half, table))
    assert one != two and min(map(abs, one)) > 0
    assert one == pytest.approx(two, abs=0.1, rel=0.1)


def test_a_step_0_scales_the_noise_of_init_only(measure, table, tiny_model):
    tiny_model("llama", seed=3, initializer_range=0.6).save_pretrained(measure.folder / "step0")
    found = measure("--study", "mine", "--start", str(measure.folder / "step0"))
    changed = found.filter(found["loss"] != table["loss"])
    assert set(changed["normalisation"]) == {"init"} and changed.height == 8


def test_a_folder_of_ones_own_needs_no_record(measure, checkpoint):
    own = shutil.copytree(checkpoint, measure.folder / "own", ignore=shutil.ignore_patterns("checkpoint.json"))
    table = measure(settings={"bits": [4], "noise": {}}, model=own)
    assert table.select("study", "series", "checkpoint", "step").row(0) == (
        "by-hand", measure.folder.name, "own", None,
    )  # fmt: skip


# 1e15 leaves NaN; of the others every logit is zero, which would look like guessing evenly
@pytest.mark.parametrize("scale", [1e8, 1e15, 1e30])
def test_noise_that_leaves_no_finite_loss_is_null_with_the_reason(measure, scale):
    found = measure(settings={"noise": {"absolute": [scale, 0.1]}, "seeds": [1], "bits": []})
    lost, kept = found.filter(scale=scale), found.filter(scale=0.1)
    assert lost.select("loss", "increase", "se", "perplexity").null_count().row(0) == (2, 2, 2, 2)
    assert lost["base_loss"].to_list() == kept["base_loss"].to_list() and lost["base_perplexity"].null_count() == 0
    assert lost["reason"].str.contains(r"^[1-4] of [24] passages without a number: no finite loss$").all()
    assert kept["reason"].null_count() == 2 and kept["loss"].null_count() == 0


def test_noise_that_single_precision_cannot_hold_is_refused(measure):
    with pytest.raises(UserError, match=r"noise of scale 1e\+39 has a std of 1e\+39, .*\nhint: "):
        measure(settings={"noise": {"absolute": [1e39]}, "seeds": [1], "bits": []})


def test_a_perplexity_too_large_for_a_number_is_null_with_the_reason(measure):
    passages = SimpleNamespace(n_tokens=[2, 3], items=["a", "b"])
    row = measure_sensitivity.row_of(passages, [2.0, 3.0], [2000.0, 3000.0])
    assert (row["loss"], row["increase"], row["perplexity"]) == (1000.0, 999.0, None)
    assert row["reason"] == "the perplexity is too large for a number"
    none = measure_sensitivity.row_of(passages, [2.0, 3.0], [2.0, math.inf])
    assert (none["loss"], none["increase"], none["se"]) == (None, None, None)
    assert none["reason"].startswith("1 of 2 passages")


def test_a_tuned_model_without_a_loss_is_a_row_with_the_reason(measure, table):
    place = {"series": "tiny", "checkpoint": "step8", "step": 8, "tokens": 4096, "dataset": "film", "format": "io"}
    tuned = place | {"method": "full", "learning_rate": 1.0, "seed": 1}
    text = {"probe": "heldout", "probe_kind": "text", "metric": "loss", "is_chosen": True}
    base = place | text | {"method": "base", "value": 2.0}
    lost = tuned | text | {"value": None, "reason": "1 of 4 items without a number: no finite log-likelihood"}
    tables = {
        "tables": (table, SENSITIVITY),
        "measurements": ([base, lost], MEASUREMENTS | IS_CHOSEN),
        "cells": (
            [{key: tuned[key] for key in tuned if key in CELLS} | {"displacement": 3.0, "is_chosen": True}],
            CELLS | IS_CHOSEN,
        ),
    }
    for name, (rows, schema) in tables.items():
        write_table(measure.folder / f"{name}.parquet", rows, schema)
    words = [word for name in tables for word in (f"--{name}", str(measure.folder / f"{name}.parquet"))]
    collect_sensitivity.main([*words, "--output", str(measure.folder / "all.parquet")])
    (row,) = pl.read_parquet(measure.folder / "all.parquet").filter(perturbation="displacement").rows(named=True)
    assert (row["base_loss"], row["scale"]) == (2.0, 3.0)
    assert [row[name] for name in ("loss", "increase", "perplexity")] == [None] * 3
    assert row["reason"] == lost["reason"]


def test_tables_are_put_together(measure, table):
    path = measure.folder / "one.parquet"
    table.write_parquet(path)
    collect_sensitivity.main(["--tables", str(path), str(path), "--output", str(measure.folder / "all.parquet")])
    assert pl.read_parquet(measure.folder / "all.parquet").equals(pl.concat([table, table]))


def test_what_is_unknown_is_refused(measure):
    for settings, what in ({"seed": [1]}, "'seed'"), ({"noise": {"initial": [1.0]}}, "'initial'"):
        with pytest.raises(UserError, match=rf"unknown {what}; known are .*\nhint: "):
            measure(settings=settings)


def test_help_explains(capsys):
    with pytest.raises(SystemExit):
        measure_sensitivity.main(["--help"])
    said = capsys.readouterr().out
    assert all(word in said for word in ("relative", "--start", "norm gains", "increase"))


def test_one_model_is_loaded_and_left_as_it_was(measure, checkpoint, monkeypatch):
    loaded, load = [], measure_sensitivity.load_model
    monkeypatch.setattr(measure_sensitivity, "load_model", lambda folder: loaded.append(load(folder)) or loaded[-1])
    measure()
    (model,) = loaded
    before = AutoModelForCausalLM.from_pretrained(checkpoint)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True))

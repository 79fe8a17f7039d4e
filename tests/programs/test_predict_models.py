"""predict: models that are tuned, small, diverged, deleted once measured, or without numbers."""

import json
import math
import shutil
from pathlib import Path

import polars as pl
import pytest

import export_model
import predict
import train_model
from ripeness.models.load import load_model
from ripeness.models.tuned_weights import save_model
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import write_json
from ripeness.tables.columns import PREDICTIONS


def test_what_is_no_number_is_null_with_the_reason_in_every_kind_of_probe(predicted, probes, broken, caplog):
    probes = [probes[0] | {"unconditional": "Answer:"}, *probes[1:]]
    with caplog.at_level("WARNING"):
        table = predicted(probes, "--model", str(broken), name="broken")
    assert table["reason"].null_count() == 0
    choices = table.filter(probe_kind="choice")
    assert choices["logps"].to_list() == [[None, None]] * 24
    assert choices["logps_unconditional"][:12].to_list() == [[None, None]] * 12
    assert choices["reason"][0].startswith("no finite log-likelihood of 2 of 2 options; ")
    others = table.filter(pl.col("probe_kind") != "choice")
    assert others["nll"].null_count() == others["text"].null_count() == others.height == 15
    assert "prose: 3 of 3 items without a number: no finite log-likelihood of the text" in caplog.text


@pytest.mark.parametrize("architecture", ["llama", "mamba"])  # options side by side, and one by one
def test_no_kind_of_model_counts_nan_for_an_answer(predicted, probes, tiny_model, tokenizer, tmp_path, architecture):
    model = tiny_model(architecture)
    model.get_output_embeddings().weight.data.fill_(float("nan"))
    model.save_pretrained(tmp_path / "nan")
    tokenizer.save_pretrained(tmp_path / "nan")
    table = predicted(probes, "--model", str(tmp_path / "nan"), name=architecture)
    assert table["reason"].null_count() == 0
    assert table["logps"].explode().drop_nulls().is_empty() and table["text"].drop_nulls().is_empty()


def test_a_diverged_model_is_not_measured(predicted, probes, tmp_path):
    write_json(tmp_path / "record.json", {"status": "diverged"})
    table = predicted(probes, "--training", str(tmp_path / "record.json"))
    assert (table.height, table.schema) == (0, pl.Schema(PREDICTIONS))


def test_a_model_whose_training_is_done_is_measured(predicted, probes, tmp_path):
    write_json(tmp_path / "record.json", {"status": "done"})
    table = predicted(probes[:1], "--training", str(tmp_path / "record.json"))
    assert all(map(math.isfinite, table["logps"].explode()))


@pytest.mark.parametrize("status", ["done", "diverged"])
def test_a_tuned_model_is_deleted_once_it_is_measured(predicted, probes, checkpoint, tmp_path, status):
    save_model(load_model(checkpoint), checkpoint, tuned := tmp_path / "tuned")
    write_json(tmp_path / "record.json", {"status": status})
    predicted(probes[:1], "--model", str(tuned), "--training", str(tmp_path / "record.json"), "--delete-model")
    assert tuned.is_dir() and not list(tuned.iterdir())


def test_a_small_state_is_measured_as_the_model_that_it_stands_for_and_deleted_like_one(
    predicted, probes, checkpoint, examples, tmp_path
):
    small, record = tmp_path / "small", tmp_path / "record.json"
    how = {"kind": "lora", "rank": 4, "alpha": 8, "learning_rate": 1e-2, "epochs": 2, "batch_size": 4, "seed": 1}
    words = ["--checkpoint", str(checkpoint), "--examples", str(examples / "choice" / "train.parquet")]
    train_model.main([*words, "--settings", json.dumps(how), "--output", str(small), "--record", str(record)])
    export_model.main([str(small), str(tmp_path / "whole")])
    found = {
        place: predicted(
            probes, "--model", str(tmp_path / place), "--training", str(record), "--delete-model", name=place
        )
        for place in ("small", "whole")
    }
    assert found["small"].equals(found["whole"])
    assert not found["small"].equals(predicted(probes, name="base"))
    assert small.is_dir() and not list(small.iterdir())


@pytest.mark.parametrize("status", ["done", "diverged"])
def test_a_folder_that_was_not_tuned_here_is_never_deleted(predicted, probes, checkpoint, tmp_path, status):
    """One with links to the files of another, as of a model of which only the weights differ, and with a note."""
    base, tuned = Path(shutil.copytree(checkpoint, tmp_path / "base")), tmp_path / "tuned"
    (base / "notes.txt").write_text("mine")
    tuned.mkdir()
    for path in base.iterdir():
        (tuned / path.name).symlink_to(path)
    write_json(tmp_path / "record.json", {"status": status})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"was not tuned here, and is not deleted\nhint: "):
        predicted(probes[:1], "--model", str(tuned), "--training", str(tmp_path / "record.json"), "--delete-model")
    assert before.items() <= {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}.items()


def test_an_untouched_checkpoint_is_never_deleted(predicted, probes, checkpoint, tmp_path):
    same = Path(shutil.copytree(checkpoint, tmp_path / "same"))
    predicted(probes[:1], "--model", str(same), "--delete-model")
    assert {path.name for path in same.iterdir()} == {path.name for path in checkpoint.iterdir()}


def test_a_model_that_is_not_there_is_refused(probes, tmp_path):
    with pytest.raises(UserError, match=r"there is no .*nowhere\nhint: "):
        predict.main(["--model", str(tmp_path / "nowhere"), "--probes", json.dumps(probes), "--output", "unused"])


@pytest.mark.parametrize("output", ["model/model.safetensors", "model/new.parquet", "probes.json", "open.jsonl"])
def test_an_output_that_is_read_is_refused(checkpoint, tmp_path, output):
    shutil.copytree(checkpoint, tmp_path / "model")
    (tmp_path / "open.jsonl").write_text('{"prompt": "see", "target": " good"}\n')
    probe = {
        "suite": "a",
        "probe": "b",
        "kind": "generation",
        "format": "default",
        "shots": 0,
        "stop": "",
        "max_new_tokens": 2,
    }
    (tmp_path / "probes.json").write_text(json.dumps([probe | {"examples": str(tmp_path / "open.jsonl")}]))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    options = ["--model", str(tmp_path / "model"), "--probes", str(tmp_path / "probes.json")]
    with pytest.raises(UserError, match=r"(overlaps with the input|is not overwritten).*\nhint: give another "):
        predict.main([*options, "--output", str(tmp_path / output)])
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

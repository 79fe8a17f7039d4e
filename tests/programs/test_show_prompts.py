"""show_prompts and record_provenance: what the report quotes."""

import json
from importlib.metadata import version

import polars as pl
import pytest

import record_provenance
import show_prompts
from ripeness.data.rows import write_rows
from ripeness.measure.prompts import draw_shots
from ripeness.runtime.files import read_json


def test_prompts_are_shown_as_the_model_reads_them(tmp_path, checkpoint, examples):
    probe = {"suite": "mine", "probe": "film", "kind": "choice", "format": "io", "shots": 0}
    probe |= {"examples": str(examples / "choice" / "test.parquet")}
    few = probe | {"shots": 2, "shot_examples": str(examples / "choice" / "shots.parquet"), "separator": "\n--\n"}
    words = ["--checkpoint", str(checkpoint), "--probes", json.dumps([probe, few]), "--seed", "3"]
    show_prompts.main([*words, "--output", str(tmp_path / "prompts.json")])
    zero, two = read_json(tmp_path / "prompts.json")
    question = "the film was long\nit is"
    assert (zero["dataset"], zero["format"], zero["shots"]) == ("film", "io", 0)
    assert (zero["prompt"], zero["options"], zero["target"]) == (question, [" good", " bad"], " good")
    shots = draw_shots(pl.read_parquet(examples / "choice" / "shots.parquet").to_dicts(), 2, seed=3)
    assert two["prompt"] == "\n--\n".join([*shots, question])
    assert two["n_tokens"] > zero["n_tokens"] > 0


def test_provenance_names_software_data_checkpoints_and_settings(tmp_path, checkpoint):
    record = {"licence": "CC0-1.0", "source": {"train": "a.jsonl"}}
    write_rows(tmp_path / "film", {"a.jsonl": [{"text": "a"}, {"text": "b"}]}, record)
    words = ["--datasets", str(tmp_path / "film"), "--checkpoints", str(checkpoint)]
    words += ["--config", '{"study": "s"}', "--output", str(tmp_path / "provenance.json")]
    record_provenance.main(words)
    found = read_json(tmp_path / "provenance.json")
    assert found["software"]["torch"] == version("torch")
    assert set(record_provenance.PACKAGES) | {"ripeness", "python", "platform"} <= set(found["software"])
    assert found["datasets"]["film"]["licence"] == "CC0-1.0"
    (file,) = found["datasets"]["film"]["files"]
    digest = read_json(tmp_path / "film" / "provenance.json")["files"][0]["sha256"]
    assert file == f"a.jsonl: 2 rows, sha256 {digest[:16]}"
    facts = {"step": 8, "tokens": 4096, "lr": 1e-3, "phase": "stable", "seed": 5}
    assert found["checkpoints"] == {"tiny step8": facts}
    assert found["study"] == {"study": "s"}


@pytest.mark.parametrize(
    ("name", "source", "licence"),
    [
        ("rte", {"train": "a.jsonl"}, "not stated: files of your own"),
        ("rte", {"hub": "aps/super_glue"}, "CC0-1.0"),
        ("mine", {"train": "a.jsonl"}, "CC0-1.0"),
        ("nursery-mood", {"made": "nursery"}, "CC0-1.0"),
    ],
)
def test_the_licence_of_a_shipped_task_is_not_that_of_files_of_ones_own(name, source, licence):
    assert record_provenance.licence_of(name, {"licence": "CC0-1.0", "source": source}) == licence

"""Every program on every file that it reads, damaged: one error that names the file, and what to do."""

import json
import shutil
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from damaged_inputs import COMMANDS, MOOD, PRETRAINING, ROOT, SIZES, TRAIN, TUNING

import build_corpus
import fetch_checkpoint
import fetch_dataset
import make_dataset
import prepare_items
import pretrain_state
import render_examples
import train_model
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole, write_json
from ripeness.tables.columns import (
    AUDIT,
    CELLS,
    IS_CHOSEN,
    ITEM_SCORES,
    MEASUREMENTS,
    PREDICTIONS,
    SENSITIVITY,
    write_table,
)
from ripeness.tables.examples import read_examples
from ripeness.tables.theory_columns import SIMULATED

MADE = json.dumps({"world": "mood", "seed": 3, "rows": {"train": 8, "validation": 3, "test": 4}})

SCHEMAS = {
    "measurements": MEASUREMENTS | IS_CHOSEN,
    "cells": CELLS | IS_CHOSEN,
    "items": ITEM_SCORES | IS_CHOSEN,
    "predictions": PREDICTIONS,
    "sensitivity": SENSITIVITY,
    "audit": AUDIT,
    "noisy_networks": SIMULATED["noisy_networks"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory, checkpoint):
    """Everything that some program reads, made by the programs or, where its rows do not matter, without any."""
    folder = tmp_path_factory.mktemp("made")
    make_dataset.main(["--source", MADE, "--licence", "CC0-1.0", "--output", f"{folder}/datasets/mood"])
    prepare_items.main(
        ["--rows", f"{folder}/datasets/mood", "--task", MOOD, "--sizes", SIZES, "--output", f"{folder}/items/mood"]
    )
    rendered = f"{folder}/examples/mood/io"
    render_examples.main(["--items", f"{folder}/items/mood", "--task", MOOD, "--format", "io", "--output", rendered])
    source = json.dumps({"series": "tiny", "checkpoint": "a", "path": str(checkpoint)})
    fetch_checkpoint.main(["--source", source, "--accept-loss", "--output", f"{folder}/point"])
    recipe = json.dumps({"world": {"seed": 0}, "vocabulary_size": 512, "n_tokens": 3000, "n_heldout": 5})
    build_corpus.main(["--recipe", recipe, "--output", f"{folder}/corpus"])
    state = ["--settings", PRETRAINING, "--corpus", f"{folder}/corpus", "--until", "1"]
    pretrain_state.main([*state, "--output", f"{folder}/state.safetensors"])
    tuned = ["--output", f"{folder}/tuned", "--record", f"{folder}/training.json"]
    train = ["--checkpoint", f"{folder}/point", "--examples", f"{rendered}/train.parquet"]
    train_model.main([*train, "--settings", json.dumps(TUNING), *tuned])
    adapted = ["--output", f"{folder}/adapted", "--record", f"{folder}/adapting.json"]
    train_model.main([*train, "--settings", json.dumps(TUNING | {"kind": "lora", "rank": 2, "alpha": 4}), *adapted])
    for name, schema in SCHEMAS.items():
        write_table(folder / f"tables/{name}.parquet", [], schema)
    write_table(folder / "cell/measurements.parquet", [], MEASUREMENTS)
    write_table(folder / "cell/cell.parquet", [], CELLS)
    write_table(folder / "cell/items.parquet", [], ITEM_SCORES)
    pl.DataFrame({"item": ["a"], "text": ["the dog ran"]}).write_parquet(folder / "text.parquet")
    with whole(folder / "text") as text:
        text.mkdir()
        (text / "train.txt").write_text("a dog ran far away\n" * 999)
    np.save(folder / "train.npy", np.arange(3000, dtype=np.uint32) % 300)
    write_json(folder / "findings.json", [])
    write_json(folder / "prompts.json", [])
    write_json(folder / "provenance.json", {})
    write_json(folder / "gate.json", [])
    write_json(folder / "task.json", {})
    write_json(folder / "usage/job.json", {"compute_cpu_s": 1, "startup_cpu_s": 1, "wall_s": 1})
    (folder / "point.state").write_bytes((folder / "state.safetensors").read_bytes())
    return folder


DAMAGE = {
    "half": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "another beginning": lambda content: b"\xffNOT" + content[4:],
}

CASES = [
    pytest.param(program, options, file, damage, id=f"{program}-{file}-{damage}".replace("/", "."))
    for program, options, files in COMMANDS
    for file in files
    for damage in DAMAGE
    if (file, damage) != ("usage/job.json", "empty")  # as Snakemake leaves that of a job that failed
]


@cache
def program_of(name):
    """A program as a module; by its file, since a file of tests has the name of one."""
    spec = spec_from_file_location(f"{name}_program", ROOT / f"scripts/{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("program", "options", "file", "damage"), CASES)
def test_a_damaged_input_is_one_error_that_names_it(made, tmp_path, program, options, file, damage):
    path, out = (made / file).resolve(), tmp_path / "out"
    kept = path.read_bytes()
    path.write_bytes(DAMAGE[damage](kept))
    words = [word.replace("{made}", str(made)).replace("{out}", str(out)) for word in options]
    try:
        with pytest.raises(UserError) as error:
            program_of(program).main(words)
    finally:
        path.write_bytes(kept)
    said = str(error.value)
    named = [str(made / file), str((made / file).parent), Path(file).name]
    assert any(name in said.partition("\n")[0] for name in named), said
    assert said.count("\nhint: ") == 1 and not list(tmp_path.iterdir()), said


def test_the_state_of_a_training_is_never_written_over_unread(made, tmp_path):
    """Neither a damaged one nor a file of the user's that happens to have its name."""
    (tmp_path / "record.state").write_text("my own file")
    words = [word.replace("{made}", str(made)) for word in TRAIN]
    with pytest.raises(UserError, match=r"record.state cannot be read: .*\nhint: delete it; the next run"):
        train_model.main(
            [*words, json.dumps(TUNING), "--record", f"{tmp_path}/record.json", "--output", f"{tmp_path}/out"]
        )
    assert (tmp_path / "record.state").read_text() == "my own file"


def test_items_that_are_fewer_than_were_drawn_are_missed(made, tmp_path):
    """Cut at the end of a line, which nothing but the number of lines tells."""
    copy = shutil.copytree(made / "items/mood", tmp_path / "items")
    lines = (copy / "test.jsonl").read_text().splitlines(keepends=True)
    (copy / "test.jsonl").write_text("".join(lines[:2]))
    with pytest.raises(UserError, match=r"test.jsonl cannot be read: .* were written\nhint: "):
        render_examples.main(["--items", str(copy), "--task", MOOD, "--format", "io", "--output", f"{tmp_path}/out"])


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_rows_of_the_users_that_are_nested_without_end_are_one_error(tmp_path, suffix):
    path = tmp_path / f"rows{suffix}"
    path.write_text("[" * 100_000)
    source = json.dumps(dict.fromkeys(("train", "validation", "test"), str(path)))
    with pytest.raises(UserError, match=rf"rows{suffix}:.* not .*\nhint: "):
        fetch_dataset.main(["--source", source, "--licence", "none", "--output", f"{tmp_path}/out"])
    with pytest.raises(UserError, match=r"examples.jsonl:1: not an example .*\nhint: "):
        read_examples(path.rename(tmp_path / "examples.jsonl"))

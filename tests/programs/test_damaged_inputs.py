"""Every program on every file that it reads, damaged: one error that names the file, and what to do."""

import json
import shutil
from dataclasses import asdict
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import polars as pl
import pytest

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
from ripeness.study.tasks import load_task
from ripeness.tables.columns import (
    AUDIT,
    CELLS,
    IS_CHOSEN,
    ITEM_SCORES,
    MEASUREMENTS,
    PREDICTIONS,
    SENSITIVITY,
    read_examples,
    write_table,
)
from ripeness.tables.theory_columns import SIMULATED

ROOT = Path(__file__).parents[2]
MOOD = json.dumps(asdict(load_task("nursery-mood", ROOT / "tasks", overrides={})))
MADE = json.dumps({"world": "mood", "seed": 3, "rows": {"train": 8, "validation": 3, "test": 4}})
SIZES = json.dumps({"train": 6, "validation": 3, "test": 4, "shots": 2, "seed": 0})
PRETRAINING = json.dumps(
    {"architecture": "llama", "hidden_size": 16, "n_layers": 1, "n_heads": 2, "intermediate_size": 32}
    | {"sequence_length": 16, "batch_size": 4, "learning_rate": 0.01, "warmup_steps": 3, "weight_decay": 0.1}
    | {"betas": [0.9, 0.95], "clip": 1.0, "initial_std": 0.1, "embedding_std": 0.5, "seed": 3}
)
TUNING = {"learning_rate": 1e-3, "epochs": 1, "batch_size": 4, "seed": 1}
SCHEMAS = {
    "measurements": MEASUREMENTS | IS_CHOSEN,
    "cells": CELLS | IS_CHOSEN,
    "items": ITEM_SCORES | IS_CHOSEN,
    "predictions": PREDICTIONS,
    "sensitivity": SENSITIVITY,
    "audit": AUDIT,
    "noisy_networks": SIMULATED["noisy_networks"],
}
PROBE = {"suite": "mine", "probe": "mood", "kind": "choice", "format": "io", "shots": 1}
CELL = '{"study": "a", "dataset": "mood", "format": "io", "method": "full", "seed": 1}'


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


POINT = ("config.json", "tokenizer.json", "tokenizer_config.json")
MODEL = (*POINT, "generation_config.json", "model.safetensors")
CORPUS = ("corpus.json", "train.npy", "tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json")
OUT = ["--output", "{out}"]
PRETRAIN = ["--settings", PRETRAINING, "--corpus", "{made}/corpus"]
ANALYSED = ["--measurements", "{made}/tables/measurements.parquet", "--cells", "{made}/tables/cells.parquet"]
MORE = ["--sensitivity", "{made}/tables/sensitivity.parquet"]
TRAIN = ["--checkpoint", "{made}/point", "--examples", "{made}/examples/mood/io/train.parquet", "--settings"]
ASKED = PROBE | {"examples": "{made}/examples/mood/io/test.parquet"}
ASKED |= {"shot_examples": "{made}/examples/mood/io/shots.parquet"}
READ = {"suite": "t", "probe": "t", "kind": "text", "format": "text", "shots": 0, "examples": "{made}/text.parquet"}
PREDICT = ["--probes", json.dumps([ASKED, READ]), "--batch-tokens", "512"]
PERTURB = ["--texts", '{"prose": "{made}/text.parquet"}', "--settings", '{"seeds": [0], "bits": []}']
FIGURE = [word for kind in ("spec", "svg", "csv") for word in (f"--output-{kind}", f"{{out}}.{kind}")]
REPORT = ["--figures", "{made}", "--findings", "{made}/findings.json"]
REPORT += ["--prompts", "{made}/prompts.json", "--provenance", "{made}/provenance.json", "--usage-logs", "{made}/usage"]

# (program, its options, the files that it reads)
COMMANDS = [
    (
        "prepare_items",
        ["--rows", "{made}/datasets/mood", "--task", MOOD, "--sizes", SIZES, *OUT],
        [f"datasets/mood/{name}" for name in ("provenance.json", "0.parquet", "1.parquet", "2.parquet")],
    ),
    (
        "render_examples",
        ["--items", "{made}/items/mood", "--task", MOOD, "--format", "io", *OUT],
        [f"items/mood/{role}.jsonl" for role in ("train", "validation", "test", "shots")],
    ),
    ("check_series", ["--checkpoints", "{made}/point", *OUT], ["point/checkpoint.json"]),
    ("check_series", ["--checkpoints", "{made}/point", "--compare-weights", *OUT], ["point/weights.json"]),
    (
        "train_model",
        [*TRAIN, json.dumps(TUNING | {"replay": 0.2}), "--replay-text", "{made}/train.npy"]
        + ["--curvature-text", "{made}/text.parquet", "--record", "{out}.json", *OUT],
        [*(f"point/{name}" for name in MODEL), "examples/mood/io/train.parquet", "train.npy", "text.parquet"],
    ),
    (
        "predict",
        ["--model", "{made}/point", *PREDICT, "--training", "{made}/training.json", *OUT],
        [*(f"point/{name}" for name in MODEL), "training.json", "text.parquet"]
        + [f"examples/mood/io/{role}.parquet" for role in ("test", "shots")],
    ),
    ("predict", ["--model", "{made}/tuned", *PREDICT, *OUT], [f"tuned/{name}" for name in MODEL]),
    (
        "predict",
        ["--model", "{made}/adapted", *PREDICT, *OUT],
        [f"adapted/{name}" for name in (*POINT, "tuned.json", "tuned.safetensors")] + ["point/model.safetensors"],
    ),
    (
        "score",
        ["--predictions", "{made}/tables/predictions.parquet", "--checkpoint", "{made}/point/checkpoint.json"]
        + ["--cell", CELL, "--training", "{made}/training.json"]
        + ["--items", "{out}.i", "--measurements", "{out}.m", "--status", "{out}.s"],
        ["tables/predictions.parquet", "point/checkpoint.json", "training.json"],
    ),
    (
        "collect_checkpoint",
        ["--scores", "{made}/cell/measurements.parquet", "--items", "{out}.i", "--measurements", "{out}.m"]
        + ["--status", "{out}.s"],
        [f"cell/{name}.parquet" for name in ("measurements", "cell", "items")],
    ),
    (
        "collect",
        ["--measurements", "{made}/tables/measurements.parquet", "--status", "{made}/tables/cells.parquet"]
        + ["--output-measurements", "{out}.m", "--output-cells", "{out}.c"],
        ["tables/measurements.parquet", "tables/cells.parquet"],
    ),
    (
        "collect_sensitivity",
        ["--tables", "{made}/tables/sensitivity.parquet", *ANALYSED, *OUT],
        [f"tables/{name}.parquet" for name in ("sensitivity", "measurements", "cells")],
    ),
    (
        "collect_simulations",
        ["--table", "noisy_networks", "--simulated", "{made}/tables/noisy_networks.parquet", *OUT],
        ["tables/noisy_networks.parquet"],
    ),
    (
        "judge_claims",
        [*ANALYSED, *MORE, "--items", "{made}/tables/items.parquet", *OUT],
        [f"tables/{name}.parquet" for name in ("measurements", "cells", "sensitivity", "items")],
    ),
    (
        "judge_claims",
        ["--simulated", "{made}/tables/noisy_networks.parquet", *OUT],
        ["tables/noisy_networks.parquet"],
    ),
    (
        "audit_results",
        ["--inputs", "{made}/tables/audit.parquet", *ANALYSED, "--items", "{made}/tables/items.parquet", *OUT],
        [f"tables/{name}.parquet" for name in ("audit", "measurements", "cells", "items")],
    ),
    (
        "plot_figure",
        ["--figure", "gain", *ANALYSED, *FIGURE, "--findings", "{made}/findings.json"],
        ["tables/measurements.parquet", "tables/cells.parquet", "findings.json"],
    ),
    (
        "write_report",
        [*REPORT, *ANALYSED, *MORE, "--audit", "{made}/tables/audit.parquet", *OUT],
        [f"tables/{name}.parquet" for name in ("measurements", "cells", "sensitivity")] + ["usage/job.json"],
    ),
    (
        "record_provenance",
        ["--datasets", "{made}/datasets/mood", "--checkpoints", "{made}/point", "--harness", "{made}"]
        + ["--gates", "{made}/gate.json", "--config", "{}", *OUT],
        ["datasets/mood/provenance.json", "point/checkpoint.json", "gate.json", "task.json"],
    ),
    (
        "choose_best",
        ["--measurements", "{made}/tables/measurements.parquet", "--examples", "{made}/examples/mood/io"]
        + ["--dataset", "mood", "--method", "full", "--settings", "{}", *OUT],
        ["tables/measurements.parquet"],
    ),
    (
        "measure_sensitivity",
        ["--model", "{made}/point", "--start", "{made}/tuned", *PERTURB, *OUT],
        [f"point/{name}" for name in MODEL] + ["point/checkpoint.json", "text.parquet", "tuned/model.safetensors"],
    ),
    (
        "measure_sensitivity",
        ["--model", "{made}/point", "--start", "{made}/state.safetensors", *PERTURB, *OUT],
        ["state.safetensors"],
    ),
    (
        "anneal_checkpoint",
        ["--checkpoint", "{made}/point", "--text", "{made}/text/train.txt", "--gate-text", "{made}/corpus"]
        + ["--settings", '{"steps": 1, "batch_size": 1, "sequence_length": 8}', *OUT],
        [*(f"point/{name}" for name in MODEL), "point/checkpoint.json", "text/train.txt", "corpus/heldout.parquet"],
    ),
    (
        "pretrain_state",
        [*PRETRAIN, "--until", "2", "--resume", "{made}/state.safetensors", *OUT],
        [*(f"corpus/{name}" for name in CORPUS), "state.safetensors"],
    ),
    (
        "pretrain_checkpoint",
        [*PRETRAIN, "--state", "{made}/state.safetensors", *OUT]
        + ["--checkpoint", '{"series": "s", "checkpoint": "c", "step": 2, "phase": "stable"}'],
        [*(f"corpus/{name}" for name in CORPUS), "corpus/heldout.parquet", "state.safetensors"],
    ),
    (
        "show_prompts",
        ["--checkpoint", "{made}/point", "--probes", json.dumps([ASKED]), *OUT],
        [*(f"point/{name}" for name in POINT)] + [f"examples/mood/io/{role}.parquet" for role in ("test", "shots")],
    ),
    (
        "split_text",
        ["--text", "{made}/text/train.txt", "--items", "2", *OUT],
        ["text/train.txt"],
    ),
]
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

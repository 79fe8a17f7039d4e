"""Every program with the files that it reads, for the tests that damage them."""

import json
from dataclasses import asdict
from pathlib import Path

from ripeness.study.tasks import load_task

ROOT = Path(__file__).parents[1]

MOOD = json.dumps(asdict(load_task("nursery-mood", ROOT / "tasks", overrides={})))

SIZES = json.dumps({"train": 6, "validation": 3, "test": 4, "shots": 2, "seed": 0})

PRETRAINING = json.dumps(
    {"architecture": "llama", "hidden_size": 16, "n_layers": 1, "n_heads": 2, "intermediate_size": 32}
    | {"sequence_length": 16, "batch_size": 4, "learning_rate": 0.01, "warmup_steps": 3, "weight_decay": 0.1}
    | {"betas": [0.9, 0.95], "clip": 1.0, "initial_std": 0.1, "embedding_std": 0.5, "seed": 3}
)

TUNING = {"learning_rate": 1e-3, "epochs": 1, "batch_size": 4, "seed": 1}

PROBE = {"suite": "mine", "probe": "mood", "kind": "choice", "format": "io", "shots": 1}

CELL = '{"study": "a", "dataset": "mood", "format": "io", "method": "full", "seed": 1}'

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

"""Peak memory of predicting with, and of tuning, a model of 124 M parameters.

Predicting: compared are the peak resident memory of `scripts/predict.py` on a few questions of ARC-Easy with 4 examples
before them, less that of a process that imports the same libraries and does nothing, with the size of the weights in
fp32. What one batch may take in addition is counted as BATCH_TOKENS tokens with the largest state of a layer (two rows
of the hidden size, three of the intermediate one, in fp32) and the logits that are kept, and taken off.

Tuning: compared are the peaks of `scripts/train_model.py`, less the same libraries, by LoRA (rank 8, all linear layers)
and by all weights, on the same examples of RTE in batches of 8.

Memory is not a matter of chance here: one run. It is what the operating system reports (ru_maxrss), pages of the mapped
weight file included.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from subjects import BIG, PROJECT, arc_easy, entailment, folder_of, print_rows
from timing import row

from ripeness.measure.prompts import SEPARATOR, build_prompts
from ripeness.models.context_limits import context_length
from ripeness.models.load import load_model
from ripeness.models.tokens import load_tokenizer
from ripeness.runtime.files import read_json
from ripeness.tables.columns import EXAMPLES, write_table

BATCH_TOKENS = 4096
TUNED = {"learning_rate": 1e-4, "epochs": 1, "batch_size": 8, "precision": "fp32", "seed": 1}
KINDS: dict[str, dict] = {"full": {"kind": "full"}, "lora": {"kind": "lora", "rank": 8, "alpha": 16}}
MB = 2**20
BASELINE = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"


def peak_of_predicting(model: Path, examples: list[dict], shots: list[dict], folder: Path) -> float:
    """Bytes at the peak of scripts/predict.py, which reports it by --usage."""
    for name, rows in (("test", examples), ("shots", shots)):
        full = [{"cluster": row["item"], "gold": 0} | row for row in rows]
        write_table(folder / f"{name}.parquet", full, EXAMPLES)
    probe = {
        "suite": "benchmark", "probe": "arc_easy", "kind": "choice", "format": "default", "shots": len(shots),
        "examples": str(folder / "test.parquet"), "shot_examples": str(folder / "shots.parquet"),
    }  # fmt: skip
    command = ["--model", model, "--probes", json.dumps([probe]), "--batch-tokens", str(BATCH_TOKENS)]
    command += ["--output", folder / "predictions.parquet", "--usage", folder / "usage.json"]
    call([str(PROJECT / "scripts" / "predict.py"), *map(str, command)])
    return read_json(folder / "usage.json")["peak_memory_mb"] * MB


def peak_of_tuning(model: Path, kind: str, rows: list[tuple[str, str, str]], folder: Path) -> float:
    """Bytes at the peak of scripts/train_model.py, which reports it by --usage."""
    lines = [json.dumps({"prompt": prompt, "target": answer}) for _, prompt, answer in rows]
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [
        "--checkpoint",
        model,
        "--examples",
        folder / "train.jsonl",
        "--settings",
        json.dumps(TUNED | KINDS[kind]),
    ]
    command += ["--output", folder / kind, "--record", folder / f"{kind}.json", "--usage", folder / "usage.json"]
    call([str(PROJECT / "scripts" / "train_model.py"), *map(str, command)])
    return read_json(folder / "usage.json")["peak_memory_mb"] * MB


def peak_of_libraries(program: str = "predict", more: str = "") -> float:
    """Bytes at the peak of a process that only imports what a program needs."""
    imports = (
        f"import {program}; from transformers import LlamaForCausalLM, PreTrainedTokenizerFast; import polars, torch"
    )
    imports += more
    return float(call(["-c", f"import sys; sys.path.insert(0, {str(PROJECT / 'scripts')!r}); {imports}; {BASELINE}"]))


def call(arguments: list[str]) -> str:
    """Run Python on some arguments and return what it printed."""
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout


def one_batch(folder: Path, examples: list[dict], shots: list[dict]) -> tuple[int, int]:
    """Bytes of the weights, and those that a batch may take beside them."""
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    texts = [row["prompt"] + row["target"] for row in shots]
    prompts = build_prompts(tokenizer, examples, texts, separator=SEPARATOR, room=context_length(model.config))
    config = model.config
    state = BATCH_TOKENS * (2 * config.hidden_size + 3 * config.intermediate_size)
    logits = config.vocab_size * sum(len(answer) for prompt in prompts for answer in prompt.answers)
    return sum(weight.nbytes for weight in model.parameters()), 4 * (state + logits)


def run(options: argparse.Namespace) -> list[dict]:
    """Rows of predicting and of tuning."""
    return [predicting(options), tuning(options)]


def tuning(options: argparse.Namespace) -> dict:
    """The row of tuning: LoRA's memory above the libraries as a share of that of all weights."""
    folder, rows = folder_of(BIG, options), entailment(options, "rte", 2 if options.small else 16)
    with tempfile.TemporaryDirectory() as scratch:
        peaks = {kind: peak_of_tuning(folder, kind, rows, Path(scratch)) for kind in KINDS}
    used = {kind: peak - peak_of_libraries("train_model", "; import peft") for kind, peak in peaks.items()}
    return row("memory", BIG, "tuning on rte, LoRA against full", ours=used["lora"] / MB, theirs=used["full"] / MB,
               unit="MB above libraries", ratio=used["lora"] / used["full"], target="<= 0.6",
               note=f"{len(rows)} examples in batches of {TUNED['batch_size']}, fp32")  # fmt: skip


def predicting(options: argparse.Namespace) -> dict:
    """The row of predicting: memory above the libraries and one batch, as a multiple of the weights."""
    folder = folder_of(BIG, options)
    examples, shots = arc_easy(options, "test", 2 if options.small else 64), arc_easy(options, "train", 4)
    weights, batch = one_batch(folder, examples, shots)
    with tempfile.TemporaryDirectory() as scratch:
        used = peak_of_predicting(folder, examples, shots, Path(scratch)) - peak_of_libraries()
    return row("memory", BIG, "predicting arc_easy, 4-shot", ours=used / MB, theirs=None, unit="MB above libraries",
               ratio=(used - batch) / weights, target="<= 1.3",
               note=f"weights {weights / MB:.0f} MB, one batch {batch / MB:.0f} MB; "
                    "the ratio is (ours - batch) / weights")  # fmt: skip


if __name__ == "__main__":
    print_rows(run, __doc__)

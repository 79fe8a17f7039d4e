"""Peak memory of predicting with a model of 124 M parameters.

Compared: the peak resident memory of `scripts/predict.py` on a few questions of ARC-Easy with 4 examples before them,
less that of a process that imports the same libraries and does nothing, with the size of the weights in fp32. What one
batch may take beside them is counted as BATCH_TOKENS tokens with the largest state of a layer (two rows of the hidden
size, three of the intermediate one, in fp32) and the logits that are kept, and taken off. Memory is not a matter of
chance here: one run. It is what the operating system reports (ru_maxrss), pages of the mapped weight file included.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from subjects import BIG, PROJECT, arc_easy, folder_of, read_options
from timing import row

from ripeness.measure.prompts import SEPARATOR, build_prompts
from ripeness.models.context_limits import context_length
from ripeness.models.load import load_model
from ripeness.models.tokens import load_tokenizer
from ripeness.runtime.command_line import run as run_program
from ripeness.runtime.files import read_json
from ripeness.tables.columns import EXAMPLES, write_table

BATCH_TOKENS = 4096
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


def peak_of_libraries() -> float:
    """Bytes at the peak of a process that only imports what predicting needs."""
    imports = "import predict; from transformers import LlamaForCausalLM, PreTrainedTokenizerFast; import polars, torch"
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
    """One row: memory above the libraries and one batch, as a multiple of the weights."""
    folder = folder_of(BIG, options)
    examples, shots = arc_easy(options, "test", 2 if options.small else 64), arc_easy(options, "train", 4)
    weights, batch = one_batch(folder, examples, shots)
    with tempfile.TemporaryDirectory() as scratch:
        used = peak_of_predicting(folder, examples, shots, Path(scratch)) - peak_of_libraries()
    return [
        row("memory", BIG, "predicting arc_easy, 4-shot", ours=used / MB, theirs=None, unit="MB above libraries",
            ratio=(used - batch) / weights, target="<= 1.3",
            note=f"weights {weights / MB:.0f} MB, one batch {batch / MB:.0f} MB; the ratio is (ours - batch) / weights")
    ]  # fmt: skip


def main() -> None:
    """Print the rows."""
    for found in run(read_options(__doc__)):
        print(found)


if __name__ == "__main__":
    run_program(main)

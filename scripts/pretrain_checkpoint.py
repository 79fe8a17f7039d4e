"""Make one checkpoint of a pre-trained series, in the layout of transformers, from a state at or before it.

A stable checkpoint {"series", "checkpoint", "phase": "stable", "step"} goes on at constant rate; an annealed one
{"series", "checkpoint", "phase": "annealed", "from_step", "steps"} lets the rate fall to zero over `steps` steps
after `from_step`. checkpoint.json in the folder says step, tokens, rate, phase, seed and size.
"""

import logging
import shutil
from pathlib import Path

import polars as pl

from ripeness.allocator import keep_freed_memory
from ripeness.command_line import argument_parser, json_option, run
from ripeness.errors import UserError
from ripeness.files import whole, write_json
from ripeness.gate_loss import measure
from ripeness.models import load_tokenizer
from ripeness.pretraining import (
    Decay,
    PretrainingSettings,
    Training,
    count_parameters,
    learning_rate_of,
    load_state,
    read_corpus,
    read_settings,
    train,
)

logger = logging.getLogger(__name__)

KEYS = {
    "stable": {"series", "checkpoint", "phase", "step"},
    "annealed": {"series", "checkpoint", "phase", "from_step", "steps"},
}


def schedule_of(checkpoint: dict) -> tuple[int, Decay | None]:
    """Give the step of a checkpoint and the decay that leads to it, or raise UserError."""
    phase = checkpoint.get("phase")
    if phase not in KEYS:
        raise UserError(f"Unknown phase {phase!r}; known are {', '.join(KEYS)}.\nhint: see the series in the config.")
    if set(checkpoint) != KEYS[phase]:
        raise UserError(
            f"The {phase} checkpoint has the keys {', '.join(sorted(checkpoint))}; "
            f"it needs {', '.join(sorted(KEYS[phase]))}.\nhint: see the series in the config."
        )
    if phase == "stable":
        return checkpoint["step"], None
    decay = Decay(checkpoint["from_step"], checkpoint["steps"])
    return decay.start + decay.steps, decay


def measured_loss(folder: Path, training: Training, corpus: Path) -> dict:
    """Loss on the first held-out documents, as that of a fetched checkpoint is measured; nothing is refused here."""
    texts = pl.read_parquet(corpus / "heldout.parquet")["text"].head(50).to_list()
    return measure(training.model.eval(), load_tokenizer(folder), texts) | {"text": "held-out documents"}


def describe(checkpoint: dict, training: Training, decay: Decay | None) -> dict:
    """Say what a checkpoint is, for whoever loads it."""
    settings: PretrainingSettings = training.settings
    return {
        "series": checkpoint["series"],
        "checkpoint": checkpoint["checkpoint"],
        "step": training.step,
        "tokens": training.step * settings.batch_size * settings.sequence_length,
        "lr": learning_rate_of(training.step, settings, decay),
        "phase": checkpoint["phase"],
        "seed": settings.seed,
        "n_parameters": count_parameters(training.model),
    }


def main(argv: list[str] | None = None) -> None:
    """Train on from the state and write the folder whole or not at all."""
    parser = argument_parser(__doc__)
    parser.add_argument("--settings", required=True, type=json_option, help="a JSON object")
    parser.add_argument("--corpus", required=True, type=Path, help="folder of build_corpus.py")
    parser.add_argument("--state", required=True, type=Path, help="file of pretrain_state.py")
    parser.add_argument("--checkpoint", required=True, type=json_option, help="a JSON object")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    options = parser.parse_args(argv)
    logger.info("checkpoint %s", options.checkpoint)
    keep_freed_memory()
    until, decay = schedule_of(options.checkpoint)
    training = load_state(options.state, read_settings(options.settings), options.corpus)
    latest = until if decay is None else decay.start
    if training.step > latest:
        raise UserError(
            f"The state is at step {training.step}, past step {latest} of checkpoint "
            f"{options.checkpoint['checkpoint']!r}.\nhint: give an earlier state."
        )
    train(training, read_corpus(options.corpus), until, decay)
    with whole(options.output) as folder:
        training.model.save_pretrained(folder)
        shutil.copytree(options.corpus / "tokenizer", folder, dirs_exist_ok=True)
        gate = measured_loss(folder, training, options.corpus)
        write_json(folder / "checkpoint.json", describe(options.checkpoint, training, decay) | {"gate": gate})


if __name__ == "__main__":
    run(main)

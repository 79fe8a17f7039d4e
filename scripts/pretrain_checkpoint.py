"""Make one checkpoint of a pre-trained series, in the layout of transformers, from a state at or before it or none.

A stable checkpoint {"series", "checkpoint", "phase": "stable", "step"} goes on by the schedule of the settings; an
annealed one {"series", "checkpoint", "phase": "annealed", "from_step", "steps"} lets the rate fall to zero over `steps`
steps after `from_step`. A decayed one {"series", "checkpoint", "phase": "decayed", "step"} is the end of a cosine; with
"from_step" and "steps" it is taken at `step` of such a fall. checkpoint.json in the folder says step, tokens, rate,
phase, seed and size. A training that was cut off goes on where its state was saved, next to the folder.
"""

import argparse
import logging
import shutil
from pathlib import Path

from ripeness.models.gate.loss import measure
from ripeness.models.tokens import load_tokenizer
from ripeness.runtime.command_line import argument_parser, json_option, output_folder, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole, write_json
from ripeness.runtime.freed_memory import keep_freed_memory
from ripeness.study.pretraining_settings import Decay, PretrainingSettings, learning_rate_of, read_settings
from ripeness.train.pretraining import (
    Training,
    count_parameters,
    heldout_texts,
    load_state,
    progress_of,
    read_corpus,
    start,
    train,
)

logger = logging.getLogger(__name__)

IDENTITY = {"series", "checkpoint", "phase"}
KEYS = {
    "stable": [{"step"}],
    "annealed": [{"from_step", "steps"}],
    "decayed": [{"step"}, {"step", "from_step", "steps"}],
}


def schedule_of(checkpoint: dict) -> tuple[int, Decay | None]:
    """Give the step of a checkpoint and the decay that leads to it, or raise UserError."""
    phase = checkpoint.get("phase")
    if phase not in KEYS:
        raise UserError(f"Unknown phase {phase!r}; known are {', '.join(KEYS)}.\nhint: see the series in the config.")
    if checkpoint.keys() - IDENTITY not in KEYS[phase] or not checkpoint.keys() >= IDENTITY:
        needed = " or ".join(", ".join(sorted(IDENTITY | keys)) for keys in KEYS[phase])
        raise UserError(
            f"The {phase} checkpoint has the keys {', '.join(sorted(checkpoint))}; it needs {needed}.\n"
            "hint: see the series in the config."
        )
    if "from_step" not in checkpoint:
        return checkpoint["step"], None
    decay = Decay(checkpoint["from_step"], checkpoint["steps"])
    end = decay.start + decay.steps
    until = checkpoint.get("step", end)
    if not decay.start < until <= end:
        raise UserError(
            f"Step {until} is not within the decay from step {decay.start} to {end}.\nhint: see the series."
        )
    return until, decay


def begin(options: argparse.Namespace, settings: PretrainingSettings, latest: int) -> Training:
    """Return the training that makes a checkpoint: from a state no later than `latest`, or from step 0."""
    if options.state is None:
        return start(settings, options.corpus)
    training = load_state(options.state, settings, options.corpus)
    if training.step > latest:
        raise UserError(
            f"The state is at step {training.step}, past step {latest} of checkpoint "
            f"{options.checkpoint['checkpoint']!r}.\nhint: give an earlier state."
        )
    return training


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
    parser.add_argument("--state", type=Path, help="file of pretrain_state.py (default: from the first step)")
    parser.add_argument("--checkpoint", required=True, type=json_option, help="a JSON object")
    parser.add_argument("--save-seconds", type=float, default=300, help="how often the training is saved to go on from")
    parser.add_argument("--output", required=True, type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    logger.info("checkpoint %s", options.checkpoint)
    keep_freed_memory()
    until, decay = schedule_of(options.checkpoint)
    training = begin(options, read_settings(options.settings), until if decay is None else decay.start)
    progress = progress_of(training, options.corpus, options.output, options.save_seconds, decay)
    train(training, read_corpus(options.corpus), until, decay, progress)
    with whole(options.output) as folder:
        training.model.save_pretrained(folder)
        shutil.copytree(options.corpus / "tokenizer", folder, dirs_exist_ok=True)
        # as that of a fetched checkpoint is measured; nothing is refused here
        gate = measure(training.model.eval(), load_tokenizer(folder), heldout_texts(options.corpus))
        gate["text"] = "held-out documents"
        write_json(folder / "checkpoint.json", describe(options.checkpoint, training, decay) | {"gate": gate})
    progress.remove()


if __name__ == "__main__":
    run(main)

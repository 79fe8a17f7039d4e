"""Make the annealed twin of a stable checkpoint: train on while the learning rate falls to zero.

By hand: python scripts/anneal_checkpoint.py --checkpoint FOLDER --text more.txt --output twin
--settings '{"steps": 100, "batch_size": 8, "learning_rate": 1e-4}'

The checkpoint is any local folder in the layout of transformers. Further settings: "sequence_length" (otherwise the
model's window), "warmup_ratio": 0.1, "weight_decay": 0.1, "seed": 0; the learning rate is otherwise the one that
checkpoint.json records. An annealing that was cut off goes on where its state was saved, next to the output.
"""

import hashlib
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ripeness.models.checkpoint_facts import read_facts
from ripeness.models.context_limits import text_window
from ripeness.models.gate.folder import check_folder
from ripeness.models.gate.loss import check_loss, measure
from ripeness.models.load import load_config, load_model, resolve_precision
from ripeness.models.tokens import end_of_text, load_tokenizer
from ripeness.models.tuned_weights import save_model
from ripeness.runtime.command_line import argument_parser, existing, json_option, output_folder, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole, write_json
from ripeness.runtime.freed_memory import keep_freed_memory
from ripeness.runtime.made_here import check_no_overlap
from ripeness.train.annealing import (
    AnnealingSettings,
    check_apart,
    last_rate,
    read_settings,
    read_stream,
    training_settings,
    windows,
)
from ripeness.train.loop import train
from ripeness.train.pretraining import heldout_texts
from ripeness.train.resume import Progress, training_identity


def describe(known: dict[str, Any], identity: dict[str, Any], settings: AnnealingSettings) -> dict[str, Any]:
    """Say what the twin is: steps and tokens of the checkpoint (`known`) plus the annealing; null if unknown."""
    n_tokens = settings.steps * settings.batch_size * settings.sequence_length
    counted = {"step": settings.steps, "tokens": n_tokens}
    return {
        "series": identity.get("series", known.get("series", "local")),
        "checkpoint": identity["checkpoint"],
        **{key: None if known.get(key) is None else known[key] + more for key, more in counted.items()},
        "lr": last_rate(settings),
        "phase": "annealed",
        "seed": known.get("seed"),
        "annealing": asdict(settings) | {"checkpoint": known.get("checkpoint"), "tokens": n_tokens},
    }


def tried(folder: Path, facts: dict[str, Any], text: Path | None, *, accept: bool) -> dict[str, Any]:
    """Return the loss of the twin on its series' gate text: held-out documents, a text file, or prose."""
    if text is not None and text.is_dir():
        model, tokenizer = load_model(folder, on_gpu=False), load_tokenizer(folder)
        return measure(model, tokenizer, heldout_texts(text)) | {"text": "held-out documents"}
    return check_loss(folder, facts, text, accept=accept or facts["tokens"] is None)


def anneal(options: Any, settings: AnnealingSettings) -> tuple[torch.nn.Module, dict[str, Any], Progress]:
    """Return the annealed model, what its training was, and its saved state; UserError when it diverged."""
    tokenizer = load_tokenizer(options.checkpoint)
    stream = read_stream(options.text, tokenizer, options.checkpoint)
    examples = windows(stream, settings)
    if options.gate_text is not None and options.gate_text.is_dir() and options.text.is_file():
        check_apart(options.text, options.gate_text)
    model = load_model(options.checkpoint)
    text = hashlib.sha256(stream.tobytes()).hexdigest()
    progress = Progress(
        options.output.with_name(f"{options.output.name}.state"),
        training_identity(model, settings, text),
        options.save_seconds,
    )
    progress.end_when_asked()
    outcome = train(model, examples, training_settings(settings), pad=end_of_text(tokenizer), progress=progress)
    losses = outcome.losses
    logging.info("%s after %d steps, loss %.4f -> %.4f", outcome.status, len(losses), losses[0], losses[-1])
    if outcome.status != "done":
        raise UserError(
            f"the annealing diverged: loss {losses[0]:.3f} -> {losses[-1]} after {len(losses)} steps at a rate of "
            f"{settings.learning_rate:g}\nhint: choose a smaller learning_rate, or a larger warmup_ratio"
        )
    used = {"precision": resolve_precision("auto", model.device), "losses": losses, "text": str(options.text)}
    return model, used | {"text_sha256": text}, progress


def main(argv: list[str] | None = None) -> None:
    """Write the twin as a folder in the layout of transformers, whole or not at all."""
    parser = argument_parser(__doc__)
    parser.add_argument("--checkpoint", required=True, type=existing, help="folder of the stable checkpoint")
    parser.add_argument("--text", required=True, type=existing, help="UTF-8 text file, or folder of build_corpus.py")
    parser.add_argument("--settings", required=True, type=json_option, help="a JSON object")
    parser.add_argument("--identity", type=json_option, default={}, help="series and checkpoint of the twin, as JSON")
    parser.add_argument("--gate-text", type=existing, help="text, or corpus, to try it on (default: English prose)")
    parser.add_argument("--accept-loss", action="store_true", help="refuse no loss on that text")
    parser.add_argument("--save-seconds", type=float, default=300, help="how often the state is saved to go on from")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--output", required=True, type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    check_no_overlap(options.output, options.checkpoint)
    record = options.checkpoint / "checkpoint.json"
    known = read_facts(record) if record.is_file() else {}
    window = text_window(load_config(options.checkpoint))
    settings = read_settings(options.settings, known, window)
    logging.info("settings: %s", settings)
    keep_freed_memory()
    model, used, progress = anneal(options, settings)
    facts = describe(known, {"checkpoint": options.output.name} | options.identity, settings)
    facts["annealing"] |= used
    with whole(options.output) as folder:
        save_model(model, options.checkpoint, folder)
        facts |= check_folder(folder)
        facts["gate"] = tried(folder, facts, options.gate_text, accept=options.accept_loss)
        write_json(folder / "checkpoint.json", facts)
    progress.remove()


if __name__ == "__main__":
    run(main)

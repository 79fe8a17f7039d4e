"""Tune one checkpoint on one dataset in one format: one cell of the study.

By hand: python scripts/train_model.py --checkpoint FOLDER --examples train.jsonl --output model --record record.json
--settings '{"learning_rate": 1e-4, "epochs": 3, "batch_size": 32, "seed": 1}'

Examples are JSONL, {"prompt": ..., "target": " ..."} a line, with "turns": [{"role": ..., "content": ...}] instead of a
prompt for a chat, or parquet from render_examples. The loss counts the target and the end of text after it.

Further settings, with their defaults: "schedule": "linear" (or "constant", "cosine"), "warmup_ratio": 0.03,
"weight_decay": 0, "clip": 1, "precision": "auto" (bf16 if the GPU has it, else fp32). docs/methods.md explains the
others: "kind" with the keys of that kind, such as "lora" with "rank" and "alpha", "pull", "replay" with --replay-text,
"steps", "examples". With --start the training starts from the model of another training of this checkpoint. --of names
the models whose adapters kind "fusion" combines. --pictures names the pictures of the examples, for kind "projector"
and for trainings that start from its model. An interrupted training resumes from its saved state.

With "learns": "text" it learns the text of --text. The kinds "features" and "head" choose among label words: their
examples have "choices" and "gold", and no target. The same holds for "learns": "preferences", with "loss": "dpo" and
"beta", and for "learns": "reward", where the right option is the better answer. "learns": "policy" draws texts, which
--rule or --reward-model rewards. Preferences with "pairs" learn from texts that the start draws, ranked in that way.
"""

import argparse
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.measure.label_words import contexts_of_items, labels_of
from ripeness.models.batching import Example, label_examples
from ripeness.models.context_limits import room_after
from ripeness.models.load import load_config, load_model
from ripeness.models.pictures import Pictures, take_projector
from ripeness.models.reward import WEIGHT as REWARD_WEIGHT
from ripeness.models.sharding import rank, shard, start_processes, whole_weights
from ripeness.models.tokens import end_of_text, load_tokenizer
from ripeness.models.tuned_state import Tuned, fingerprint_of, states_of_kind
from ripeness.models.tuned_weights import save_model, save_start, state_bytes
from ripeness.runtime.command_line import argument_parser, json_option, note_usage, output_folder, output_object, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import write_json
from ripeness.runtime.freed_memory import keep_freed_memory
from ripeness.study.methods.reading import read_settings
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import Labelled, MethodSettings, TrainingSettings
from ripeness.study.objectives.goal import draws_pairs
from ripeness.study.objectives.reading import read_goal
from ripeness.tables.examples import read_examples
from ripeness.train.continued import text_examples
from ripeness.train.curvature import along_displacement
from ripeness.train.displacement import NOT_MERGED, displacement
from ripeness.train.fitting import Questions, fit
from ripeness.train.inputs import asked_of_policy, lost_before, rewarded_by, rows_of, text_to_replay
from ripeness.train.loop import Outcome, train
from ripeness.train.modifiers.replay import Replay
from ripeness.train.objectives.objective import Objective
from ripeness.train.objectives.own_pairs import NO_PAIR
from ripeness.train.objectives.register import objective_of
from ripeness.train.program_options import add_inputs, check_options
from ripeness.train.reading import Unit
from ripeness.train.resume import sums_of, training_identity
from ripeness.train.timed_progress import TimedProgress
from ripeness.train.training_pictures import identity_of, pictures_of, with_pictures
from ripeness.train.training_record import given, record_of, record_without_steps


@dataclass(frozen=True)
class Inputs:
    """What a training reads, besides its model."""

    tokenizer: PreTrainedTokenizerBase
    examples: Sequence[Unit]
    objective: Objective[Any]
    replay: Replay | None
    pictures: Pictures | None


def main(argv: list[str] | None = None) -> None:
    """Write the tuned model and the record of its training."""
    options = read_options(argv)
    torch.set_num_threads(options.threads)
    goal, values = read_goal(options.settings)
    settings = read_settings(values)
    check_options(options, settings)
    if (lost := lost_before(options)) is not None:
        write_untuned(options, settings, lost)
        return
    pictures, settings = pictures_of(options.pictures, settings)
    tokenizer, n_before = load_tokenizer(options.checkpoint), KINDS[settings.kind].before_text(vars(settings))
    n_before += pictures.n_patches if pictures else 0
    max_length = room_after(load_config(options.checkpoint), n_before)
    rows = rows_of(options, settings)
    settings = settings.with_labels(labels_of(rows)) if isinstance(settings, Labelled) else settings
    if not isinstance(settings, TrainingSettings):
        fit_model(options, settings, tokenizer, rows, max_length)
        return
    objective = objective_of(goal, asked_of_policy(options, settings, rows, tokenizer, max_length))
    examples = what_is_learned(options, settings, objective, rows, tokenizer, max_length, n_before)
    if not examples and draws_pairs(options.settings):
        write_untuned(options, settings, NO_PAIR)
        return
    if pictures:
        items = [row["item"] for row in rows]
        texts = cast("list[Example]", examples)  # what reads pictures learns answers
        examples = with_pictures(texts, items, pictures, tokenizer, load_config(options.checkpoint))
    replay = text_to_replay(options, settings, tokenizer, max_length)
    tune(options, settings, goal, Inputs(tokenizer, examples, objective, replay, pictures))


def tune(options: argparse.Namespace, settings: TrainingSettings, goal: Any, inputs: Inputs) -> None:
    """Take the steps of a training, and write the model and the record."""
    start_processes(options.gpus)  # what the user must act on is known by now
    logging.info("settings: %s", " ".join(map(str, filter(None, [settings, goal]))))
    keep_freed_memory()
    model = load_model(options.start or options.checkpoint, on_gpu=options.gpus == 1)
    fingerprint = fingerprint_of(model) if KINDS[settings.kind].has_small_state else ""
    read = KINDS[settings.kind].reads(asdict(settings))
    others = [state for one in read for state in states_of_kind(options.of, one.kind, fingerprint)]
    seen = [identity_of(inputs.pictures)] if inputs.pictures else []
    own = [*map(sums_of, others), *seen, *([] if goal is None else [goal, *rewarded_by(options)])]
    identity = training_identity(model, settings, inputs.examples, options.gpus, inputs.replay, *own)
    model = shard(model)
    progress = TimedProgress(options.record.with_suffix(".state"), identity, options.save_seconds)
    progress.end_when_asked()
    outcome = train(
        model,
        inputs.examples,
        settings,
        pad=end_of_text(inputs.tokenizer),
        objective=inputs.objective,
        progress=progress,
        replay=inputs.replay,
        others=others,
        pictures=inputs.pictures,
    )
    note_usage(train_s=progress.so_far)
    losses = outcome.losses
    logging.info("%s after %d steps, loss %.4f -> %.4f", outcome.status, len(losses), losses[0], losses[-1])
    weights = whole_weights(model)
    if rank() == 0:
        write_model(options, settings, outcome, model, weights, fingerprint)
        write_record(options, settings, goal, inputs, outcome, model, weights)
        progress.remove()


def write_model(
    options: argparse.Namespace,
    settings: TrainingSettings,
    outcome: Outcome,
    model: PreTrainedModel,
    weights: dict[str, torch.Tensor] | None,
    fingerprint: str,
) -> None:
    """Write the tuned model: all weights, or the small state of its kind."""
    tuned = None if outcome.state is None else Tuned(settings, outcome.state, fingerprint)
    projector = take_projector(model)  # what is left is a model of text
    where = options.checkpoint, options.output, weights, scratch_of(options), tuned, options.start
    learned, moved = (outcome.learned or {}).get(REWARD_WEIGHT), None if KINDS[settings.kind].sees else projector
    save_model(model, *where, reward=learned, projector=moved)


def write_record(
    options: argparse.Namespace,
    settings: TrainingSettings,
    goal: Any,
    inputs: Inputs,
    outcome: Outcome,
    model: PreTrainedModel,
    weights: dict[str, torch.Tensor] | None,
) -> None:
    """Write the record of a training, with how far it moved the weights."""
    record = record_of(settings, outcome, inputs.examples, inputs.replay, model.device)
    record["settings"] |= {} if goal is None else given(goal)
    record |= inputs.objective.record() | {"state_bytes": state_bytes(options.output)}
    if KINDS[settings.kind].moves_weights(asdict(settings)):
        record |= displacement(model, options.checkpoint, weights)._asdict()
    elif not KINDS[settings.kind].merges:
        record |= {"not_moved": NOT_MERGED}
    if options.curvature_text and outcome.status == "done":
        record |= along_displacement(model, inputs.tokenizer, options.checkpoint, options.curvature_text)
    write_json(options.record, record)


def write_untuned(options: argparse.Namespace, settings: MethodSettings, reason: str) -> None:
    """Write the start as the result of a training that cannot be, and why."""
    logging.info("%s: nothing is tuned", reason)
    save_start(options.start or options.checkpoint, options.output)
    write_json(options.record, record_without_steps(settings, reason))


def fit_model(
    options: argparse.Namespace,
    settings: MethodSettings,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, Any]],
    room: int,
) -> None:
    """Write what is fitted to states of the checkpoint, and the record, for a kind that takes no steps."""
    parts = [rows, read_examples(options.validation)]
    if labels_of(parts[0]) != labels_of(parts[1]):
        raise UserError(f"{options.validation} has other options than {options.examples}\nhint: name two of a dataset")
    train, validation = (
        Questions(contexts_of_items(tokenizer, part, room=room), [row["gold"] for row in part]) for part in parts
    )
    logging.info("settings: %s", settings)
    keep_freed_memory()
    model = load_model(options.start or options.checkpoint)
    fingerprint = fingerprint_of(model)
    begun = time.monotonic()
    state, record = fit(model, train, validation, settings)
    note_usage(train_s=time.monotonic() - begun)
    logging.info("%s, loss %s", record["status"], record.get("loss"))
    tuned = None if state is None else Tuned(settings, state, fingerprint)
    save_model(model, options.checkpoint, options.output, None, scratch_of(options), tuned, options.start)
    write_json(options.record, record | {"state_bytes": state_bytes(options.output)})


def scratch_of(options: argparse.Namespace) -> Path | None:
    """Return the folder on this node for weights, if one is named."""
    return Path(os.path.expandvars(options.scratch)) if options.scratch else None


def read_options(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argument_parser(__doc__)
    add_inputs(parser)
    parser.add_argument("--settings", required=True, type=json_option, help="the method and the seed, as JSON")
    parser.add_argument("--output", required=True, type=output_folder, help="folder of the tuned model")
    parser.add_argument(
        "--record",
        required=True,
        type=output_object("settings", "status"),
        help="JSON file: settings, loss of every step, status",
    )
    parser.add_argument(
        "--save-seconds",
        type=float,
        default=300,
        help="how often the state is saved next to the record, to resume from",
    )
    parser.add_argument("--scratch", default="", help="folder on this node for the weights, linked in the output")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=1, help="GPUs that hold the model together")
    return parser.parse_args(argv)


def what_is_learned(
    options: argparse.Namespace,
    settings: TrainingSettings,
    objective: Objective[Any],
    rows: list[dict[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    window: int,
    before: int,
) -> Sequence[Unit]:
    """Return the answers or pairs, the places of labels among which these are chosen, or the text, that is learned.

    It is read in a window after so many virtual tokens.
    """
    if options.text:
        return text_examples(options.text, tokenizer, window)
    if isinstance(settings, Labelled):
        contexts = contexts_of_items(tokenizer, rows, room=window)
        return label_examples(contexts, [row["gold"] for row in rows], pad=end_of_text(tokenizer))
    return objective.units(rows, tokenizer, max_length=window, n_before=before)


if __name__ == "__main__":
    run(main)

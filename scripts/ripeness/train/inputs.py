"""What a training reads: examples, replayed text, what a policy needs, and records of the trainings before it."""

import argparse
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.study.methods.settings import POLICY, MethodSettings, TrainingSettings
from ripeness.study.objectives.goal import draws_texts, ranked_by
from ripeness.tables.examples import read_examples
from ripeness.train.modifiers.replay import Replay, open_replay


def rows_of(options: argparse.Namespace, settings: MethodSettings) -> list[dict[str, Any]]:
    """Return the examples that are learned from; none where that is a text."""
    if options.text:
        return []
    path = options.examples / "train.parquet" if options.examples.is_dir() else options.examples
    return dose_of(read_examples(path), settings)


def dose_of(rows: list[dict[str, Any]], settings: MethodSettings) -> list[dict[str, Any]]:
    """Return so many rows as the settings want, in an order of the seed: a dose begins with the smaller ones."""
    if settings.examples is None:
        return rows
    if settings.examples > len(rows):
        raise UserError(
            f"settings.examples: {settings.examples} examples are requested, but there are only {len(rows)}\n"
            "hint: use a smaller dose, or a larger file of examples"
        )
    order = np.random.default_rng(settings.seed).permutation(len(rows))
    return [rows[place] for place in order[: settings.examples]]


def lost_before(options: argparse.Namespace) -> str | None:
    """Say which model that a training needs has diverged; None where all are there."""
    records = {"the model that it starts from": options.start_record, "the reward model": options.reward_record}
    for what, path in records.items():
        if path and read_json(path, dict, keys=("status",))["status"] != "done":
            return f"{what} diverged"
    return None


def text_to_replay(
    options: argparse.Namespace, settings: TrainingSettings, tokenizer: PreTrainedTokenizerBase, window: int
) -> Replay | None:
    """Return the text that the settings want read again, if any."""
    if not settings.replay:
        return None
    return open_replay(options.replay_text, tokenizer, share=settings.replay, seed=settings.seed, window=window)


def asked_of_policy(
    options: argparse.Namespace,
    settings: TrainingSettings,
    rows: list[dict[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    room: int,
) -> dict[str, Any]:
    """Return what a training that draws texts must know to ask for them; nothing for all else."""
    if not draws_texts(options.settings):
        return {}
    asked = {
        "rule": options.rule,
        "rows": rows,
        "tokenizer": tokenizer,
        "checkpoint": options.checkpoint,
        "reward": options.reward_model,
        "room": room,
        "seed": settings.seed,
    }
    if settings.learns == POLICY:
        held_out = read_examples(options.held_out) if options.held_out else []
        return asked | {"held_out": held_out, "batch_size": settings.batch_size}
    return asked | {
        "ranked_by": ranked_by(options.settings),
        "start": options.start or options.checkpoint,
        "precision": settings.precision,
    }


def rewarded_by(options: argparse.Namespace) -> list[Any]:
    """Return what decides the rewards of a policy, besides its settings; nothing where none is learned."""
    return [options.rule, str(options.reward_model)] if options.rule else []

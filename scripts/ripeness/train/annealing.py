"""Annealing of a checkpoint from anywhere: trained on with new moments while its rate falls linearly to zero.

The training is that of `training.train`, on windows of running text of which every token is predicted. The moments of
AdamW at a published checkpoint are lost, so the rate warms up first: the first updates of new moments are as large as
the rate, whatever the gradient.
"""

import math
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from ripeness.data.corpus import MOST_REPEATS
from ripeness.data.passages import DOCUMENT_BYTES, cut, read_text
from ripeness.models.batching import IGNORED, Example
from ripeness.models.tokens import encode, end_of_text
from ripeness.runtime.errors import UserError
from ripeness.runtime.typed_settings import check_types
from ripeness.storage.arrays import read_array
from ripeness.storage.parquet import read_table
from ripeness.study.methods.full import FullSettings
from ripeness.train.loop import rate_at

LONG_ENOUGH = 100  # characters; shorter documents of a small world come twice by chance


@dataclass(frozen=True)
class AnnealingSettings:
    """How a checkpoint is annealed; config.schema.yaml explains the values."""

    steps: int
    batch_size: int
    sequence_length: int
    learning_rate: float
    warmup_ratio: float = 0.1
    weight_decay: float = 0.1
    seed: int = 0


FROM_CHECKPOINT = ("sequence_length", "learning_rate")


def read_settings(values: dict[str, Any], facts: dict[str, Any], window: int) -> AnnealingSettings:
    """Return settings from a JSON object; UserError for an unknown or missing key, or an impossible number.

    Without a `sequence_length` sequences are as long as the model's window (tokens). Without a `learning_rate` the rate
    falls from the one that the checkpoint's `facts` record.
    """
    known = [field.name for field in fields(AnnealingSettings)]
    needed = {field.name for field in fields(AnnealingSettings) if field.default is MISSING} - {*FROM_CHECKPOINT}
    unknown, missing = sorted(values.keys() - set(known)), sorted(needed - values.keys())
    if unknown or missing:
        raise UserError(
            f"settings: unknown {unknown or 'none'}, missing {missing or 'none'}\nhint: the keys are {', '.join(known)}"
        )
    values = {key: value for key, value in values.items() if value is not None or key not in FROM_CHECKPOINT}
    check_types("settings", AnnealingSettings, values)
    for key in ("steps", "batch_size"):
        if values[key] < 1:
            raise UserError(f"settings: {key} is {values[key]!r}\nhint: give a whole number above zero")
    return AnnealingSettings(**completed(values, facts, window))


def completed(values: dict[str, Any], facts: dict[str, Any], window: int) -> dict[str, Any]:
    """Return settings with the checkpoint's rate and the model's window (tokens) where they are not given."""
    phase = facts.get("phase", "stable")
    if phase != "stable":
        raise UserError(f"the checkpoint is {phase} already\nhint: only a stable one has a rate to fall from")
    if "learning_rate" not in values and not facts.get("lr"):
        raise UserError(
            f"the checkpoint records {facts.get('lr')!r} as its learning rate\n"
            "hint: give learning_rate, that of its pre-training at its step"
        )
    whole: dict[str, Any] = {"sequence_length": window, "learning_rate": facts.get("lr"), **values}
    if not 2 <= (length := whole["sequence_length"]) <= window:
        raise UserError(f"sequence_length {length}, but the model reads {window} tokens\nhint: give at most as many")
    return whole


def training_settings(settings: AnnealingSettings) -> FullSettings:
    """Return the same as settings of a training in one epoch."""
    return FullSettings(
        learning_rate=settings.learning_rate,
        epochs=1,
        batch_size=settings.batch_size,
        seed=settings.seed,
        schedule="linear",
        warmup_ratio=settings.warmup_ratio,
        weight_decay=settings.weight_decay,
    )


def last_rate(settings: AnnealingSettings) -> float:
    """Return the rate of the last update."""
    return settings.learning_rate * rate_at(settings.steps - 1, settings.steps, training_settings(settings))


def read_stream(source: Path, tokenizer: PreTrainedTokenizerBase, folder: Path) -> np.ndarray:
    """Return the tokens of a text file, with the end of text before each document, or of a corpus, shape (tokens,).

    A text file is cut at line ends into documents of some thousand bytes, as a corpus is. UserError for a corpus whose
    tokenizer is not that of the checkpoint in `folder`.
    """
    if source.is_dir():
        of_corpus, own = (place / "tokenizer.json" for place in (source / "tokenizer", folder))
        if not of_corpus.is_file() or of_corpus.read_bytes() != own.read_bytes():
            raise UserError(
                f"the corpus {source} was tokenized with another tokenizer than that of {folder}\n"
                "hint: give a text file instead"
            )
        return read_array(source / "train.npy")
    documents = cut(read_text(source), DOCUMENT_BYTES)
    end = end_of_text(tokenizer)
    parts = [np.array([end, *tokens], dtype=np.uint32) for tokens in encode(tokenizer, documents)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint32)


def windows(stream: np.ndarray, settings: AnnealingSettings) -> list[Example]:
    """Return the sequences of all steps: windows without overlap, each epoch in an order from the seed."""
    length, wanted = settings.sequence_length, settings.steps * settings.batch_size
    n_windows = len(stream) // length
    if n_windows * MOST_REPEATS < wanted:
        raise UserError(
            f"the text has {len(stream)} tokens, but {wanted} sequences of {length} are read, more than {MOST_REPEATS} "
            "times as many\nhint: give a longer text, or fewer steps"
        )
    generator = np.random.default_rng(settings.seed)
    order = np.concatenate([generator.permutation(n_windows) for _ in range(math.ceil(wanted / n_windows))])
    examples = []
    for window in order[:wanted]:
        tokens = stream[window * length : (window + 1) * length].tolist()
        examples.append(Example(tokens, [IGNORED, *tokens[1:]]))
    return examples


def check_apart(text: Path, corpus: Path) -> None:
    """Refuse a text file with held-out documents of the corpus in it, on which the checkpoint is measured."""
    given = read_text(text)
    heldout = read_table(corpus / "heldout.parquet")["text"].to_list()
    found = [document for document in heldout if len(document) >= LONG_ENOUGH and document in given]
    if found:
        raise UserError(
            f"{text} contains {len(found)} of {len(heldout)} held-out documents of {corpus}, on which "
            "the checkpoint is "
            f"measured, such as {found[0][:60]!r}\nhint: anneal on other text"
        )

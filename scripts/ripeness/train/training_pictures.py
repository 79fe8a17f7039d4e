"""Pictures of a training: before every prompt, and only for models that read them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedTokenizerBase

from ripeness.models.batching import Example, with_picture
from ripeness.models.pictures import FILE, Pictures, read_pictures, vocabulary_of
from ripeness.models.tokens import document_start
from ripeness.models.tuned_state import folders_of, kind_of_state
from ripeness.runtime.errors import UserError
from ripeness.study.methods.projector import FOLLOWERS
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import ANSWERS, MethodSettings, Seeing
from ripeness.train.resume import sums_of

SEEING = [name for name, kind in KINDS.items() if kind.sees]


def has_projector(folder: Path | None) -> bool:
    """Return whether the model in a folder reads pictures."""
    if folder is None:
        return False
    return any((part / FILE).is_file() or kind_of_state(part) in SEEING for part in folders_of(folder))


def check_pictures(settings: MethodSettings, start: Path | None, pictures: Path | None, gpus: int) -> None:
    """Refuse pictures that nothing reads, a projector without pictures, or one more, before anything is read."""
    is_seeing = has_projector(start)
    if settings.kind in SEEING and (pictures is None or is_seeing):
        raise UserError(
            f"kind {settings.kind} makes a model read pictures"
            + (
                ", which the one in --start does already\nhint: kind: full or lora"
                if is_seeing
                else "\nhint: --pictures"
            )
        )
    if pictures is not None and not is_seeing and settings.kind not in SEEING:
        raise UserError(
            f"a training of kind {settings.kind} reads no pictures, since its model has no projector\n"
            "hint: --start a model of kind projector, or no --pictures"
        )
    if is_seeing and settings.kind not in FOLLOWERS:
        raise UserError(
            f"kind {settings.kind} does not train the projector of the model that it starts from\n"
            f"hint: kind: {' or '.join(FOLLOWERS)}"
        )
    if is_seeing and settings.learns not in (None, ANSWERS):
        raise UserError(
            f"a model that reads pictures does not learn {settings.learns}\n"
            "hint: --start a model of text, or no `learns`"
        )
    if gpus > 1 and (is_seeing or settings.kind in SEEING):
        raise UserError("a model with a projector is tuned on one GPU\nhint: --gpus 1")


def pictures_of(folder: Path | None, settings: MethodSettings) -> tuple[Pictures | None, MethodSettings]:
    """Read the pictures of a training; return them with the settings, which know the encoder then."""
    if folder is None:
        return None, settings
    pictures = read_pictures(folder)
    if isinstance(settings, Seeing):
        seeing: Any = settings.with_encoder(int(pictures.states.shape[2]), pictures.encoder)
        return pictures, seeing
    return pictures, settings


def identity_of(pictures: Pictures) -> list[Any]:
    """Return what tells the pictures of one training from those of another."""
    if isinstance(pictures.states, torch.Tensor):
        return sums_of({"states": pictures.states})
    return [pictures.encoder, *pictures.states.names]


def with_pictures(
    examples: list[Example],
    items: Iterable[str],
    pictures: Pictures,
    tokenizer: PreTrainedTokenizerBase,
    config: PretrainedConfig,
) -> list[Example]:
    """Put the picture of its item before every example."""
    start, vocabulary = document_start(tokenizer), vocabulary_of(config)
    return [
        with_picture(example, pictures.tokens(item, vocabulary), start)
        for example, item in zip(examples, items, strict=True)
    ]

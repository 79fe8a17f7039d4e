"""Pictures of questions: before every prompt, and before the right answer to an open question."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.measure.prompts import Prompt
from ripeness.models.pictures import Pictures, after_start, vocabulary_of
from ripeness.models.tokens import document_start

P = TypeVar("P", Prompt, Prompt | None)


def with_pictures(
    prompts: Sequence[P],
    items: Sequence[str],
    pictures: Pictures | None,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
) -> list[P]:
    """Put the picture of its item before every prompt, behind what starts a document; nothing without pictures."""
    if pictures is None:
        return list(prompts)
    start, vocabulary = document_start(tokenizer), vocabulary_of(model.config)
    found = []
    for prompt, item in zip(prompts, items, strict=True):
        if prompt is not None:
            context = after_start(prompt.context, pictures.tokens(item, vocabulary), start)
            begun = replace(prompt.start, context=context) if prompt.start else None
            prompt = replace(prompt, context=context, start=begun)
        found.append(prompt)
    return found

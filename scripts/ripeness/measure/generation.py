"""Greedy text after a prompt, many prompts at once, up to a stop text; and how well the right answer was expected."""

from functools import partial

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.models.next_token import Stopping, answer_text, writer_of
from ripeness.models.token_healing import Start
from ripeness.models.writing import write


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    contexts: list[list[int]],
    stopping: Stopping,
    *,
    batch_tokens: int,
) -> list[str | None]:
    """Generate greedily after every context; cut before the stop text and strip white space."""
    starts = [Start(context) for context in contexts]
    nothing: list[list[int]] = [[] for _ in contexts]
    return [text for text, _ in answer(model, tokenizer, starts, nothing, stopping, batch_tokens=batch_tokens)]


@torch.inference_mode()
def answer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    starts: list[Start],
    targets: list[list[int]],
    stopping: Stopping,
    *,
    batch_tokens: int,
) -> list[tuple[str | None, float]]:
    """Generate as `generate` does, and compute the log-probability (nats) of the target after every context.

    What all contexts begin with is read once. Prompts are read in batches of `batch_tokens`, the longest first, and
    KEPT times as many tokens are kept at once; a text that has ended makes room for the next. A target is read with its
    prompt. The text is None where the model's numbers were none.
    """
    if not starts:
        return []
    writer = writer_of(model, tokenizer, stopping)
    written, logps = write(model, starts, targets, writer, batch_tokens)
    texts = map(partial(answer_text, tokenizer, stopping), starts, written)
    return list(zip(texts, logps, strict=True))

"""Prompts and answers as tokens: which of them are learned, and which are read together."""

from dataclasses import dataclass
from os.path import commonprefix
from typing import Protocol, TypeVar

import torch
from transformers import PreTrainedTokenizerBase

from ripeness.models.chat import Turns, chat_contexts, chat_prompt, turn_end
from ripeness.models.pictures import after_start
from ripeness.models.token_healing import beginnings, starts
from ripeness.models.tokens import contexts_of, encode_pairs, end_of_text
from ripeness.runtime.errors import UserError

IGNORED = -100  # target of positions that the loss leaves out, as in torch and transformers
# Least share of a row's tokens that reading a common beginning once must save, times the model's width: what is saved
# grows with the square of the width, what copying keys costs with the width. Measured at 64 (slower) and 768.
WORTH = 64
TRIED = 64  # beginnings of answers that are tried after each prompt


@dataclass(frozen=True)
class Example:
    """Tokens of one prompt with its answer; `targets` is IGNORED on the prompt, and on the first token of a text."""

    tokens: list[int]
    targets: list[int]

    @property
    def answers(self) -> "list[Example]":
        """Return the one sequence that is read."""
        return [self]


def encode_examples(
    rows: list[tuple[str, str | Turns, str]], tokenizer: PreTrainedTokenizerBase, *, max_length: int, n_before: int = 0
) -> list[Example]:
    """Tokenize (item, prompt, answer) rows; the answer ends with the end-of-text token.

    Of a prompt only what is written with the answer is learned, see `written_again`. A chat has turns as its prompt;
    its answer ends as the chat template ends it, where that is a special token.

    UserError for a row that does not fit in `max_length`, which does not count the `n_before` virtual tokens before it:
    nothing is ever cut off silently; and for no rows.
    """
    if not rows:
        raise UserError("there are no examples to train on\nhint: the file of training examples is empty")
    end, is_chat = end_of_text(tokenizer), not isinstance(rows[0][1], str)
    if any(isinstance(prompt, str) == is_chat for _, prompt, _ in rows):
        raise UserError("some training examples are chats and some are prompts\nhint: use one of the two in a file")
    if is_chat:
        ends = turn_end(tokenizer).token
        end = end if ends is None else ends
    texts = [prompt if isinstance(prompt, str) else chat_prompt(tokenizer, prompt) for _, prompt, _ in rows]
    pairs = encode_pairs(tokenizer, [(text, answer) for text, (_, _, answer) in zip(texts, rows, strict=True)])
    contexts = (chat_contexts if is_chat else contexts_of)(tokenizer, [prompt for prompt, _ in pairs])
    again = written_again(tokenizer, texts, [answer for _, _, answer in rows], [prompt for prompt, _ in pairs])
    examples, after = [], f" after {n_before} virtual ones" if n_before else ""
    for (item, _, _), context, (_, completion), n_again in zip(rows, contexts, pairs, again, strict=True):
        tokens = [*context, *completion, end]
        if len(tokens) > max_length:
            raise UserError(
                f"item {item!r} has {len(tokens)} tokens with its answer, but the model reads {max_length}{after}\n"
                "hint: leave long items out with `max_characters` in the task file or under `datasets` in the study"
            )
        n = max(1, len(context) - n_again)
        examples.append(Example(tokens, [IGNORED] * n + tokens[n:]))
    return examples


def with_picture(example: Example, patches: list[int], start: list[int]) -> Example:
    """Put the tokens of a picture before a prompt, behind what starts a document; they are not learned."""
    tokens = after_start(example.tokens, patches, start)
    n = len(patches)
    at = len(start) if example.tokens[: len(start)] == start else 0
    return Example(tokens, [*example.targets[:at], *[IGNORED] * n, *example.targets[at:]])


def label_examples(contexts: list[list[int]], places: list[int], *, pad: int) -> list[Example]:
    """Make examples of a choice among labels: after each context the place of the right one is learned.

    The token after it is never looked at.
    """
    return [
        Example([*context, pad], [*[IGNORED] * len(context), place])
        for context, place in zip(contexts, places, strict=True)
    ]


def written_again(
    tokenizer: PreTrainedTokenizerBase, texts: list[str], answers: list[str], prompts: list[list[int]]
) -> list[int]:
    """Count the last tokens of each prompt that are written with the answer, as they are when text is generated.

    They are those that would be others before another answer. Were they not learned, a model would learn to write the
    answers that begin in the midst of them alone.
    """
    found = starts(tokenizer, texts, beginnings(answers, most=TRIED))
    return [
        len(prompt) - len(start.context) if start.context == prompt[: len(start.context)] else 0
        for prompt, start in zip(prompts, found, strict=True)
    ]


def of_text(tokens: list[int]) -> Example:
    """Make an example of running text: every token but the first is learned."""
    return Example(tokens, [IGNORED, *tokens[1:]])


class Sized(Protocol):
    """What has tokens, and takes so much room in a row."""

    @property
    def tokens(self) -> list[int]:
        """All its tokens."""


SomeSized = TypeVar("SomeSized", bound=Sized)


def rows_of(batch: list[SomeSized], row_tokens: int) -> list[list[SomeSized]]:
    """Arrange a batch in rows of at most `row_tokens` tokens (or one longer example), longest first, first fit."""
    rows: list[list[SomeSized]] = []
    for example in sorted(batch, key=lambda one: -len(one.tokens)):
        for row in rows:
            if sum(len(other.tokens) for other in row) + len(example.tokens) <= row_tokens:
                row.append(example)
                break
        else:
            rows.append([example])
    return rows


def shared_tokens(row: list[Example], width: int) -> int:
    """Count the tokens that all prompts begin with, except the last of a prompt, which predicts; 0 where few."""
    alike = len(commonprefix([example.tokens for example in row]))
    prompts = (next(i for i, target in enumerate(example.targets) if target != IGNORED) for example in row)
    n_shared = min(alike, min(prompts) - 1)
    saved = n_shared * (len(row) - 1) / sum(len(example.tokens) for example in row)
    return n_shared if saved * width >= WORTH else 0


def padded(batch: list[Example], *, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad tokens and targets of a batch, (B, T) each, on the right to the longest example."""
    length = max(len(example.tokens) for example in batch)
    tokens = [example.tokens + [pad] * (length - len(example.tokens)) for example in batch]
    targets = [example.targets + [IGNORED] * (length - len(example.targets)) for example in batch]
    return torch.tensor(tokens), torch.tensor(targets)

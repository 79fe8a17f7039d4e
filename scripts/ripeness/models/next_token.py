"""What is written next: which token, and whether the text has ended with it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.models.load import is_even
from ripeness.models.token_healing import Start, allowed, still_to_write, text_after
from ripeness.models.tokens import end_of_text

NO_TOKEN = -1  # is written where the model's numbers are none, and ends the text


@dataclass(frozen=True)
class Stopping:
    """When an answer ends: after this many tokens, before one of these texts, or at one of these tokens.

    The end-of-text token of the tokenizer always ends it.
    """

    max_new_tokens: int
    texts: tuple[str, ...] = ()
    tokens: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Writer:
    """What decides the next token of a text, and whether it was the last. `choose` and `ends` take where it started."""

    choose: Callable[[torch.Tensor, list[tuple[Start, list[int]]]], list[int]]
    ends: Callable[[Start, list[int]], bool]
    max_new_tokens: int

    def is_over(self, start: Start, tokens: list[int]) -> bool:
        """Return whether a text has ended."""
        return len(tokens) >= self.most_tokens(start) or self.ends(start, tokens)

    def most_tokens(self, start: Start) -> int:
        """Return how many tokens a text may get; those of the prompt that are written again do not count."""
        return self.max_new_tokens + start.n_again


def writer_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, stopping: Stopping) -> Writer:
    """Make the writer of answers with these ends."""
    return Writer(chooser(model, tokenizer), answer_ends(tokenizer, stopping), stopping.max_new_tokens)


def greedy(max_new_tokens: int) -> Writer:
    """Make a writer of the most probable tokens that never ends before so many."""
    return Writer(lambda logits, _: most_probable(logits), lambda _, tokens: tokens[-1] == NO_TOKEN, max_new_tokens)


def most_probable(logits: torch.Tensor, *, is_even: bool = True) -> list[int]:
    """Find the most probable token of each row of logits (N, V); NO_TOKEN where logits are not finite.

    They are none either where they are all the same, unless the model `is_even`, see `token_logps`.
    """
    highest, best = logits.max(-1)
    has_numbers = highest.isfinite() & (is_even | (highest > logits.amin(-1)))
    return torch.where(has_numbers, best, NO_TOKEN).tolist()


def chooser(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Callable[[torch.Tensor, list[tuple[Start, list[int]]]], list[int]]:
    """Make a function that gives the most probable next token of each text; of those that may come, while some of the
    prompt's are written again; NO_TOKEN where the model's numbers are none, or all the same (see `token_logps`).
    """
    guesses_evenly = is_even(model)

    @cache
    def may_come(again: str) -> torch.Tensor:
        return torch.tensor(allowed(tokenizer, again), device=model.device)

    def choose(logits: torch.Tensor, texts: list[tuple[Start, list[int]]]) -> list[int]:
        chosen = most_probable(logits, is_even=guesses_evenly)
        for row, (start, tokens) in enumerate(texts):
            again = start.again
            for token in tokens if again else []:
                again = still_to_write(tokenizer, again, token) if again else again
            if again and chosen[row] != NO_TOKEN and len(may_come(again)):
                chosen[row] = int(may_come(again)[logits[row, may_come(again)].argmax()])
        return chosen

    return choose


def end_ids(tokenizer: PreTrainedTokenizerBase, stopping: Stopping) -> frozenset[int]:
    """List the tokens that end an answer."""
    return stopping.tokens | {end_of_text(tokenizer), NO_TOKEN}


def answer_ends(tokenizer: PreTrainedTokenizerBase, stopping: Stopping) -> Callable[[Start, list[int]], bool]:
    """Make a function that says whether an answer ends with its newest token; it has not ended before."""
    over, stops = end_ids(tokenizer, stopping), [text for text in stopping.texts if text]
    # a character is at most four tokens of bytes; one token more, since the first may begin in its midst
    n_read = 4 * max(map(len, stops), default=0) + 1

    @cache
    def may_complete(token: int) -> bool:
        # a character beyond ASCII may be spread over tokens; a space may be lost at the edge of a text
        lasts = {stop[-1] for stop in stops}
        return any(not last.isascii() or last == " " for last in lasts) or any(
            last in tokenizer.decode([token]) for last in lasts
        )

    def ends(start: Start, tokens: list[int]) -> bool:
        if tokens[-1] in over or not stops:
            return tokens[-1] in over
        if not may_complete(tokens[-1]):
            return False
        is_near = start.again and len(tokens) <= n_read  # what the prompt had is written again, and stops nothing
        text = text_after(tokenizer, start, tokens) if is_near else tokenizer.decode(tokens[-n_read:])
        return any(stop in text for stop in stops)

    return ends


def answer_text(tokenizer: PreTrainedTokenizerBase, stopping: Stopping, start: Start, tokens: list[int]) -> str | None:
    """Decode an answer: up to its end token, cut before the first stop text, stripped of white space.

    Other special tokens stay in sight. None where the model's numbers were none.
    """
    if NO_TOKEN in tokens:
        return None
    over = end_ids(tokenizer, stopping)
    n = next((place for place, token in enumerate(tokens) if token in over), len(tokens))
    text = text_after(tokenizer, start, tokens[:n])
    for stop in stopping.texts:
        text = text.split(stop)[0] if stop else text
    return text.strip()

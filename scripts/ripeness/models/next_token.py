"""What is written next: which token, and whether the text has ended with it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.models.load import is_even
from ripeness.models.token_healing import Start, allowed, still_to_write, text_after
from ripeness.models.tokens import end_of_text

NO_TOKEN = -1  # is written where the model's numbers are none, and ends the text
ROWS = 64  # of logits from which tokens are drawn at once, so that their sums need little memory


@dataclass(frozen=True)
class Stopping:
    """When an answer ends: after this many tokens, before one of these texts, or at one of these tokens.

    The end-of-text token of the tokenizer always ends it.
    """

    max_new_tokens: int
    texts: tuple[str, ...] = ()
    tokens: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn: at a temperature, from the most probable ones that together have the share `top_p`."""

    temperature: float = 1.0
    top_p: float = 1.0


@dataclass(frozen=True)
class Drawn(Start):
    """Where a text starts that is drawn: `chances` has a number from 0 to 1 for each of its tokens, which decides it.

    So a text depends neither on others nor on how many are written side by side.
    """

    chances: tuple[float, ...] = ()


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


def drawing_writer(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, stopping: Stopping, sampling: Sampling
) -> Writer:
    """Make the writer of answers that are drawn; each must start as `Drawn`."""
    return Writer(drawer(model, tokenizer, sampling), answer_ends(tokenizer, stopping), stopping.max_new_tokens)


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
    guesses_evenly, only = is_even(model), only_allowed(model, tokenizer)

    def choose(logits: torch.Tensor, texts: list[tuple[Start, list[int]]]) -> list[int]:
        chosen = most_probable(logits, is_even=guesses_evenly)
        for row, may_come in only(texts):
            if chosen[row] != NO_TOKEN:
                chosen[row] = int(may_come[logits[row, may_come].argmax()])
        return chosen

    return choose


def only_allowed(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Callable[[list[tuple[Start, list[int]]]], Iterator[tuple[int, torch.Tensor]]]:
    """Make a function that gives the tokens that may come next, for the texts where some of the prompt is still to be
    written again; with their places among the texts."""

    @cache
    def may_come(again: str) -> torch.Tensor:
        return torch.tensor(allowed(tokenizer, again), device=model.device)

    def only(texts: list[tuple[Start, list[int]]]) -> Iterator[tuple[int, torch.Tensor]]:
        for row, (start, tokens) in enumerate(texts):
            again = start.again
            for token in tokens if again else []:
                again = still_to_write(tokenizer, again, token) if again else again
            if again and len(may_come(again)):
                yield row, may_come(again)

    return only


def drawer(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, sampling: Sampling
) -> Callable[[torch.Tensor, list[tuple[Start, list[int]]]], list[int]]:
    """Make a function that draws the next token of each text, as its chances decide; see `chooser`."""
    guesses_evenly, only = is_even(model), only_allowed(model, tokenizer)

    def choose(logits: torch.Tensor, texts: list[tuple[Start, list[int]]]) -> list[int]:
        lost = [token == NO_TOKEN for token in most_probable(logits, is_even=guesses_evenly)]
        for row, may_come in only(texts):
            others = torch.ones_like(logits[row], dtype=torch.bool).index_fill(0, may_come, False)
            logits[row] = logits[row].masked_fill(others, -torch.inf)
        chances = torch.tensor(
            [chance_of(start, len(tokens)) for start, tokens in texts],
            dtype=torch.float64,
            device=logits.device,
        )
        parts = zip(logits.split(ROWS), chances.split(ROWS), strict=True)
        drawn = [token for part, chance in parts for token in draw(part, chance, sampling)]
        return [NO_TOKEN if is_lost else token for is_lost, token in zip(lost, drawn, strict=True)]

    return choose


def chance_of(start: Start, place: int) -> float:
    """Return the chance of a text's token; any for a text that has ended, at which nobody looks."""
    return start.chances[place] if isinstance(start, Drawn) and place < len(start.chances) else 0.0


def draw(logits: torch.Tensor, chances: torch.Tensor, sampling: Sampling) -> list[int]:
    """Draw a token for each row of logits (N, V), by the place of its chance (N,) in the sum of probabilities."""
    shares = (logits.float() / sampling.temperature).softmax(-1)
    if sampling.top_p < 1:
        ordered, order = shares.sort(dim=-1, descending=True, stable=True)
        is_beyond = ordered.cumsum(-1, dtype=torch.float64) - ordered >= sampling.top_p
        shares = shares.scatter(1, order, ordered.masked_fill(is_beyond, 0.0))
    sums = shares.cumsum(-1, dtype=torch.float64)
    # a chance is below 1, so that the first sum above it is of a token with a share
    return torch.searchsorted(sums, (chances * sums[:, -1])[:, None], right=True)[:, 0].tolist()


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

"""Pairs of a better and a worse answer to a prompt, from items with options."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from transformers import PreTrainedTokenizerBase

from ripeness.models.batching import Example, encode_examples
from ripeness.runtime.errors import UserError
from ripeness.study.equal_options import right_places


@dataclass(frozen=True)
class Pair:
    """A better and a worse answer to one prompt, and the `place` of the pair among all."""

    chosen: Example
    rejected: Example
    place: int

    @property
    def answers(self) -> list[Example]:
        """Return both answers, the better one first."""
        return [self.chosen, self.rejected]

    @property
    def tokens(self) -> list[int]:
        """Return the tokens of both."""
        return [*self.chosen.tokens, *self.rejected.tokens]


def pairs_of(rows: Sequence[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, *, max_length: int) -> list[Pair]:
    """Make one pair of each item: its right option against a wrong one, or one drawn of several."""
    texts = []
    for row in rows:
        prompt = row.get("turns") or row["prompt"]
        wrong = wrong_options(row)
        worse = wrong[0] if len(wrong) == 1 else random.Random(row["item"]).choice(wrong)
        texts += [(row["item"], prompt, row["choices"][row["gold"]]), (row["item"], prompt, worse)]
    encoded = encode_examples(texts, tokenizer, max_length=max_length)
    return [Pair(encoded[2 * place], encoded[2 * place + 1], place) for place in range(len(rows))]


def wrong_options(row: dict[str, Any]) -> list[str]:
    """Return the options of an item that say something else than the right one; UserError where there is none."""
    right = set(right_places(row)) if row["choices"] else set()
    wrong = [option for place, option in enumerate(row["choices"]) if place not in right]
    if not wrong:
        raise UserError(
            f"item {row['item']!r} has no worse answer: its options are {row['choices']}\n"
            "hint: a task of kind preference, or a choice whose options differ"
        )
    return wrong


def cycled(batch: Sequence[Pair], longest: int) -> Iterable[Example]:
    """Put after each prompt of a batch, of all better answers and then of all worse ones, the answer of the one before.

    The first prompt has the last answer. What is longer than the longest sequence of the training is cut.
    """
    answers = [pair.chosen for pair in batch] + [pair.rejected for pair in batch]
    for own, other in zip(answers, [answers[-1], *answers[:-1]], strict=True):
        found = joined(own, other)
        yield Example(found.tokens[:longest], found.targets[:longest])


def joined(prompt: Example, answer: Example) -> Example:
    """Put the answer of one example after the prompt of another."""
    n, m = n_prompt(prompt), n_prompt(answer)
    return replace(
        prompt, tokens=prompt.tokens[:n] + answer.tokens[m:], targets=prompt.targets[:n] + answer.targets[m:]
    )


def n_prompt(example: Example) -> int:
    """Count the tokens before the first that is learned."""
    return next(place for place, target in enumerate(example.targets) if target >= 0)

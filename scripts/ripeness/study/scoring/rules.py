"""Rewards by a rule of the task: what a text is worth, without a model (what is called verifiable rewards)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.study.scoring.answers import Text
from ripeness.study.scoring.metrics import BY_NAME
from ripeness.study.user_patterns import PatternError, search


@dataclass(frozen=True)
class Rule:
    """What texts are worth, from 0 to 1: a metric of generated texts, or else the first pattern that is found.

    `words` says which words ROUGE-L compares; `extract` finds the part of a text that is compared for an exact match,
    such as the number after `####`. `patterns` are regular expressions with what a text is worth in which they are
    found; each is searched in the prompt, a line end and the text.
    """

    metric: str = "exact_match"
    words: str = "english"
    extract: str | None = None
    patterns: tuple[tuple[str, float], ...] = ()

    def reward(self, row: Mapping[str, Any], text: str) -> float:
        """Return what a text after an item's prompt is worth, from 0 to 1."""
        if self.patterns:
            whole = f"{prompt_of(row)}\n{text}"
            return float(next((worth for pattern, worth in self.patterns if found_in(pattern, whole)), 0))
        found = (BY_NAME[self.metric].of_item or unknown)(self.answer(row, text))
        if found is None:
            raise ValueError(f"item {row.get('item')!r} has no {self.metric}")
        return float(found)

    def is_right(self, row: Mapping[str, Any], text: str) -> bool:
        """Tell whether a text, or what is extracted from it, is a right one; by patterns, if none is worth more."""
        if self.patterns:
            return self.reward(row, text) == max(worth for _, worth in self.patterns)
        return bool(self.answer(row, text).is_exact)

    def answer(self, row: Mapping[str, Any], text: str) -> Text:
        """Put a text next to the right ones of an item."""
        return Text({**row, "text": text}, self.words, self.extract)


def prompt_of(row: Mapping[str, Any]) -> str:
    """Return the prompt of an item as text; of a chat what its turns say."""
    return row["prompt"] or "\n".join(turn["content"] for turn in row.get("turns") or [])


def found_in(pattern: str, text: str) -> bool:
    """Tell whether a pattern is found in a text; UserError for one that takes too long."""
    try:
        return search(pattern, text) is not None
    except PatternError as error:
        raise UserError(f"{error}\nhint: fix `reward` of the task; nested repetitions take the longest") from None


def unknown(answer: Text) -> None:
    """Return no number, for a metric that is not of single items."""

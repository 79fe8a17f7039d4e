"""Preferences among own texts: the start draws two after each prompt, and a rule or a reward model ranks them.

Texts that are worth the same make no pair. They are drawn once, before the first step, by the training's seed, so that
a training that is cut off draws the same ones again. Both texts are learned as they were drawn, with the token that
ended them.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from ripeness.models.forward.packing import packing
from ripeness.models.load import load_model
from ripeness.models.tokens import end_of_text
from ripeness.study.objectives.preferences import PreferenceGoal
from ripeness.train.objectives.drawn_texts import drawn, seed_of, with_prompt
from ripeness.train.objectives.held_out import Asked
from ripeness.train.objectives.own_texts import mean
from ripeness.train.objectives.pairs import Pair
from ripeness.train.objectives.policy import asked_of
from ripeness.train.objectives.preferences import Preferences
from ripeness.train.reading import Reading, Room

ROW_TOKENS = 2048  # that are read at once
NO_PAIR = "no two texts of the start after one prompt differ in what they are worth: there is no pair to learn from"


class OwnPairs(Preferences):
    """Learning preferences among texts that the start has drawn."""

    def __init__(self, goal: PreferenceGoal, asked: Asked, *, start: Path, seed: int, precision: str) -> None:
        """Keep what is asked, and of which model."""
        super().__init__(goal)
        self.asked, self.start_folder, self.seed, self.precision = asked, start, seed, precision
        self.drawn_pairs: dict[str, Any] = {}

    def units(
        self, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, *, max_length: int, n_before: int = 0
    ) -> Sequence[Pair]:
        """Draw two texts after each prompt, and make a pair of those that differ in what they are worth."""
        model, questions = load_model(self.start_folder), list(self.asked.questions)
        most = max(len(one.tokens) + one.start.n_again for one in questions)
        with packing(model, most + self.asked.drawing.stopping.max_new_tokens) as is_packed:
            room = Room(Reading(model, end_of_text(tokenizer), is_packed, self.precision), ROW_TOKENS)
            several, written = drawn(self.asked.drawing, questions, 2, seed_of(self.seed, "pairs"), room)
        texts = [self.asked.drawing.text(*one) for one in zip(several, written, strict=True)]
        rewards, truths = self.asked.rewards.of(several, written, texts)
        ranked = better_and_worse(rewards)
        self.drawn_pairs = {"n_prompts": len(questions), "n_pairs": len(ranked)}
        if ranked:
            for name, values in (("reward", rewards), ("truth", truths)):
                sides = ("chosen", [one for one, _ in ranked]), ("rejected", [one for _, one in ranked])
                self.drawn_pairs |= {
                    f"{name}_{side}": mean([values[place] for place in places]) for side, places in sides
                }
        logging.info("texts after %d of %d prompts differ in what they are worth", len(ranked), len(questions))
        return [
            Pair(with_prompt(several[one], written[one]), with_prompt(several[other], written[other]), place)
            for place, (one, other) in enumerate(ranked)
        ]

    def record(self) -> dict[str, Any]:
        """Return what was drawn in addition."""
        return super().record() | {"drawn_pairs": self.drawn_pairs}


def better_and_worse(rewards: Sequence[float]) -> list[tuple[int, int]]:
    """Return the places of the better and the worse of every two texts; not of equal ones, or of what is no number."""
    found = []
    for first in range(0, len(rewards), 2):
        one, other = rewards[first : first + 2]
        if one > other:
            found.append((first, first + 1))
        elif other > one:
            found.append((first + 1, first))
    return found


def preferences_of(
    goal: PreferenceGoal, *, start: Path | None = None, precision: str = "auto", **asked: Any
) -> Preferences:
    """Return what learning preferences lowers, from the answers of the dataset, or from texts that the start draws."""
    if start is None:
        return Preferences(goal)
    seed = asked.pop("seed")
    return OwnPairs(goal, asked_of(**asked), start=start, seed=seed, precision=precision)

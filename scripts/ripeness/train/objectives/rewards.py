"""What texts of a policy are worth: by a rule of the task, by a reward model, or by both."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ripeness.study.scoring.rules import Rule
from ripeness.train.objectives.drawn_texts import Question


@dataclass(frozen=True)
class Rewards:
    """The rule of a task, and what a reward model says of whole texts, with the share of the rule.

    A whole text is a prompt with its answer and the token `end`, as a reward model learns it.
    """

    rule: Rule | None
    model: Callable[[list[list[int]]], list[float]] | None = None
    rule_share: float = 0.0
    end: int = 0

    def of(
        self, questions: Sequence[Question], written: Sequence[list[int]], texts: Sequence[str | None]
    ) -> tuple[list[float], list[float]]:
        """Return what each text is rewarded with, and what it is worth by the rule; NaN where there is no text."""
        truths = [
            math.nan if text is None or self.rule is None else self.rule.reward(question.row, text)
            for question, text in zip(questions, texts, strict=True)
        ]
        if self.model is None:
            return truths, truths
        whole = [
            [*question.tokens, *(max(token, 0) for token in tokens), *([] if tokens[-1] == self.end else [self.end])]
            for question, tokens in zip(questions, written, strict=True)
        ]
        found, share = self.model(whole), self.rule_share
        both = zip(truths, texts, found, strict=True)
        return [math.nan if text is None else mixed(truth, one, share) for truth, text, one in both], truths


def mixed(truth: float, of_model: float, share: float) -> float:
    """Mix what the rule and the model say, in which the rule has a share."""
    return share * truth + (1 - share) * of_model if share else of_model

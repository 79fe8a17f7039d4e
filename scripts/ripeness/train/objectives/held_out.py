"""Own texts of a policy and of the model that it started from, after prompts that no training learned from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ripeness.models.next_token import Sampling
from ripeness.train.objectives.drawn_texts import Drawing, Question, drawn, with_prompt
from ripeness.train.objectives.own_texts import Answered, mean_with_interval, spread, summary_of_texts, wins_over
from ripeness.train.objectives.rewards import Rewards
from ripeness.train.objectives.start_weights import StartWeights
from ripeness.train.reading import Room


@dataclass(frozen=True)
class Asked:
    """What a policy is asked: how texts are drawn and rewarded, the questions, and others on which it is measured."""

    drawing: Drawing
    rewards: Rewards
    questions: Sequence[Question]
    held_out: Sequence[Question]


def measured(asked: Asked, n: int, seed: int, before: StartWeights, room: Room) -> dict[str, Any]:
    """Compare `n` own texts of the result and of the start after each prompt.

    They are drawn at temperature 1 from all tokens, so that the KL divergence of these texts is that of the models.
    """
    questions = spread(asked.held_out)
    drawing = replace(asked.drawing, sampling=Sampling())
    clusters = [question.row.get("cluster") or question.row["item"] for question in questions]
    several, written = drawn(drawing, questions, n, seed, room)
    result = answered(asked, several, written, n)
    with before.in_place():
        start = answered(asked, *drawn(drawing, questions, n, seed, room), n)
    found: dict[str, Any] = {"n_items": len(questions), "n_texts": n}
    if result is None or start is None:
        return found
    rule = asked.rewards.rule
    of_reference = [rule.reward(one.row, one.row["target"].strip()) for one in questions] if rule else None
    found |= {
        "start": summary_of_texts(start, of_reference, clusters),
        "result": summary_of_texts(result, of_reference, clusters),
    }
    found["win_rate_over_start"] = wins_over(result, start, clusters)
    kl = divergences(several, written, before, room)
    means = [sum(kl[first : first + n]) / n for first in range(0, len(kl), n)]
    return found | {"kl": mean_with_interval(means, clusters)}


def divergences(
    questions: Sequence[Question], written: Sequence[list[int]], before: StartWeights, room: Room
) -> list[float]:
    """Compute how much more log-probability (nats) the result gives to each of its texts than the start does."""
    examples = [with_prompt(*one) for one in zip(questions, written, strict=True)]
    now = room.read(lambda reading, n: reading.logps(examples, n), list(examples))
    with before.in_place():
        then = room.read(lambda reading, n: reading.logps(examples, n), list(examples))
    return [(a.double() - b.double()).sum().item() for a, b in zip(now, then, strict=True)]


def answered(asked: Asked, questions: Sequence[Question], written: Sequence[list[int]], n: int) -> Answered | None:
    """Reward texts, `n` after each question; None where the model gave no numbers."""
    texts = [asked.drawing.text(*one) for one in zip(questions, written, strict=True)]
    if None in texts:
        return None
    rewards, truths = asked.rewards.of(questions, written, texts)
    rule, both = asked.rewards.rule, zip(questions, texts, strict=True)
    right = [rule.is_right(one.row, str(text)) for one, text in both] if rule else []

    def by_prompt(values: Sequence[Any]) -> list[list[Any]]:
        return [list(values[first : first + n]) for first in range(0, len(values), n)]

    return Answered(by_prompt(texts), by_prompt(rewards), by_prompt(truths) if rule else [], by_prompt(right))

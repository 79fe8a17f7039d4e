"""What a model's own texts after held-out prompts are like, and those of the model that it started from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ripeness.stats.repeated_tries import (
    distinct_share,
    ks_of,
    mean_with_interval,
    pass_at,
    share_with_interval,
    win_share,
)

MOST_ASKED = 100  # prompts
FEW = 0.02  # share of texts that are right
Interval = dict[str, float | None]


@dataclass(frozen=True)
class Answered:
    """Texts after each of some prompts: what each is rewarded with, what it is worth by the rule, if it is right.

    The latter two are empty where there is no rule.
    """

    texts: list[list[str]]
    rewards: list[list[float]]
    truths: list[list[float]]
    right: list[list[bool]]


def summary_of_texts(
    answered: Answered, of_reference: Sequence[float] | None, clusters: Sequence[str]
) -> dict[str, Any]:
    """Summarise texts: rewards, pass@k, wins against the right answers by the rule, and how different texts are.

    `of_reference` is what the right answers are worth by the rule; None where there is none.
    """
    n = len(answered.texts[0])
    distinct = [distinct_share(texts) for texts in answered.texts]
    found: dict[str, Any] = {"reward": mean_with_interval([mean(row) for row in answered.rewards], clusters)}
    if of_reference is not None:
        wins = [win_share(row, [reference]) for row, reference in zip(answered.truths, of_reference, strict=True)]
        found["truth"] = share_with_interval([mean(row) for row in answered.truths], clusters)
        found["win_rate"] = share_with_interval(wins, clusters)
        found["pass_at"] = {
            str(k): share_with_interval([pass_at(k, n, sum(row)) for row in answered.right], clusters) for k in ks_of(n)
        }
    if n > 1:
        found["distinct"] = share_with_interval([one for one in distinct if one is not None], clusters)
    return found


def wins_over(result: Answered, start: Answered, clusters: Sequence[str]) -> Interval:
    """Compute how often a text of the result is worth more than one of the start; as much counts half.

    By the rule, or by the reward where there is no rule.
    """
    pairs = zip(result.truths or result.rewards, start.truths or start.rewards, strict=True)
    found = [win_share(ours, theirs) for ours, theirs in pairs]
    return share_with_interval(found, clusters)


def spread(items: Sequence[Any], most: int = MOST_ASKED) -> list[Any]:
    """Take at most so many items, evenly."""
    return list(items[:: max(1, -(-len(items) // most))])


def mean(values: Sequence[float]) -> float:
    """Compute a mean."""
    return sum(values) / len(values)


def few_are_right(start: dict[str, Any]) -> list[str]:
    """Warn of a start that hardly ever gives a right text, from which nothing can be learned."""
    share = start["pass_at"]["1"]["value"] if "pass_at" in start else 1.0
    if share >= FEW:
        return []
    return [f"of the start's own texts {share:.1%} are right; what a model hardly ever draws can hardly be rewarded"]


def rise_without_truth(rewards: Sequence[float | None], truths: Sequence[float | None]) -> str | None:
    """Say where the reward rose while its truth by the rule fell; None where they did not part.

    The last quarter of rounds is held against the first one; each change must be twice its standard error.
    """
    both = [(a, b) for a, b in zip(rewards, truths, strict=True) if a is not None and b is not None]
    n = len(both) // 4
    if n < 2:
        return None
    (up, up_error), (down, down_error) = (change(values[:n], values[-n:]) for values in zip(*both, strict=True))
    if up <= 2 * up_error or down >= -2 * down_error:
        return None
    return (
        f"the reward rose by {up:.3g} while what the rule says of the same texts fell by {-down:.3g}: the policy "
        "learned what the reward model wrongly likes"
    )


def change(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """Compute the difference of two means, and its standard error over rounds."""
    difference = mean(after) - mean(before)
    variance = sum(
        sum((value - mean(part)) ** 2 for value in part) / (len(part) - 1) / len(part) for part in (before, after)
    )
    return difference, variance**0.5

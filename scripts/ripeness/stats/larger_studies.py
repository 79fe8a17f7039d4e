"""Compute what a larger study would show: the variance of an effect at another size, and the size that decides a claim.

The parts of the variance are those that were measured, and the true effect is taken to be the measured one. Items fall
with the number of items, seeds with that of seeds, and so on; the scatter of datasets holds items, seeds and the
datasets' own scatter of checkpoints, which are taken out of it first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ripeness.stats.at_large import Sources, at_large_component
from ripeness.stats.random_levels import Component
from ripeness.stats.verdicts import POWER, Part, chances_of

MOST = 100  # times as many of a level are tried
ALL = "times all of them"  # the levels together


class Size(NamedTuple):
    """How many of each level a study has; 0 where the effect does not vary by it or its number is not known.

    Items are those of all datasets of the study, and further datasets have as many each; checkpoints are those that the
    effect is the mean of.
    """

    items: int
    seeds: int
    checkpoints: int
    datasets: int


@dataclass(frozen=True)
class Spread:
    """What the variance of an effect on datasets like these is made of, in a study of size `now`."""

    sources: Sources
    datasets: Component
    now: Size
    confidence: float = 0.95

    def at(self, size: Size) -> Component:
        """Compute the variance of the effect, with its degrees of freedom, in a study of another size."""
        grown = [max(new, 1) / max(old, 1) for new, old in zip(size, self.now, strict=True)]
        items, seeds, checkpoints, datasets = grown
        found = self.sources
        fewer = replace(
            found,
            items=Component(
                found.items.variance / (items * datasets), (found.items.df + 1) * items * datasets - 1
            ),
            seeds=found.seeds and Component(
                found.seeds.variance / (seeds * checkpoints * datasets),
                found.seeds.df * datasets * max(size.seeds - 1, 1) / max(self.now.seeds - 1, 1),
            ),
            shared=found.shared and Component(
                found.shared.variance / checkpoints,
                max(found.shared.df + size.checkpoints - self.now.checkpoints, 1.0),
            ),
            checkpoints=None,
        )  # fmt: skip
        beyond = self.beyond_seeds / (checkpoints * datasets)
        before, after = within(found) + self.beyond_seeds, within(fewer) + beyond
        apart = self.datasets.variance - before
        variance = apart / datasets + after if apart > 0 else self.datasets.variance * after / before
        scatter = Component(variance, max((self.datasets.df + 1) * datasets - 1, 1.0))
        return at_large_component(scatter, fewer, confidence=self.confidence)

    @property
    def beyond_seeds(self) -> float:
        """The scatter of checkpoints that each dataset has of its own, less that of seeds, which it holds."""
        checkpoints, shared, seeds = (
            part.variance if part else 0.0
            for part in (self.sources.checkpoints, self.sources.shared, self.sources.seeds)
        )
        return max(checkpoints - shared - seeds, 0.0)


def within(sources: Sources) -> float:
    """Add the variances of items and of seeds."""
    return sources.items.variance + (sources.seeds.variance if sources.seeds else 0.0)


def chance_of(tests: Sequence[Sequence[Part]], level: float, size_of: Callable[[Spread], Size]) -> float:
    """Compute the share of studies of another size that decide a claim, if its true effects are the measured ones.

    Parts of a claim are taken as independent. It is decided if all parts of any alternative hold, or if one of each
    alternative falls.
    """
    supported, fallen = 0.0, 1.0
    for parts in tests:
        holds, falls = 1.0, 0.0
        for part in parts:
            spread = spread_of(part)
            variance, df = spread.at(size_of(spread))
            holds *= chances_of(part, level, se=variance**0.5, df=df)[0]
            falls = max(falls, chances_of(part, level / len(parts), se=variance**0.5, df=df)[1])
        supported, fallen = max(supported, holds), min(fallen, falls)
    return min(1.0, supported + fallen)


def spread_of(part: Part) -> Spread:
    """Return what a part's effect varies by; only for parts that know it."""
    if not isinstance(part.spread, Spread):
        raise TypeError("the part does not say what its effect varies by")
    return part.spread


def more_needed(tests: Sequence[Sequence[Part]], level: float) -> dict[str, dict[str, int | None]]:
    """Find how many of each level alone, and how many times all, would decide a claim with 80 % power at `level`.

    Returns {level: {"now", "needed"}}, `needed` None where 100 times as many would not do; empty where the parts do not
    say what their effects vary by. `now` of `ALL` is 1: so many times the study.
    """
    parts = [part for parts in tests for part in parts]
    if not parts or not all(isinstance(part.spread, Spread) for part in parts):
        return {}
    now = spread_of(parts[0]).now
    known = [name for name, here in now._asdict().items() if here]
    alone = {
        name: {"now": (here := getattr(now, name)), "needed": least_of([name], here, tests, level)} for name in known
    }
    return alone | {ALL: {"now": 1, "needed": least_of(known, 1, tests, level)}}


def least_of(names: Sequence[str], now: int, tests: Sequence[Sequence[Part]], level: float) -> int | None:
    """Find the least number, of `now`, to which some levels must grow to decide a claim with 80 % power."""

    def is_enough(number: int) -> bool:
        def size_of(spread: Spread) -> Size:
            grown = {name: round(getattr(spread.now, name) * number / now) for name in names}
            return spread.now._replace(**grown)

        return chance_of(tests, level, size_of) >= POWER

    low, high = now, now * MOST
    if not is_enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high

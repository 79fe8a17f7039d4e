"""Define what is known of something that a model can learn: its settings, their checks, and the tasks that have it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ripeness.study.methods.settings import POLICY, Reference, no_check, no_references


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Settings of what is learned, apart from those of how; a subclass has those of one thing that can be learned."""


@dataclass(frozen=True)
class Learned:
    """What the config and the plan know of something that can be learned besides answers and text.

    `name` is the value of `learns`, `means` says what it is, and `settings` is the class of its settings. `keys` is the
    JSON schema of these, without types and defaults, which the dataclass has. `example` shows values of required ones.
    `kinds` are the kinds of tasks that it can be learned from, and `needs` says so in words; `drawn_kinds` are those
    for settings that draw the pairs (`draws_pairs`). `refused` gives the reason and a hint for settings of tuning that
    do not go with it. `check(where, given)` raises UserError for settings that cannot be. A model that `has_reward`
    says what it was taught by a reward, and no longer in words: its own dataset alone is measured, and no training
    starts from it. `reads(given)` are the methods whose models are read in addition to the start.
    """

    name: str
    means: str
    settings: type[Goal]
    kinds: tuple[str, ...]
    needs: str
    drawn_kinds: tuple[str, ...] = ()
    keys: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    example: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[str, Mapping[str, Any]], None] = no_check
    has_reward: bool = False
    reads: Callable[[Mapping[str, Any]], list[Reference]] = no_references

    def kinds_for(self, given: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the kinds of tasks that it can be learned from with these settings."""
        return self.drawn_kinds if draws_pairs(given) else self.kinds


def draws_pairs(given: Mapping[str, Any]) -> bool:
    """Tell whether pairs of answers are drawn from the start of a training."""
    return given.get("pairs") is not None


def draws_texts(given: Mapping[str, Any]) -> bool:
    """Tell whether a training draws texts, and must know what they are worth: a policy, or pairs of its start."""
    return given.get("learns") == POLICY or draws_pairs(given)


def ranked_by(given: Mapping[str, Any]) -> str:
    """Return what says which of its texts are better: RULE, or the method of a reward model."""
    return str(given.get("reward") or given["pairs"])

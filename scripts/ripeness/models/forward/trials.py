"""Trials of how a model may be read, which are kept until something is put before its texts or taken away."""

from typing import Protocol, TypeVar


class Cached(Protocol):
    """A function that keeps what it has found."""

    def cache_clear(self) -> None:
        """Forget what was found."""


Kept = TypeVar("Kept", bound=Cached)

TRIALS: list[Cached] = []


def trial(kept: Kept) -> Kept:
    """Name a function with a cache as a trial of a model."""
    TRIALS.append(kept)
    return kept


def forget_trials() -> None:
    """Have all trials run again: a model reads texts in another way from now on."""
    for kept in TRIALS:
        kept.cache_clear()

"""What must hold for datasets of both kinds to exist: learned in pre-training, and never learned."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from ripeness.findings.finding import Settings
from ripeness.stats.resampling import Estimate
from ripeness.stats.verdicts import EFFECT, NO_HARM, Part


class Class(NamedTuple):
    """How one dataset is classed, with its score above the floor and the rise of it in pre-training."""

    dataset: str
    kind: str
    above: Estimate
    rise: Estimate


def kinds_apart(classes: Sequence[Class], gap: Estimate, settings: Settings) -> list[Part]:
    """Say what must hold for both kinds to exist: the clearest dataset of each, and a gap between the kinds.

    Each dataset is the clearest of all, which its p is corrected for; that no dataset is of a kind cannot be shown.
    """
    margin, above, later = settings.learned_margin, "score above the floor", "score, later minus earlier checkpoints"
    learned = max((one for one in classes if one.kind == "learned"), key=lambda one: clear_of(one.above, margin))
    never = min((one for one in classes if one.kind == "never"), key=lambda one: clear_of(one.above, margin))
    exists = partial(Part, tries=len(classes), may_fall=False)
    return [
        exists(learned.above, margin, EFFECT, label=f"{learned.dataset} is learned", unit=above),
        exists(learned.rise, 0.0, EFFECT, label=f"{learned.dataset} rises", unit=later),
        exists(never.above, margin, NO_HARM, label=f"{never.dataset} is never learned", unit=above),
        Part(gap, settings.smallest_effect, EFFECT, label="the gap between them"),
    ]


def clear_of(result: Estimate, limit: float) -> float:
    """Count the standard errors by which an estimate is above a limit."""
    distance = result.effect - limit
    return distance / result.se if result.se > 0 else float("inf") * distance

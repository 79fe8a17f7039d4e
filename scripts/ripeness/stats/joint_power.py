"""Compute what studies detect of a claim that holds only if all its parts do: the power of all tests together.

Parts are taken as independent, as they are where they rest on different models and items; if their errors go along,
the power is larger than is said.
"""

from collections.abc import Sequence
from math import prod

from ripeness.stats.verdicts import EFFECT, POWER, Part


def share_that_holds(parts: Sequence[Part], level: float) -> float | None:
    """Compute the share of studies that support all parts that expect no effect, or no harm, if they are truly 0.

    None if such a part cannot tell; 1 without such parts.
    """
    shares = [part.power_at_zero(level) for part in parts if part.expects != EFFECT]
    known = [share for share in shares if share is not None]
    return prod(known) if len(known) == len(shares) else None


def jointly_detectable(part: Part, parts: Sequence[Part], level: float) -> float | None:
    """Compute the true effect of one of the parts at which 80 % of studies support all of them, tested at a level.

    Other effects are then as detectable as this one, and parts of no effect or no harm truly 0. None if the part
    expects no effect, or if no effect is large enough.
    """
    others = share_that_holds(parts, level)
    if part.expects != EFFECT or others is None or others <= POWER or not all(one.may_hold for one in parts):
        return None
    n_effects = sum(one.expects == EFFECT for one in parts)
    return part.detectable(level, power=(POWER / others) ** (1 / n_effects))


def joint_power_at_zero(parts: Sequence[Part], level: float) -> float | None:
    """Compute the share of studies that can support all parts at most, with true effects of 0 where none is expected.

    Of a claim that expects effects too it is what the other parts leave, however large the effects are; None where all
    parts expect effects.
    """
    return share_that_holds(parts, level) if any(part.expects != EFFECT for part in parts) else None

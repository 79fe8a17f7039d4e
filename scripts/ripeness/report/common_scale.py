"""One scale for the intervals of all claims: multiples of the smallest effect that matters.

So the zone of effects that are too small to matter is at the same place for every claim, whatever its unit. The scale
is linear near 0 and logarithmic further out (asinh), since some effects are a hundred times what matters.
"""

from collections.abc import Mapping, Sequence
from math import asinh
from typing import Any

LEAST_REACH = 3.0  # multiples that are shown at least
TICKS = (1, 3, 10, 30, 100, 300, 1000)


def in_smallest_effects(finding: Mapping[str, Any]) -> dict[str, float] | None:
    """Divide a claim's effect, its interval and the one that decided by the smallest effect; None where one lacks."""
    ends = {name: finding.get(name) for name in ("low", "effect", "high")}
    smallest = finding.get("smallest")
    if not smallest or any(value is None for value in ends.values()):
        return None
    for name in ("low", "high"):
        decided = finding.get(f"decided_{name}")
        ends[f"decided_{name}"] = ends[name] if decided is None else decided
    return {name: value / smallest for name, value in ends.items() if value is not None}


def reach_of(findings: Sequence[Mapping[str, Any]]) -> float:
    """Find how far the scale must go for all claims."""
    found = [max(map(abs, ends.values())) for ends in map(in_smallest_effects, findings) if ends]
    return 1.1 * max([LEAST_REACH, *found])


def place(value: float, reach: float) -> float:
    """Place a multiple on the scale, from 0 to 100; 0 is in the middle."""
    return 50 + 50 * asinh(value) / asinh(reach)


def scale_of(finding: Mapping[str, Any], reach: float) -> dict[str, float] | None:
    """Place a claim's effect, both intervals and the zone of effects that are too small to matter."""
    ends = in_smallest_effects(finding)
    if ends is None:
        return None
    return {name: place(value, reach) for name, value in (ends | {"zone_low": -1.0, "zone_high": 1.0}).items()}


def ticks(reach: float) -> list[tuple[str, float]]:
    """Name the places that head the scale: 0, and at most two multiples of 1, 3, 10, ... on each side."""
    within = [tick for tick in TICKS if tick < reach]
    shown = within if len(within) < 3 else [within[0], within[len(within) // 2 + 1]]
    named = [(f"−{tick}", place(-tick, reach)) for tick in reversed(shown)]
    return [*named, ("0", 50.0), *((f"{tick}", place(tick, reach)) for tick in shown)]

"""Verdicts of all claims that a study tests together: one rule, and Holm's correction decides."""

from collections.abc import Sequence
from dataclasses import replace

from ripeness.findings.finding import Finding, Settings, undecided
from ripeness.stats.designs import as_row
from ripeness.stats.joint_power import joint_power_at_zero, jointly_detectable
from ripeness.stats.larger_studies import Spread, more_needed
from ripeness.stats.verdicts import SUPPORTED, UNDECIDED, Outcome, Part, holm, holm_levels, outcome_of

USED_UP = "all looks that were planned (`findings: {looks: ...}`) are used"


def adjusted(found: Sequence[Finding], settings: Settings) -> list[Finding]:
    """Decide every claim that may be decided, with p corrected for their number (Holm) and for looks before."""
    level = settings.decided_level
    if not level:
        found = [undecided(finding, USED_UP) if finding.tests else finding for finding in found]
    outcomes = [outcome_of(finding.tests) if finding.tests else None for finding in found]
    p_values = [outcome.p_value for outcome in outcomes if outcome]
    corrected = [min(1.0, p * settings.level / level) for p in holm(p_values)] if level else []
    steps = iter(zip(corrected, holm_levels(p_values, level), strict=True))
    return [
        decided(finding, outcome, *next(steps), settings) if outcome else replace(finding, p_value=None, p_holm=None)
        for finding, outcome in zip(found, outcomes, strict=True)
    ]


def levels_of(found: Sequence[Finding], settings: Settings) -> list[float | None]:
    """Find the level that Holm's steps decide each claim at; None for one that may not be decided."""
    p_values = [outcome_of(one.tests).p_value for one in found if one.tests]
    levels = iter(holm_levels(p_values, settings.decided_level))
    return [next(levels) if one.tests else None for one in found]


def decided(finding: Finding, outcome: Outcome, p_holm: float, level: float, settings: Settings) -> Finding:
    """Put the verdict into a finding, with the interval that it is read from: that at the level of Holm's step."""
    part = outcome.part
    low, high = part.interval(level / outcome.share)
    is_joint = sum(map(len, finding.tests)) > 1
    parts = next(parts for parts in finding.tests if any(one is part for one in parts))
    is_open = outcome.p_value > level
    later = level * settings.next_level / settings.decided_level  # what is added now is another look
    return replace(
        finding,
        verdict=UNDECIDED if is_open else outcome.verdict,
        p_value=outcome.p_value,
        p_holm=p_holm,
        mde=jointly_detectable(part, parts, level),
        power_at_zero=joint_power_at_zero(parts, level),
        decided_low=low,
        decided_high=high,
        decided_confidence=1 - level / outcome.share / part.tries,
        needs_more=(more_needed(finding.tests, later) or None) if is_open and later else None,
        variance=as_row(part.spread) if isinstance(part.spread, Spread) else None,
        parts=tuple(part_row(one, len(parts), level, settings) for parts in finding.tests for one in parts if is_joint),
    )


def part_row(part: Part, n_parts: int, level: float, settings: Settings) -> dict[str, object]:
    """Describe one of several parts of a claim: its own numbers, and its verdict at the level of the claim."""
    p_support, (p_against, against) = part.p_values()[SUPPORTED], part.against()
    is_held, is_fallen = p_support <= level, p_against * n_parts <= level
    low, high = part.interval(settings.level)
    return {
        "label": part.label,
        "unit": part.unit,
        "effect": part.result.effect,
        "low": low,
        "high": high,
        "confidence": 1 - settings.level / part.tries,
        "smallest": part.smallest,
        "expects": part.expects,
        "p_value": min(1.0, p_support, p_against * n_parts),
        "verdict": SUPPORTED if is_held else against if is_fallen else UNDECIDED,
        "mde": part.detectable(level),
        "power_at_zero": part.power_at_zero(level),
    }

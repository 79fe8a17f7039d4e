"""How much a verdict rests on one dataset, seed or checkpoint, and on the smallest effect that matters.

Each is left out in turn and the claim is tested again on the others, with fewer draws and at the level of Holm's step
that it was decided at, so that only the data change.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

from ripeness.findings.deciding import levels_of
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.left_out import Member, members_of, without
from ripeness.findings.own_claims import own_findings
from ripeness.findings.own_selection import OwnClaim
from ripeness.findings.register import all_tested
from ripeness.findings.study_tables import Tables
from ripeness.stats.verdicts import UNDECIDED, Part, outcome_of

FEWER_DRAWS, FEWER_PERMUTATIONS = 100, 50

Tests = Sequence[Sequence[Part]]


def with_robustness(
    found: Sequence[Finding], tables: Tables, settings: Settings, own: Sequence[OwnClaim] = ()
) -> list[Finding]:
    """Put into every finding that was decided how its verdict fares with less data and other smallest effects.

    `own` are the user's claims among them. What such a claim names is what it is about, and is not left out of it.
    """
    pairs = zip(found, levels_of(found, settings), strict=True)
    levels = {one.id: level for one, level in pairs if level is not None}
    if not levels:
        return list(found)
    retests = retests_of([one for one in found if one.id in levels], tables, settings, levels, own)
    tried: dict[str, list[tuple[Member, str]]] = {name: [] for name in levels}
    for member in members_of(tables):
        part = without(tables, member)
        kept = [claim for claim in own if not is_named(claim, member)]
        named = {claim.name for claim in own} - {claim.name for claim in kept}
        for settings_, wholes in retests:
            less = tested(part, settings_, wholes, kept)
            for name, whole in wholes.items():
                if name not in named and is_other(less.get(name), whole):
                    tried[name].append((member, verdict_at(less.get(name), levels[name])))
    return [
        replace(one, robustness=robustness_of(one, tried[one.id], levels[one.id])) if one.id in levels else one
        for one in found
    ]


def is_named(claim: OwnClaim, member: Member) -> bool:
    """Say whether a user's claim names what is left out, as a dataset that is tuned on or asked."""
    keys = {"dataset": ("dataset", "probe"), "checkpoint": ("checkpoint",)}.get(member.kind, ())
    return any(name in member.names for key in keys for name in claim.names(key))


def retests_of(
    found: Sequence[Finding],
    tables: Tables,
    settings: Settings,
    levels: Mapping[str, float],
    own: Sequence[OwnClaim] = (),
) -> list[tuple[Settings, dict[str, Finding]]]:
    """Choose the settings that claims are tested again with, each with what these find on the whole study.

    Fewer draws than the study's are used where they give the claim its verdict: else they would be taken for the data.
    """
    fewer = replace(
        settings,
        draws=min(settings.draws, FEWER_DRAWS),
        permutations=min(settings.permutations, FEWER_PERMUTATIONS),
    )
    whole = tested(tables, fewer, levels, own)
    alike = {one.id: whole[one.id] for one in found if verdict_at(whole[one.id], levels[one.id]) == one.verdict}
    others = {one.id: one for one in found if one.id not in alike}
    return [(draws, wholes) for draws, wholes in ((fewer, alike), (settings, others)) if wholes]


def tested(
    tables: Tables, settings: Settings, names: Container[str], own: Sequence[OwnClaim] = ()
) -> dict[str, Finding]:
    """Test the claims of these names."""
    found = own_findings(tables, [claim for claim in own if claim.name in names], settings)
    return {one.id: one for one in [*found, *all_tested(tables, settings, names)]}


def is_other(finding: Finding | None, whole: Finding) -> bool:
    """Say whether what was left out bears on a claim: a claim that does not read it is found the same to the bit."""
    return finding is None or numbers_of(finding) != numbers_of(whole)


def numbers_of(finding: Finding) -> object:
    """List what a claim rests on and what was found for it, in a form in which NaN equals NaN."""
    counts = finding.n_checkpoints, finding.n_seeds, finding.n_items, len(finding.details)
    return repr((finding.effect, finding.low, finding.high, *counts))


def verdict_at(finding: Finding | None, level: float) -> str:
    """Give the verdict of a claim tested at a level; undecided where it may not be decided or cannot be tested."""
    return UNDECIDED if finding is None else verdict_of_tests(finding.tests, level)


def verdict_of_tests(tests: Tests, level: float) -> str:
    """Give the verdict of tests at a level."""
    if not tests:
        return UNDECIDED
    outcome = outcome_of(tests)
    return outcome.verdict if outcome.p_value <= level else UNDECIDED


def scaled(tests: Tests, factor: float) -> Tests:
    """Multiply the smallest effect that matters."""
    return [[replace(part, smallest=factor * part.smallest) for part in parts] for parts in tests]


def robustness_of(finding: Finding, tried: Sequence[tuple[Member, str]], level: float) -> dict[str, object]:
    """Describe how a verdict fares: with each member left out, and at half and twice the smallest effect."""
    changes = [(member, verdict) for member, verdict in tried if verdict != finding.verdict]
    return {
        "n_tried": len(tried),
        "n_same": len(tried) - len(changes),
        "kinds": list(dict.fromkeys(member.kind for member, _ in tried)),
        "changes": [{"left_out": str(member), "verdict": verdict} for member, verdict in changes],
        "at_half": verdict_of_tests(scaled(finding.tests, 0.5), level),
        "at_double": verdict_of_tests(scaled(finding.tests, 2.0), level),
    }

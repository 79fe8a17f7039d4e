"""The findings: claims that are tested on the measurements of a study."""

from collections.abc import Callable
from dataclasses import asdict, replace

import polars as pl

from ripeness.findings.finding import Finding, Settings
from ripeness.findings.format_spread.claim import format_spread
from ripeness.findings.format_spread.without_items import spread_without_items
from ripeness.findings.gain_by_learning.claim import gain_by_learning
from ripeness.findings.gain_by_learning.without_items import gain_without_items
from ripeness.findings.learned_in_pretraining.claim import learned_in_pretraining
from ripeness.findings.overtraining import Measured, overtraining_findings
from ripeness.findings.scores import Scores
from ripeness.findings.theory.fine_tuning import (
    fixed_rate_degrades,
    pull_delays,
    pull_does_not_cure,
    tuned_rate_aligned,
    tuned_rate_rotated,
)
from ripeness.findings.theory.noise import learned_at_a_loss, sensitivity_grows
from ripeness.findings.theory.shared import Tables
from ripeness.findings.transfer_between_types.claim import transfer_between_types
from ripeness.findings.transfer_between_types.without_items import transfer_without_items
from ripeness.findings.transfer_within_type.claim import transfer_within_type
from ripeness.findings.transfer_within_type.without_items import within_type_without_items
from ripeness.findings.without_items import learned_without_items
from ripeness.stats.resampling import holm
from ripeness.tables.columns import REPORTED
from ripeness.tables.published_rows import lacks_of, shots_apart
from ripeness.tables.published_suspects import one_label

FINDINGS: dict[str, Callable[[pl.DataFrame, Scores, Settings], Finding]] = {
    "learned-in-pretraining": learned_in_pretraining,
    "gain-by-learning": gain_by_learning,
    "format-spread": format_spread,
    "transfer-between-types": transfer_between_types,
    "transfer-within-type": transfer_within_type,
}

# The same claims where there are measurements and no items, as in published tables; what needs items says so.
WITHOUT_ITEMS: dict[str, Callable[[pl.DataFrame, Settings], Finding]] = {
    "learned-in-pretraining": learned_without_items,
    "gain-by-learning": gain_without_items,
    "format-spread": spread_without_items,
    "transfer-between-types": transfer_without_items,
    "transfer-within-type": within_type_without_items,
}


# The claims of the theory, on tables of simulated networks.
THEORY: dict[str, Callable[[Tables, Settings], Finding]] = {
    "sensitivity-grows": sensitivity_grows,
    "learned-at-a-loss": learned_at_a_loss,
    "fixed-rate-degrades": fixed_rate_degrades,
    "tuned-rate-aligned": tuned_rate_aligned,
    "tuned-rate-rotated": tuned_rate_rotated,
    "pull-delays": pull_delays,
    "pull-does-not-cure": pull_does_not_cure,
}


def theory_findings(tables: Tables, settings: Settings) -> list[Finding]:
    """Test the claims of the theory on tables of simulated networks, and adjust the p values (Holm)."""
    return adjusted([function(tables, settings) for function in THEORY.values()], settings)


def findings_without_items(measurements: pl.DataFrame, settings: Settings) -> list[Finding]:
    """Test every claim on measurements alone, and adjust the p values for their number (Holm).

    Probes that may have one label for all answers are left out unless the study says that they are meant; each finding
    says what it would be otherwise.
    """
    lacks, reported = tuple(lacks_of(measurements)), measurements.filter(REPORTED)
    suspects = one_label(reported)
    without = reported.filter(~pl.col("probe").is_in(list(suspects)))
    used, other = (reported, without) if settings.is_one_label_meant else (without, reported)
    found = [function(used, settings) for function in WITHOUT_ITEMS.values()]
    if suspects:
        others = [function(other, settings) for function in WITHOUT_ITEMS.values()]
        found = [with_suspects(*pair, suspects, settings) for pair in zip(found, others, strict=True)]
    if apart := shots_apart(measurements):
        found = [f if f.effect is not None else replace(f, statement=" ".join([f.statement, *apart])) for f in found]
    found = [finding if finding.low is not None else replace(finding, covers="nothing") for finding in found]
    return adjusted([replace(finding, caveats=(*lacks, *finding.caveats)) for finding in found], settings)


def with_suspects(finding: Finding, other: Finding, suspects: dict[str, str], settings: Settings) -> Finding:
    """The finding, which says of probes that may have one label for all answers what they do to its verdict."""
    named = "; ".join(f"{probe}: {seen}" for probe, seen in suspects.items())
    is_, with_ = ("taken in", "Without") if settings.is_one_label_meant else ("left out", "With")
    caveat = f"All answers may be one label, and {is_}: {named}. {with_} them the claim is {other.verdict}"
    return replace(finding, caveats=(f"{caveat}, here it is {finding.verdict}.", *finding.caveats))


def all_findings(
    measurements: pl.DataFrame, scores: Scores, settings: Settings, tables: Measured | None = None
) -> list[Finding]:
    """Test every claim, and adjust the p values for their number (Holm).

    `tables` are those of claims on overtraining, of which each is tested where the study has measured what it asks.
    """
    used = with_measured_method(scores, settings)
    found = [function(measurements, scores, used) for function in FINDINGS.values()]
    if used.method != settings.method:
        note = f"No model tuned by {settings.method!r} was measured; these are tuned by {used.method!r}."
        found = [
            replace(finding, caveats=(*finding.caveats, note)) if finding.n_seeds else finding for finding in found
        ]
    found += overtraining_findings(tables, used) if tables else []
    return adjusted(found, settings)


def with_measured_method(scores: Scores, settings: Settings) -> Settings:
    """Keep the method of the settings where it was measured, else take the first other that tunes."""
    methods = sorted({row.method for block in scores.blocks.values() for row in block.rows} - {"base"})
    return settings if settings.method in methods or not methods else replace(settings, method=methods[0])


def adjusted(found: list[Finding], settings: Settings) -> list[Finding]:
    """Put Holm's p value into each finding that has one; a caveat where a verdict does not outlive it."""
    tested = [finding for finding in found if finding.p_value is not None]
    corrected = dict(zip([f.id for f in tested], holm([float(f.p_value or 0.0) for f in tested]), strict=True))
    result = []
    for finding in found:
        p_holm = corrected.get(finding.id)
        caveats = finding.caveats
        if p_holm is not None and finding.verdict != "undecided" and p_holm > 1 - settings.confidence:
            caveats = (
                *caveats,
                f"Corrected for {len(tested)} claims (Holm) p is {p_holm:.2f}: the verdict is on this alone.",
            )
        result.append(replace(finding, p_holm=p_holm, caveats=caveats))
    return result


def as_rows(found: list[Finding]) -> list[dict[str, object]]:
    """Make findings fit for JSON."""
    return [asdict(finding) for finding in found]

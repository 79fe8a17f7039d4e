"""The register of claims, in the order of the report, and how all that a study allows are tested together."""

from collections.abc import Container, Sequence
from dataclasses import asdict, replace

import polars as pl

from ripeness.findings.alignment_forgets_later.claim import CLAIM as ALIGNMENT_FORGETS_LATER
from ripeness.findings.claim import Claim
from ripeness.findings.decay_or_tokens.claim import CLAIM as DECAY_OR_TOKENS
from ripeness.findings.deciding import adjusted
from ripeness.findings.degradation_at_fixed_rate.claim import CLAIM as DEGRADATION_AT_FIXED_RATE
from ripeness.findings.degradation_at_tuned_rate.claim import CLAIM as DEGRADATION_AT_TUNED_RATE
from ripeness.findings.discrimination_tells.claim import CLAIM as DISCRIMINATION_TELLS
from ripeness.findings.displacement_constancy.claim import CLAIM as DISPLACEMENT_CONSTANCY
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.first_stage_saves.claim import CLAIM as FIRST_STAGE_SAVES
from ripeness.findings.fixed_rate_degrades.claim import CLAIM as FIXED_RATE_DEGRADES
from ripeness.findings.form_needs_fewer.claim import CLAIM as FORM_NEEDS_FEWER
from ripeness.findings.format_spread.claim import CLAIM as FORMAT_SPREAD
from ripeness.findings.gain_by_learning.claim import CLAIM as GAIN_BY_LEARNING
from ripeness.findings.known_not_said.claim import CLAIM as KNOWN_NOT_SAID
from ripeness.findings.learned_at_a_loss.claim import CLAIM as LEARNED_AT_A_LOSS
from ripeness.findings.learned_in_pretraining.claim import CLAIM as LEARNED_IN_PRETRAINING
from ripeness.findings.mitigation.claim import CLAIM as MITIGATION
from ripeness.findings.needs import has_items, is_without_items
from ripeness.findings.own_claims import own_findings
from ripeness.findings.own_selection import OwnClaim
from ripeness.findings.progressive_sensitivity.claim import CLAIM as PROGRESSIVE_SENSITIVITY
from ripeness.findings.proxy_overoptimised.claim import CLAIM as PROXY_OVEROPTIMISED
from ripeness.findings.pull_delays.claim import CLAIM as PULL_DELAYS
from ripeness.findings.pull_does_not_cure.claim import CLAIM as PULL_DOES_NOT_CURE
from ripeness.findings.ranking_changes.claim import CLAIM as RANKING_CHANGES
from ripeness.findings.read_off_pictures.claim import CLAIM as READ_OFF_PICTURES
from ripeness.findings.ripe_overoptimises_less.claim import CLAIM as RIPE_OVEROPTIMISES_LESS
from ripeness.findings.riper_needs_fewer.claim import CLAIM as RIPER_NEEDS_FEWER
from ripeness.findings.rl_forgets_less.claim import CLAIM as RL_FORGETS_LESS
from ripeness.findings.rl_works_early.claim import CLAIM as RL_WORKS_EARLY
from ripeness.findings.sensitivity_grows.claim import CLAIM as SENSITIVITY_GROWS
from ripeness.findings.sft_misleads_about_rl.claim import CLAIM as SFT_MISLEADS_ABOUT_RL
from ripeness.findings.short_tuning_tells.claim import CLAIM as SHORT_TUNING_TELLS
from ripeness.findings.smaller_forgets_less.claim import CLAIM as SMALLER_FORGETS_LESS
from ripeness.findings.stages_add_forgetting.claim import CLAIM as STAGES_ADD_FORGETTING
from ripeness.findings.study_tables import Tables
from ripeness.findings.text_loss_misleads.claim import CLAIM as TEXT_LOSS_MISLEADS
from ripeness.findings.transfer_between_types.claim import CLAIM as TRANSFER_BETWEEN_TYPES
from ripeness.findings.transfer_within_type.claim import CLAIM as TRANSFER_WITHIN_TYPE
from ripeness.findings.tuned_rate_aligned.claim import CLAIM as TUNED_RATE_ALIGNED
from ripeness.findings.tuned_rate_rotated.claim import CLAIM as TUNED_RATE_ROTATED
from ripeness.findings.tuning_adds.claim import CLAIM as TUNING_ADDS
from ripeness.findings.turning_point.claim import CLAIM as TURNING_POINT
from ripeness.findings.worse_at_seeing.claim import CLAIM as WORSE_AT_SEEING
from ripeness.tables.published_rows import lacks_of, shots_apart
from ripeness.tables.published_suspects import one_label
from ripeness.tables.ways_of_tuning import plain_way

CLAIMS: tuple[Claim, ...] = (
    LEARNED_IN_PRETRAINING,
    GAIN_BY_LEARNING,
    KNOWN_NOT_SAID,
    TUNING_ADDS,
    FORMAT_SPREAD,
    TRANSFER_BETWEEN_TYPES,
    TRANSFER_WITHIN_TYPE,
    PROGRESSIVE_SENSITIVITY,
    DEGRADATION_AT_FIXED_RATE,
    DEGRADATION_AT_TUNED_RATE,
    TURNING_POINT,
    DECAY_OR_TOKENS,
    MITIGATION,
    SMALLER_FORGETS_LESS,
    RANKING_CHANGES,
    RIPER_NEEDS_FEWER,
    FORM_NEEDS_FEWER,
    ALIGNMENT_FORGETS_LATER,
    STAGES_ADD_FORGETTING,
    RL_FORGETS_LESS,
    RL_WORKS_EARLY,
    PROXY_OVEROPTIMISED,
    RIPE_OVEROPTIMISES_LESS,
    SFT_MISLEADS_ABOUT_RL,
    WORSE_AT_SEEING,
    READ_OFF_PICTURES,
    FIRST_STAGE_SAVES,
    DISPLACEMENT_CONSTANCY,
    TEXT_LOSS_MISLEADS,
    DISCRIMINATION_TELLS,
    SHORT_TUNING_TELLS,
    SENSITIVITY_GROWS,
    LEARNED_AT_A_LOSS,
    FIXED_RATE_DEGRADES,
    TUNED_RATE_ALIGNED,
    TUNED_RATE_ROTATED,
    PULL_DELAYS,
    PULL_DOES_NOT_CURE,
)


def all_findings(tables: Tables, settings: Settings, own: Sequence[OwnClaim] = ()) -> list[Finding]:
    """Test every claim that the tables allow to be tested, and the user's own, and decide all together (Holm)."""
    return adjusted([*own_findings(tables, own, settings), *all_tested(tables, settings)], settings)


def all_tested(tables: Tables, settings: Settings, only: Container[str] | None = None) -> list[Finding]:
    """Test every claim that the tables allow to be tested, or `only` some by their id, and decide none yet."""
    if has_items(tables):
        return on_items(tables, settings, only)
    if is_without_items(tables):
        return on_measurements_alone(tables.measurements, settings, only)
    return findings_on(tables, settings, only)


def findings_on(tables: Tables, settings: Settings, only: Container[str] | None = None) -> list[Finding]:
    """Test every claim that has a form for these tables, or `only` some of them."""
    claims = [claim for claim in CLAIMS if claim.is_asked(settings) and (only is None or claim.id in only)]
    return [claim.test(tables, settings) for claim in claims if claim.form_for(tables)]


def on_items(tables: Tables, settings: Settings, only: Container[str] | None = None) -> list[Finding]:
    """Test claims on a study's own models: those tuned by the method of the settings, else by another one."""
    used = with_measured_method(tables, settings)
    found = findings_on(tables, used, only)
    if used.method == settings.method:
        return found
    note = f"No model tuned by {settings.method!r} was measured; these are tuned by {used.method!r}."
    of_items = {claim.id for claim in CLAIMS if has_items in claim.needs}
    return [replace(one, caveats=(*one.caveats, note)) if one.id in of_items and one.n_seeds else one for one in found]


def on_measurements_alone(
    measurements: pl.DataFrame, settings: Settings, only: Container[str] | None = None
) -> list[Finding]:
    """Test claims on measurements without items, as published tables have them.

    Probes that may have one label for all answers are left out unless the study says that they are meant; each finding
    says what it would be otherwise.
    """
    lacks, reported = tuple(lacks_of(measurements)), Tables.of(measurements=measurements).reported
    suspects = one_label(reported)
    without = reported.filter(~pl.col("probe").is_in(list(suspects)))
    used, other = (reported, without) if settings.is_one_label_meant else (without, reported)
    found = findings_on(Tables.of(measurements=used), settings, only)
    if suspects:
        others = findings_on(Tables.of(measurements=other), settings, only)
        pairs = zip(found, adjusted(found, settings), adjusted(others, settings), strict=True)
        found = [with_suspects(one, here, other, suspects, settings) for one, here, other in pairs]
    if apart := shots_apart(measurements):
        found = [f if f.effect is not None else replace(f, statement=" ".join([f.statement, *apart])) for f in found]
    found = [finding if finding.low is not None else replace(finding, covers="nothing") for finding in found]
    return [replace(finding, caveats=(*lacks, *finding.caveats)) for finding in found]


def with_suspects(
    finding: Finding, here: Finding, other: Finding, suspects: dict[str, str], settings: Settings
) -> Finding:
    """Say in the finding what probes that may have one label for all answers do to its verdict, `here` and `other`."""
    named = "; ".join(f"{probe}: {seen}" for probe, seen in suspects.items())
    is_, with_ = ("taken in", "Without") if settings.is_one_label_meant else ("left out", "With")
    caveat = f"All answers may be one label, and {is_}: {named}. {with_} them the claim is {other.verdict}"
    return replace(finding, caveats=(f"{caveat}, here it is {here.verdict}.", *finding.caveats))


def with_measured_method(tables: Tables, settings: Settings) -> Settings:
    """Keep the method of the settings where it was measured, else take the first other that tunes."""
    methods = sorted({row.method for block in tables.scores.blocks.values() for row in block.rows} - {"base"})
    if settings.method in methods or not methods:
        return settings
    used = with_plain_way(tables, settings)
    return used if used.method in methods else replace(settings, method=methods[0])


def with_plain_way(tables: Tables, settings: Settings) -> Settings:
    """Keep the method of the settings where it has cells, else take the one that stands for the study, if any."""
    name = plain_way(tables.cells, settings.method) if tables.has("cells") else None
    return settings if name is None else replace(settings, method=name)


def as_rows(found: list[Finding]) -> list[dict[str, object]]:
    """Make findings fit for JSON."""
    rows = [asdict(replace(finding, tests=())) for finding in found]
    return [{name: value for name, value in row.items() if name != "tests"} for row in rows]

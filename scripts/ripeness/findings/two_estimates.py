"""Put both estimates of an effect into a finding: on the datasets of the study, and on datasets like these.

The second one decides, since claims are about datasets at large.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ripeness.findings.finding import Finding, Settings, between, numbers, signed, undecided, with_parts
from ripeness.findings.scores import Point
from ripeness.stats.at_large import Course, Sources, at_large, on_these
from ripeness.stats.larger_studies import Size, Spread
from ripeness.stats.random_levels import WARNED, Component
from ripeness.stats.resampling import Estimate
from ripeness.stats.verdicts import EFFECT, Part, verdict_of

OF_SCORES, OF_CHANGES = 1.0, 2.0  # the largest difference of two scores, and of two changes of scores
STEEPEST = 4.0  # log-odds for a share, where the share is one half
ONE_SEED = "every model was tuned with one seed, so that nothing shows how much seeds differ"


@dataclass(frozen=True)
class Both:
    """One effect on these datasets and on datasets like these, and what it varies by; None where they are too few.

    `most` is the largest size that the effect can have on its scale.
    """

    on_these: Estimate
    at_large: Estimate | None
    sources: Sources
    datasets: Component | None
    n_datasets: int
    most: float = np.inf

    @property
    def bounds(self) -> tuple[float, float]:
        """The ends of the effect's scale."""
        return -self.most, self.most

    @property
    def shown(self) -> Estimate:
        """The estimate that decides, or would."""
        return self.at_large or self.on_these


def both_of(
    effect: float,
    datasets: Component | None,
    sources: Sources,
    settings: Settings,
    *,
    n_datasets: int,
    most: float = np.inf,
) -> Both:
    """Make both estimates of an effect; `datasets` is its variance from datasets, None where that cannot be told.

    No interval goes beyond the largest size `most` of the effect: a difference of two scores is at most 1.
    """
    confidence = settings.confidence
    like_these = at_large(effect, datasets, sources, confidence=confidence) if datasets else None
    estimates = on_these(effect, sources, confidence=confidence), like_these
    these, large = (one and replace(one, low=max(one.low, -most), high=min(one.high, most)) for one in estimates)
    return Both(these or estimates[0], large, sources, datasets, n_datasets, most)


def two_lines(both: Both, sign: int = 1) -> str:
    """Say both estimates, of the effect or (`sign` -1) of its opposite."""
    return " ".join(
        f"On {words}: {shown(result, sign)}." if result else f"On {words}: not known."
        for words, result in (("these datasets", both.on_these), ("datasets like these", both.at_large))
    )


def alone(result: Estimate) -> str:
    """Say a difference that stands for the datasets measured."""
    interval = "" if np.isnan(result.low) else f" {between(result.low, result.high)}"
    return f"On these datasets: {signed(result.effect)}{interval}."


def shown(result: Estimate, sign: int = 1) -> str:
    """Write an effect with its interval: +0.42 [+0.31, +0.52]."""
    low, high = sorted((sign * result.low, sign * result.high))
    return f"{signed(sign * result.effect)} {between(low, high)}"


def why_not(both: Both, too_few: str, *, is_tuned: bool = True) -> str:
    """Say why the claim may not be decided; empty if it may. `too_few` says it of datasets."""
    if is_tuned and both.sources.seeds is None:
        return ONE_SEED
    return "" if both.at_large else too_few


def with_both(finding: Finding, both: Both, settings: Settings, *, too_few: str, is_tuned: bool = True) -> Finding:
    """Let the estimate on datasets like these decide the claim, and keep the other one too."""
    spread = spread_of(both, finding, settings)
    part = Part(both.shown, settings.smallest_effect, bounds=both.bounds, spread=spread)
    finding = with_parts(replace(finding, on_these=numbers(both.on_these)), ((part,),), settings)
    finding = replace(finding, caveats=(*finding.caveats, *correlation_caveats(both.sources)))
    if reason := why_not(both, too_few, is_tuned=is_tuned):
        return undecided(finding, f"{reason}. {finding.statement}".rstrip("."))
    return finding


def spread_of(both: Both, finding: Finding, settings: Settings) -> Spread | None:
    """Say what an effect varies by in a study of the finding's size; None where datasets like these are not known."""
    if both.datasets is None:
        return None
    sources = both.sources
    size = Size(
        items=finding.n_items,
        seeds=finding.n_seeds if sources.seeds else 0,
        checkpoints=finding.n_checkpoints if sources.checkpoints else 0,
        datasets=both.n_datasets,
    )
    return Spread(sources, both.datasets, size, settings.confidence)


def correlation_caveats(sources: Sources) -> list[str]:
    """Say that neighbouring checkpoints are alike, and warn where they are much so."""
    rho = sources.correlation
    if rho <= 0:
        return []
    said = f"neighbouring checkpoints are alike beyond a smooth curve (correlation {rho:.2f}), which intervals include"
    if rho <= WARNED:
        return [f"{said[0].upper()}{said[1:]}."]
    return [f"Warning: {said} as far as so few checkpoints show it; they may still be too narrow."]


def on_other_scale(both: Both, log_odds: Estimate | None, settings: Settings, *, expects: str = EFFECT) -> str:
    """Say what an effect is in log-odds, and whether that is another verdict; empty where it cannot be told.

    A score near 1 has less room to change than one in the middle: equal changes in log-odds are unequal in points. The
    smallest effect that matters is the one in points at a score of one half.
    """
    if both.at_large is None or log_odds is None:
        return ""
    smallest = settings.smallest_effect
    verdicts = [
        verdict_of(one.low, one.high, smallest=least, expects=expects)
        for one, least in ((both.at_large, smallest), (log_odds, STEEPEST * smallest))
    ]
    said = f" In log-odds, which allow for less room near 0 and 1: {shown(log_odds)}."
    if verdicts[0] == verdicts[1]:
        return said
    return f"{said} The two scales disagree: {verdicts[0]} in points, {verdicts[1]} in log-odds (each taken alone)."


def course(points: Sequence[Point], groups: Sequence[np.ndarray], weights: np.ndarray) -> Course:
    """Make the course of units over the checkpoints of one series; the first tokens may be 0."""
    tokens = np.array([max(point.tokens or 0, 0) for point in points], float)
    least = tokens[tokens > 0].min(initial=np.inf)
    place = np.log(np.maximum(tokens, least / 2)) if np.isfinite(least) else np.arange(len(tokens), dtype=float)
    return Course(place, tuple(groups), weights)

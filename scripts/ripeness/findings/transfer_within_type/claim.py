"""Does more pre-training change how tuning carries over to others of its type? (Amuro and Char, section 4.2.)

The claim is that there is no effect, so it is an equivalence that is tested: supported where the whole interval lies
within the smallest effect of interest, contradicted where it lies beyond on either side.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import polars as pl

from ripeness.findings.caveats import levels_of, missing_cells, one_answer, shared_caveats, with_counts
from ripeness.findings.finding import Finding, Settings, between, listed, number, signed, undecided, with_effect
from ripeness.findings.pairs import changes, generator, late, measured_blocks, pairs, trend, weights_of
from ripeness.findings.scores import Block, Point, Row, Scores
from ripeness.findings.transfer_between_types.claim import SMALL_BASE
from ripeness.stats.resampling import (
    Above,
    Estimate,
    decide_equivalence,
    equivalence_p,
    estimate,
    grouped_means,
    ratio,
    weighted_means,
)

CARRIED = Finding(
    id="transfer-within-type",
    claim="More pre-training does not change how tuning carries over within a type of task.",
    source="Amuro and Char, arXiv 2408.06663, section 4.2",
    figure="transfer",
    verdict="undecided",
    statement="",
    unit="change on other datasets of the type, later minus earlier checkpoints",
)
HALVES = ("earlier", "later")
UNLIKE = "Datasets of a type are related to different degrees; the mean over them may hide both gains and losses."


class Change(NamedTuple):
    """What tuning on one dataset changes on another of the same kind, as measured."""

    row: Row
    probe: str
    half: str
    change: float
    before: float


@dataclass
class Carried:
    """Changes at the earlier and later half of the checkpoints; `sums` [2, 1 + n] of the draws and their number."""

    found: list[Change] = field(default_factory=list)
    sums: dict[str, np.ndarray] = field(default_factory=lambda: dict.fromkeys(HALVES, np.zeros((2, 1))))
    n_items: int = 0

    @property
    def rows(self) -> list[Row]:
        """The tuned models; one stands there once for each dataset that it was measured on."""
        return [change.row for change in self.found]

    def values(self, half: str) -> np.ndarray:
        """The changes of one half."""
        return np.array([change.change for change in self.found if change.half == half])


def transfer_within_type(measurements: pl.DataFrame, scores: Scores, settings: Settings) -> Finding:
    """Compare what tuning changes on other datasets of the same type at later and at earlier checkpoints.

    Change: tuned minus untouched, paired by item; every model and dataset counts the same. An odd number of checkpoints
    leaves the middle one out.
    """
    halves = halves_of(scores)
    carried = carried_of(scores, halves, settings)
    if not carried.found:
        return undecided(CARRIED, "no model was measured on another dataset of the type that it was tuned on")
    finding = with_counts(CARRIED, scores, carried.rows, n_items=carried.n_items)
    finding = replace(finding, details=tuple(pair_rows(carried, scores)))
    most = max(map(len, (trend(points) for points in scores.checkpoints.values())))
    if most < settings.min_checkpoints or not all(len(carried.values(half)) for half in HALVES):
        reason = f"{settings.min_checkpoints} checkpoints of a series are needed to tell earlier from later, not {most}"
        if most >= settings.min_checkpoints:
            reason = "at the earlier or at the later checkpoints no such model was measured"
        return undecided(finding, reason)
    result = later_minus_earlier(carried, settings)
    alike = one_answer(scores, [(change.row, change.probe) for change in carried.found])
    caveats = (*shared_caveats(scores, carried.rows, settings), *missing_cells(scores, carried.rows, halves))
    caveats = (*caveats, *alike, UNLIKE)
    return judged(replace(finding, caveats=caveats), carried, result, settings)


def judged(finding: Finding, carried: Carried, result: Estimate, settings: Settings) -> Finding:
    """Put the difference of both halves into the finding, with its verdict and its sentence."""
    smallest = settings.smallest_effect
    verdict = decide_equivalence(result.low, result.high, smallest=smallest)
    finding = replace(finding, verdict=verdict, statement=sentence(carried, result))
    return replace(with_effect(finding, result, settings), p_value=equivalence_p(result, smallest=smallest))


def halves_of(scores: Scores) -> dict[Point, str]:
    """Say which half of its series' trend a checkpoint is in; the middle one of an odd number is in none."""
    halves = {}
    for points in map(trend, scores.checkpoints.values()):
        halves |= dict.fromkeys(points[: len(points) // 2], "earlier")
        halves |= dict.fromkeys(late(points) if len(points) > 1 else [], "later")
    return halves


def carried_of(scores: Scores, halves: dict[Point, str], settings: Settings) -> Carried:
    """Collect the changes on other datasets of the same kind."""
    half_at = {(point.series, point.checkpoint): half for point, half in halves.items()}
    kinds = {probe: block.kind for (probe, _), block in scores.blocks.items()}
    carried = Carried()
    for block in measured_blocks(scores, settings):
        alike: dict[str, list[int]] = {half: [] for half in HALVES}
        for place, indices in pairs(block, settings, is_own=False).items():
            if place in half_at:
                alike[half_at[place]] += [i for i in indices if kinds.get(block.rows[i].dataset) == block.kind]
        if any(alike.values()):
            carried.n_items += block.n_items
        for half, indices in alike.items():
            add_changes(carried, block, half=half, indices=indices, settings=settings)
    return carried


def add_changes(carried: Carried, block: Block, *, half: str, indices: list[int], settings: Settings) -> None:
    """Add what tuning changes on one dataset in one half of the checkpoints."""
    if not indices:
        return
    change = changes(block, indices)
    draws = weighted_means(change.values, weights_of(block, settings))
    measured = ~np.isnan(draws)
    sums = np.stack([np.where(measured, draws, 0.0).sum(axis=0), measured.sum(axis=0)])
    carried.sums[half] = carried.sums[half] + sums
    carried.found += [
        Change(row, block.probe, half, float(drawn[0]), float(before))
        for row, drawn, before in zip(change.rows, draws, change.before, strict=True)
        if not np.isnan(drawn[0])
    ]


def later_minus_earlier(carried: Carried, settings: Settings) -> Estimate:
    """Estimate the difference of the mean changes, over items and tuning seeds."""
    values = np.array([change.change for change in carried.found])[:, None]
    inside = {half: np.array([change.half == half for change in carried.found]) for half in HALVES}

    def mean(weights: np.ndarray, half: str) -> np.ndarray:
        rows = inside[half]
        return grouped_means(values[rows], weights[rows], np.zeros(rows.sum(), int))[0]

    return estimate(
        ratio(*carried.sums["later"]) - ratio(*carried.sums["earlier"]),
        n_items=carried.n_items,
        confidence=settings.confidence,
        above=Above(
            lambda weights: mean(weights, "later") - mean(weights, "earlier"),
            levels_of(carried.rows),
            generator(settings, CARRIED.id),
        ),
    )


def sentence(carried: Carried, result: Estimate) -> str:
    """Say what tuning changes in both halves, and the pairs that gain and lose most."""
    earlier, later = (carried.values(half) for half in HALVES)
    means = {pair: float(np.mean(found)) for pair, found in by_pair(carried).items()}
    ends = [max(means, key=lambda pair: means[pair]), min(means, key=lambda pair: means[pair])]
    shown = listed([f"{signed(means[pair])} from {pair[0]} to {pair[1]}" for pair in dict.fromkeys(ends)])
    interval = "" if np.isnan(result.low) else f" {between(result.low, result.high)}"
    return (
        f"Tuning changes the score on other datasets of its type by {signed(float(earlier.mean()))} at earlier "
        f"checkpoints (median {signed(float(np.median(earlier)))}) and {signed(float(later.mean()))} at later ones "
        f"(median {signed(float(np.median(later)))}), a difference of {signed(result.effect)}{interval}; over all of "
        f"them {shown}."
    )


def by_pair(carried: Carried) -> dict[tuple[str, str], list[float]]:
    """The changes by (dataset tuned on, dataset measured on)."""
    found: dict[tuple[str, str], list[float]] = {}
    for change in carried.found:
        found.setdefault((change.row.dataset, change.probe), []).append(change.change)
    return found


def pair_rows(carried: Carried, scores: Scores) -> list[dict[str, object]]:
    """Rows of `details`: each pair of datasets at each checkpoint, averaged over formats and seeds."""
    points = {(p.series, p.checkpoint): p for found in scores.checkpoints.values() for p in found}
    members: dict[tuple[str, str, str, str], list[Change]] = {}
    for change in carried.found:
        row = change.row
        members.setdefault((row.series, row.dataset, change.probe, row.checkpoint), []).append(change)
    rows = []
    for (series, dataset, probe, checkpoint), found in members.items():
        before, change = (float(np.mean([getattr(one, name) for one in found])) for name in ("before", "change"))
        rows.append(
            {
                "level": "pair",
                "half": found[0].half,
                "series": series,
                "checkpoint": checkpoint,
                "tokens": points[series, checkpoint].tokens,
                "dataset": dataset,
                "probe": probe,
                "before": number(before),
                "change": number(change),
                "ratio": number(change / before) if before >= SMALL_BASE else None,
            }
        )
    return rows

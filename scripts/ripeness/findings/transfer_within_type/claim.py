"""Does more pre-training change how tuning carries over to others of its type? (Amuro and Char, section 4.2.)

The claim is that there is no effect, so it is an equivalence that is tested.
"""

from dataclasses import replace

import numpy as np

from ripeness.findings.caveats import levels_of, missing_cells, one_answer, shared_caveats, with_counts
from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, undecided
from ripeness.findings.needs import has_items
from ripeness.findings.pairs import changes, generator, measured_blocks, pairs, trend, weights_of
from ripeness.findings.scores import Block, Point, Scores
from ripeness.findings.study_tables import Tables
from ripeness.findings.transfer_within_type.carried import (
    HALVES,
    UNLIKE,
    Carried,
    Change,
    halves_of,
    pair_rows,
    sentence,
)
from ripeness.findings.transfer_within_type.datasets import FEW, halved, on_both_scales
from ripeness.findings.transfer_within_type.without_items import judge as judge_without_items
from ripeness.findings.two_estimates import OF_CHANGES, Both, both_of, two_lines, with_both
from ripeness.stats.at_large import sources_of
from ripeness.stats.resampling import Above, grouped_means, ratio, weighted_means
from ripeness.stats.verdicts import NO_EFFECT


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare what tuning changes on other datasets of the same type at later and at earlier checkpoints.

    Change: tuned minus untouched, paired by item; every model and dataset counts the same. An odd number of checkpoints
    leaves the middle one out.
    """
    scores = tables.scores
    halves = halves_of(scores)
    carried = carried_of(scores, halves, settings)
    if not carried.found:
        return undecided(Finding(), "no model was measured on another dataset of the type that it was tuned on")
    finding = with_counts(Finding(), scores, carried.rows, n_items=carried.n_items)
    finding = replace(finding, details=tuple(pair_rows(carried, scores)))
    most = max(map(len, (trend(points) for points in scores.checkpoints.values())))
    if most < settings.min_checkpoints or not all(len(carried.values(half)) for half in HALVES):
        needed = settings.min_checkpoints
        reason = f"{needed} checkpoints of a series are needed to compare earlier with later ones, not {most}"
        if most >= settings.min_checkpoints:
            reason = "at the earlier or at the later checkpoints no such model was measured"
        return undecided(finding, reason)
    both = later_minus_earlier(carried, scores, halves, settings)
    alike = one_answer(scores, [(change.row, change.probe) for change in carried.found])
    caveats = (*shared_caveats(scores, carried.rows, settings), *missing_cells(scores, carried.rows, halves))
    finding = replace(finding, caveats=(*caveats, *alike, UNLIKE))
    said = sentence(carried, two_lines(both) + on_both_scales(carried, both, halves, kinds_of(scores), settings))
    return with_both(replace(finding, statement=said), both, settings, too_few=FEW)


CLAIM = Claim(
    id="transfer-within-type",
    text="More pre-training does not change how tuning transfers to other datasets of the same type.",
    source="Amuro and Char, arXiv 2408.06663, section 4.2",
    unit="change on other datasets of the type, later minus earlier checkpoints",
    figure="transfer",
    needs=(has_items,),
    judge=judge,
    judge_without_items=judge_without_items,
    expects=NO_EFFECT,
)


def carried_of(scores: Scores, halves: dict[Point, str], settings: Settings) -> Carried:
    """Collect the changes on other datasets of the same kind."""
    half_at = {(point.series, point.checkpoint): half for point, half in halves.items()}
    kinds = kinds_of(scores)
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


def later_minus_earlier(carried: Carried, scores: Scores, halves: dict[Point, str], settings: Settings) -> Both:
    """Estimate the difference of the mean changes."""
    values = np.array([change.change for change in carried.found])[:, None]
    inside = {half: np.array([change.half == half for change in carried.found]) for half in HALVES}

    def mean(weights: np.ndarray, half: str) -> np.ndarray:
        rows = inside[half]
        return grouped_means(values[rows], weights[rows], np.zeros(rows.sum(), int))[0]

    replicates = ratio(*carried.sums["later"]) - ratio(*carried.sums["earlier"])
    above = Above(
        lambda weights: mean(weights, "later") - mean(weights, "earlier"),
        levels_of(carried.rows),
        generator(settings, CLAIM.id),
    )
    table = halved(carried.comparisons(), halves, kinds_of(scores))
    courses = table.pairs.courses(list(halves), table.weights)
    sources = sources_of(replicates, above, courses, n_items=carried.n_items)
    earlier, later = table.means()
    datasets = table.over_datasets(later - earlier)
    return both_of(
        float(replicates[0]), datasets, sources, settings, n_datasets=table.pairs.n_datasets, most=OF_CHANGES
    )


def kinds_of(scores: Scores) -> dict[str, str]:
    """Find the type of every dataset."""
    return {probe: block.kind for (probe, _), block in scores.blocks.items()}

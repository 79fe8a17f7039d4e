"""Does tuning on one type of task harm the other? After Amuro and Char, arXiv 2408.06663, section 4.3.

The two directions are judged apart: choosing to generating (claim: harm) and generating to choosing (claim:
none). Only what an untouched checkpoint can do can be lost, so that pairs at the floor decide nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ripeness.findings.caveats import levels_of, most_checkpoints, one_answer, shared_caveats, with_counts
from ripeness.findings.claim import Claim
from ripeness.findings.dataset_pairs import Comparison, pairs_from
from ripeness.findings.finding import (
    Finding,
    Settings,
    listed,
    number,
    numbers,
    on_enough,
    signed,
    undecided,
    with_parts,
)
from ripeness.findings.needs import has_items
from ripeness.findings.pairs import SMALL_BASE, generator, trend
from ripeness.findings.scores import Point, Scores
from ripeness.findings.study_tables import Tables
from ripeness.findings.transfer_between_types.losses import DIRECTIONS, Loss, Losses, losses_of
from ripeness.findings.transfer_between_types.without_items import judge as judge_without_items
from ripeness.findings.two_estimates import (
    OF_SCORES,
    Both,
    both_of,
    correlation_caveats,
    spread_of,
    two_lines,
    why_not,
)
from ripeness.stats.at_large import sources_of
from ripeness.stats.random_levels import over_crossed
from ripeness.stats.resampling import Above, Estimate, grouped_means, ratio
from ripeness.stats.verdicts import EFFECT, NO_HARM, Part
from ripeness.tables.single_numbers import as_number

FEW = "one dataset tuned on, or one asked, cannot show how much datasets of its type differ"
UNITS = {
    "choice": "score lost on generated answers by tuning on choices",
    "generation": "score lost on choices by tuning on generated answers",
}
EXPECTS = {"choice": EFFECT, "generation": NO_HARM}


def judge(tables: Tables, settings: Settings) -> Finding:
    """Judge both directions by the change of score, tuned minus untouched, on datasets of the other type.

    A loss is selected on other items than it is measured on: an untouched score that is high by chance would
    fall by itself. Both parts of the claim must hold; a part that could not be measured is not shown to.
    """
    measurements, scores = tables.floors, tables.scores
    losses = losses_of(measurements, scores, settings)
    if losses is None:
        return undecided(Finding(), "no model was tuned on one type of task and measured on the other")
    finding = with_counts(Finding(), scores, losses.rows, n_items=losses.n_items)
    points = [point for found in scores.checkpoints.values() for point in trend(found)]
    measured = [kind for kind in DIRECTIONS if any(loss.kind == kind for loss in losses.found)]
    lost_by = {kind: lost(losses, kind, points, settings) for kind in measured}
    parts = {kind: direction_row(losses, kind, lost_by.get(kind), settings) for kind in DIRECTIONS}
    alike = one_answer(scores, [(loss.row, loss.probe) for loss in losses.found])
    caveats = [*shared_caveats(scores, losses.rows, settings), *alike, *transfer_caveats(losses, parts)]
    caveats += dict.fromkeys(note for both in lost_by.values() for note in correlation_caveats(both.sources))
    finding = replace(
        finding,
        statement=" ".join(str(part["statement"]) for part in parts.values()),
        caveats=tuple(caveats),
        details=(*(without_sentence(part) for part in parts.values()), *pair_rows(losses, scores)),
    )
    if not lost_by:
        return finding
    return on_enough(decided_on(finding, lost_by, settings), most_checkpoints(losses.rows), settings)


def decided_on(finding: Finding, lost_by: dict[str, Both], settings: Settings) -> Finding:
    """Let the directions decide of which datasets like these are known; the claim may not hold without both."""
    known = {kind: both for kind, both in lost_by.items() if both.at_large}
    used = known or lost_by
    is_whole = len(known) == len(DIRECTIONS)
    tests = [
        replace(
            part_of(kind, both.shown, settings, may_hold=is_whole),
            bounds=both.bounds,
            spread=spread_of(both, finding, settings),
        )
        for kind, both in used.items()
    ]
    finding = with_parts(finding, [tests], settings)
    kind = next((kind for kind in used if DIRECTIONS[kind] == finding.part), next(iter(used)))
    finding = replace(finding, on_these=numbers(lost_by[kind].on_these))
    reasons = {why_not(both, FEW) for both in used.values()} - {""}
    return undecided(finding, f"{listed(sorted(reasons))}. {finding.statement}".rstrip(".")) if reasons else finding


def part_of(kind: str, loss: Estimate, settings: Settings, *, may_hold: bool) -> Part:
    """Say what one direction must show; the claim may not hold where the other one was not measured."""
    label, smallest = DIRECTIONS[kind], settings.smallest_effect
    return Part(loss, smallest, EXPECTS[kind], label=label, unit=UNITS[kind], may_hold=may_hold)


CLAIM = Claim(
    id="transfer-between-types",
    text="Tuning on choices harms generated answers; tuning on generated answers does not harm choices.",
    source="Amuro and Char, arXiv 2408.06663, section 4.3",
    unit="score lost on the other type of task",
    figure="transfer",
    needs=(has_items,),
    judge=judge,
    judge_without_items=judge_without_items,
)


def lost(losses: Losses, kind: str, points: Sequence[Point], settings: Settings) -> Both:
    """Estimate the mean loss in the direction from this kind of dataset; every comparison counts the same."""
    changes = np.array([loss.change for loss in losses.found])[:, None]
    share = np.array([loss.share for loss in losses.found])[:, None]
    rows = np.array([loss.kind == kind for loss in losses.found])

    def statistic(weights: np.ndarray) -> np.ndarray:
        return -grouped_means(changes[rows], weights[rows] * share[rows], np.zeros(rows.sum(), int))[0]

    compared = [
        Comparison((one.row.series, one.row.checkpoint), one.row.dataset, one.probe, -one.change, one.share)
        for one in losses.found
        if one.kind == kind and not np.isnan(one.change)
    ]
    pairs = pairs_from(compared, points)
    values, weights = pairs.at(np.arange(len(pairs.places)))
    by_point = pairs.weights.sum(axis=1) / pairs.weights.sum()
    replicates = -ratio(*losses.sums[kind])
    above = Above(statistic, levels_of(losses.rows), generator(settings, CLAIM.id))
    sources = sources_of(replicates, above, pairs.courses(points, by_point), n_items=losses.n_items)
    datasets = over_crossed(values, weights, pairs.codes(0), pairs.codes(1))
    return both_of(float(replicates[0]), datasets, sources, settings, n_datasets=pairs.n_datasets, most=OF_SCORES)


def direction_row(losses: Losses, kind: str, both: Both | None, settings: Settings) -> dict[str, object]:
    """Judge one direction by its loss, None where nothing could be lost: the row of `details`, with a sentence."""
    other = "generation" if kind == "choice" else "choice"
    row: dict[str, object] = {"level": "direction", "direction": DIRECTIONS[kind]}
    row |= dict.fromkeys(("effect", "low", "high", "ratio_mean", "ratio_median"))
    head = {"choice": "Tuning on choices", "generation": "Tuning on generated answers"}[kind]
    if both is None:
        reason = (
            f"untouched checkpoints are at the floor on every {other} dataset and have nothing to lose"
            if losses.at_floor[kind]
            else f"no model tuned on a {kind} dataset was measured on a {other} dataset"
        )
        return row | {"n_pairs": 0, "reason": reason, "statement": f"{head} decides nothing: {reason}."}
    ratios = np.array(
        [cell["ratio"] for cell in cells_of(losses) if cell["kind"] == kind and cell["ratio"] is not None]
    )
    mean, median = (float(ratios.mean()), float(np.median(ratios))) if len(ratios) else (None, None)
    relative = "" if mean is None else f", on average {mean:+.0%} of the untouched score (median {median:+.0%})"
    what = {"generation": "generated answers", "choice": "choices"}[other]
    bound = "" if kind == "choice" else f" A loss of less than {settings.smallest_effect:g} counts as none."
    loss = both.shown
    return row | {
        "effect": -loss.effect,
        "low": -loss.high,
        "high": -loss.low,
        "ratio_mean": mean,
        "ratio_median": median,
        "n_pairs": len(ratios),
        "reason": "",
        "statement": f"{head} changes the score on {what} by {signed(-loss.effect)}"
        f"{relative.replace('-', '−')}. {two_lines(both, sign=-1)}{bound}",
    }


def without_sentence(part: dict[str, object]) -> dict[str, object]:
    """Leave the sentence to the finding's statement."""
    return {key: value for key, value in part.items() if key != "statement"}


def cells_of(losses: Losses) -> list[dict[str, object]]:
    """Average the change of each pair of datasets at each checkpoint over formats and seeds."""
    members: dict[tuple[str, str, str, str, str], list[Loss]] = {}
    for loss in losses.found:
        row = loss.row
        members.setdefault((loss.kind, row.series, row.dataset, loss.probe, row.checkpoint), []).append(loss)
    cells = []
    for (kind, series, dataset, probe, checkpoint), found in members.items():
        share = [loss.share for loss in found]
        before = float(np.average([loss.before for loss in found], weights=share))
        change = float(np.average([loss.change for loss in found], weights=share))
        cells.append(
            {
                "kind": kind,
                "series": series,
                "dataset": dataset,
                "probe": probe,
                "checkpoint": checkpoint,
                "before": before,
                "change": change,
                "ratio": number(change / before) if before >= SMALL_BASE else None,
            }
        )
    return cells


def pair_rows(losses: Losses, scores: Scores) -> list[dict[str, object]]:
    """Make the rows of `details` for each pair of datasets and checkpoint."""
    points: dict[tuple[str, str], Point] = {
        (point.series, point.checkpoint): point for found in scores.checkpoints.values() for point in found
    }
    rows = []
    for cell in cells_of(losses):
        point = points[str(cell["series"]), str(cell["checkpoint"])]
        shown = {key: value for key, value in cell.items() if key != "kind"}
        direction = DIRECTIONS[str(cell["kind"])]
        rows.append({"level": "pair", "direction": direction, "tokens": point.tokens, "phase": point.phase, **shown})
    return rows


def transfer_caveats(losses: Losses, parts: dict[str, dict[str, object]]) -> list[str]:
    """List caveats on what was left out and on ratios that mislead."""
    caveats = []
    total = len(losses.found) + sum(losses.at_floor.values())
    if skipped := sum(losses.at_floor.values()):
        caveats.append(
            f"{skipped} of {total} comparisons are left out: the untouched checkpoint is at the floor there "
            "and has nothing to lose."
        )
    for kind, part in parts.items():
        mean, median = part["ratio_mean"], part["ratio_median"]
        if mean is None or median is None:
            continue
        apart = abs(as_number(mean) - as_number(median))
        if apart > 0.1:
            caveats.append(
                f"{DIRECTIONS[kind]}: mean and median ratio differ by {apart:.0%}; "
                "a few small untouched scores dominate the mean."
            )
    datasets = {kind: {loss.row.dataset for loss in losses.found if loss.kind == kind} for kind in DIRECTIONS}
    few = [DIRECTIONS[kind] for kind, names in datasets.items() if len(names) == 1]
    if few:
        caveats.append(f"{listed(few)}: tuned on one dataset only, which stands for its type.")
    return caveats

"""Does tuning on one type of task harm the other? After Amuro and Char, arXiv 2408.06663, section 4.3.

The two directions are judged apart: choosing to generating (claim: harm) and generating to choosing (claim:
none). Only what an untouched checkpoint can do can be lost, so that pairs at the floor decide nothing.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.coverage import levels_of, shared_caveats, with_counts
from ripeness.losses import DIRECTIONS, Loss, Losses, losses_of
from ripeness.paired_scores import generator
from ripeness.score_matrices import Point, Scores
from ripeness.statistics import Above, Estimate, decide, decide_absence, estimate, grouped_means, ratio
from ripeness.verdicts import Finding, Settings, between, listed, number, signed, undecided, with_effect

TRANSFER = Finding(
    id="transfer-between-types",
    claim="Tuning on choices harms generated answers; tuning on generated answers does not harm choices.",
    source="Amuro and Char, arXiv 2408.06663, section 4.3",
    figure="transfer",
    verdict="undecided",
    statement="",
    unit="score lost, choices to generation minus generation to choices",
)
SMALL_BASE = 0.05  # a ratio to less than this says nothing


def transfer_between_types(measurements: pl.DataFrame, scores: Scores, settings: Settings) -> Finding:
    """Judge both directions by the change of score, tuned minus untouched, on datasets of the other type.

    A loss is selected on other items than it is measured on: an untouched score that is high by chance would
    fall by itself. Supported where both parts of the claim are, contradicted where one is contradicted.
    """
    losses = losses_of(measurements, scores, settings)
    if losses is None:
        return undecided(TRANSFER, "no model was tuned on one type of task and measured on the other")
    finding = with_counts(TRANSFER, scores, losses.rows, n_items=losses.n_items)
    parts = {kind: direction_row(losses, kind, settings) for kind in DIRECTIONS}
    caveats = [*shared_caveats(scores, losses.rows, settings), *transfer_caveats(losses, parts)]
    finding = replace(
        finding,
        verdict=verdict_of([str(part["verdict"]) for part in parts.values()]),
        statement=" ".join(str(part["statement"]) for part in parts.values()),
        caveats=tuple(caveats),
        details=(*(without_sentence(part) for part in parts.values()), *pair_rows(losses, scores)),
    )
    if any(part["effect"] is None for part in parts.values()):
        return finding

    return with_effect(finding, lost(losses, {"choice": 1, "generation": -1}, settings), settings)


def verdict_of(parts: list[str]) -> str:
    """Join the verdicts on the two parts of the claim: both must hold."""
    if "contradicted" in parts:
        return "contradicted"
    return "supported" if set(parts) == {"supported"} else "undecided"


def lost(losses: Losses, signs: dict[str, int], settings: Settings) -> Estimate:
    """Estimate the mean loss in a direction, or a difference of both: a sign for each kind of dataset tuned on.

    Every comparison with something to lose counts the same.
    """
    changes = np.array([loss.change for loss in losses.found])[:, None]
    share = np.array([loss.share for loss in losses.found])[:, None]
    inside = {kind: np.array([loss.kind == kind for loss in losses.found]) for kind in signs}

    def statistic(weights: np.ndarray) -> np.ndarray:
        total = 0
        for kind, sign in signs.items():
            rows = inside[kind]
            total = (
                total - sign * grouped_means(changes[rows], weights[rows] * share[rows], np.zeros(rows.sum(), int))[0]
            )
        return total

    return estimate(
        -sum(sign * ratio(*losses.sums[kind]) for kind, sign in signs.items()),
        n_items=losses.n_items,
        confidence=settings.confidence,
        above=Above(statistic, levels_of(losses.rows), generator(settings, TRANSFER.id)),
    )


def direction_row(losses: Losses, kind: str, settings: Settings) -> dict[str, object]:
    """Judge one direction: the row of `details`, with a sentence."""
    other = "generation" if kind == "choice" else "choice"
    row: dict[str, object] = {"level": "direction", "direction": DIRECTIONS[kind], "verdict": "undecided"}
    row |= dict.fromkeys(("effect", "low", "high", "mde", "ratio_mean", "ratio_median"))
    head = {"choice": "Tuning on choices", "generation": "Tuning on generated answers"}[kind]
    n_rows = sum(loss.kind == kind for loss in losses.found)
    if not n_rows:
        reason = (
            f"untouched checkpoints are at the floor on every {other} dataset and have nothing to lose"
            if losses.at_floor[kind]
            else f"no model tuned on a {kind} dataset was measured on a {other} dataset"
        )
        return row | {"n_pairs": 0, "reason": reason, "statement": f"{head} decides nothing: {reason}."}
    loss = lost(losses, {kind: 1}, settings)
    judge = decide if kind == "choice" else decide_absence
    ratios = np.array(
        [cell["ratio"] for cell in cells_of(losses) if cell["kind"] == kind and cell["ratio"] is not None]
    )
    mean, median = (float(ratios.mean()), float(np.median(ratios))) if len(ratios) else (None, None)
    relative = (
        "" if mean is None else f", {mean:+.0%} of the untouched score in the mean and {median:+.0%} in the median"
    )
    what = {"generation": "generated answers", "choice": "choices"}[other]
    return row | {
        "verdict": judge(loss.low, loss.high, smallest=settings.smallest_effect),
        "effect": -loss.effect,
        "low": -loss.high,
        "high": -loss.low,
        "mde": loss.mde,
        "ratio_mean": mean,
        "ratio_median": median,
        "n_pairs": len(ratios),
        "reason": "",
        "statement": f"{head} changes the score on {what} by {signed(-loss.effect)} "
        f"{between(-loss.high, -loss.low)}{relative.replace('-', '−')}.",
    }


def without_sentence(part: dict[str, object]) -> dict[str, object]:
    """Leave the sentence to the finding's statement."""
    return {key: value for key, value in part.items() if key != "statement"}


def cells_of(losses: Losses) -> list[dict[str, object]]:
    """Change of each pair of datasets at each checkpoint, averaged over formats and seeds."""
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
    """Rows of `details` for each pair of datasets and checkpoint."""
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
    """Caveats on what was left out and on ratios that mislead."""
    caveats = []
    total = len(losses.found) + sum(losses.at_floor.values())
    if skipped := sum(losses.at_floor.values()):
        caveats.append(
            f"{skipped} of {total} comparisons are left out: the untouched checkpoint is at the floor there "
            "and has nothing to lose."
        )
    for kind, part in parts.items():
        mean, median = part["ratio_mean"], part["ratio_median"]
        if mean is not None and median is not None and abs(mean - median) > 0.1:
            caveats.append(
                f"{DIRECTIONS[kind]}: mean and median ratio differ by {abs(mean - median):.0%}; "
                "a few small untouched scores weigh much in the mean."
            )
    datasets = {kind: {loss.row.dataset for loss in losses.found if loss.kind == kind} for kind in DIRECTIONS}
    few = [DIRECTIONS[kind] for kind, names in datasets.items() if len(names) == 1]
    if few:
        caveats.append(f"{listed(few)}: tuned on one dataset only, which stands for its type.")
    return caveats

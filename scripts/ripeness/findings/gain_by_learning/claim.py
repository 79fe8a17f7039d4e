"""Does tuning gain more where pre-training taught nothing? (Amuro and Char, arXiv 2408.06663, section 6)."""

from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.caveats import (
    covers_at_large,
    missing_cells,
    most_checkpoints,
    n_seeds_of,
    one_answer,
    shared_caveats,
)
from ripeness.findings.claim import Claim
from ripeness.findings.finding import (
    Finding,
    Settings,
    listed,
    numbers,
    on_enough,
    signed,
    undecided,
)
from ripeness.findings.gain_by_learning.classes import FEW, Classes, classes_of
from ripeness.findings.gain_by_learning.gains import (
    NO_GAINS,
    Gains,
    difference,
    difference_drawn,
    gains_of,
    group_means,
    mean_gain,
    n_items_of,
)
from ripeness.findings.gain_by_learning.without_items import judge as judge_without_items
from ripeness.findings.needs import has_items
from ripeness.findings.pairs import late, measured_blocks, pairs, trend
from ripeness.findings.scores import Point, Scores
from ripeness.findings.study_tables import Tables
from ripeness.findings.two_estimates import OF_CHANGES, Both, both_of, on_other_scale, two_lines, with_both
from ripeness.stats.at_large import sources_of
from ripeness.stats.resampling import Estimate


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare what tuning gains on datasets not learned in pre-training with what it gains on learned ones.

    Gain: tuned minus untouched, paired by item, asked in the format trained. The effect is the difference of
    mean gains over the late half of the checkpoints; `details` have every checkpoint.
    """
    measurements, scores = tables.floors, tables.scores
    late_half = {point for found in scores.checkpoints.values() for point in late(trend(found))}
    gains, main, last, details = collected(measurements, scores, settings, late_half)
    if not gains.found:
        reason = f"no pair of a model tuned by {settings.method!r} and its untouched checkpoint was measured"
        return undecided(Finding(), reason)
    finding = Finding(
        covers=covers_at_large(len(scores.checkpoints), gains.rows),
        n_seeds=n_seeds_of(gains.rows),
        n_checkpoints=len({(row.series, row.checkpoint) for row in main.rows}),
        n_items=n_items_of(gains),
        details=details,
    )
    if max(len(trend(found)) for found in scores.checkpoints.values()) < 2:
        return undecided(finding, "one checkpoint of a series cannot show what pre-training teaches")
    drawn = difference_drawn(main, settings)
    if drawn is None:
        kinds = [kind for kind, names in classed(main).items() if names]
        tuned = f"every dataset is in the class {kinds[0]!r}" if len(kinds) == 1 else "no model was tuned"
        return undecided(finding, f"at the later checkpoints {tuned}, which leaves nothing to compare")
    points = [point for found in scores.checkpoints.values() for point in trend(found)]
    is_late = [point in late_half for point in points]
    classes = classes_of(main, gains, points)
    sources = sources_of(*drawn, classes.courses(points, is_late), n_items=n_items_of(main))
    both = both_of(
        float(drawn[0][0]), classes.component("gain"), sources, settings, n_datasets=classes.n_datasets, most=OF_CHANGES
    )
    statement = sentence(main, both, difference(last, settings), in_log_odds(classes, both, settings))
    caveats = [*cell_caveats(main, scores, settings, late_half), *gain_caveats(main)]
    caveats += unclassed(gains, scores, settings)
    finding = replace(finding, statement=statement, caveats=tuple(caveats))
    finding = with_both(finding, both, settings, too_few=FEW)
    return on_enough(finding, most_checkpoints(gains.rows), settings)


CLAIM = Claim(
    id="gain-by-learning",
    text="Tuning gains more on datasets not learned in pre-training than on learned ones.",
    source="Amuro and Char, arXiv 2408.06663, sections 5 and 6",
    unit="score gained by tuning, not learned minus learned",
    figure="gain-by-group",
    needs=(has_items,),
    judge=judge,
    judge_without_items=judge_without_items,
)


def collected(
    measurements: pl.DataFrame, scores: Scores, settings: Settings, late_half: set[Point]
) -> tuple[Gains, Gains, Gains, tuple[dict[str, object], ...]]:
    """Collect gains at all checkpoints, at the later half and at the last ones, and the rows of `details`."""
    ends = {point for found in scores.checkpoints.values() for point in trend(found)[-1:]}
    gains, main, last = NO_GAINS, NO_GAINS, NO_GAINS
    details = []
    for point, here in gains_of(measurements, scores, settings):
        details += gain_rows(point, here, settings) if settings.has_details else []
        gains |= here
        main |= here if point in late_half else NO_GAINS
        last |= here if point in ends else NO_GAINS
    return gains, main, last, tuple(details)


def classed(gains: Gains) -> dict[str, list[str]]:
    """Name the datasets by class; one that is classed both ways goes where most of its items are."""
    share: dict[str, float] = {}
    for gain in gains.found:
        share[gain.row.dataset] = share.get(gain.row.dataset, 0.0) + (gain.share if gain.is_learned else -gain.share)
    return {
        "learned": sorted(name for name, balance in share.items() if balance > 0),
        "not learned": sorted(name for name, balance in share.items() if balance <= 0),
    }


def sentence(gains: Gains, both: Both, last: Estimate | None, log_odds: str) -> str:
    """Say what tuning gains on both groups, and by how much that differs."""
    unlearned, learned = group_means(gains)
    names = classed(gains)
    at_last = f" At the last checkpoint: {signed(last.effect)}." if last else ""
    return (
        f"Over the later half of the checkpoints tuning gains {signed(unlearned)} on datasets not learned in "
        f"pre-training ({listed(names['not learned'])}) and {signed(learned)} on learned ones "
        f"({listed(names['learned'])}), a difference of {signed(both.shown.effect)}. "
        f"{two_lines(both)}{at_last}{log_odds}"
    )


def in_log_odds(classes: Classes, both: Both, settings: Settings) -> str:
    """Say what the difference is in log-odds where the classes start apart, and whether that is another verdict."""
    if abs(classes.difference("start")) <= settings.learned_margin:
        return ""
    return on_other_scale(both, classes.in_log_odds(settings), settings)


def cell_caveats(main: Gains, scores: Scores, settings: Settings, late_half: set[Point]) -> list[str]:
    """List caveats on the measured cells: those of every claim, missing cells, and models that give one answer."""
    return [
        *shared_caveats(scores, main.rows, settings),
        *missing_cells(scores, main.rows, late_half),
        *one_answer(scores, [(row, row.dataset) for row in main.rows]),
    ]


def gain_caveats(gains: Gains) -> list[str]:
    """List caveats on the ceiling, the classes and the number of datasets."""
    caveats = []
    unlearned, _ = group_means(gains)
    room = 1 - float(np.mean([gain.before for gain in gains.found if gain.is_learned]))
    if room < unlearned:
        caveats.append(
            f"Ceiling: learned datasets start {room:.2f} below a perfect score, so that they cannot gain the "
            f"{unlearned:.2f} that the others gain, whatever tuning does."
        )
    caveats.append("Datasets are classed on other items than those of the gain; the classes are taken as given.")
    classes: dict[str, set[bool]] = {}
    for gain in gains.found:
        classes.setdefault(gain.row.dataset, set()).add(gain.is_learned)
    if both := sorted(name for name, found in classes.items() if len(found) > 1):
        caveats.append(f"Close to the margin, classed as learned by only some of the items: {listed(both)}.")
    names = classed(gains)
    if min(map(len, names.values())) < 3:
        caveats.append(
            f"{len(names['not learned'])} and {len(names['learned'])} datasets: "
            "other differences between the two groups cannot be ruled out."
        )
    return caveats


def unclassed(gains: Gains, scores: Scores, settings: Settings) -> list[str]:
    """Name the datasets that were tuned on and have no class."""
    blocks = measured_blocks(scores, settings)
    there = {block.probe for block in blocks if any(pairs(block, settings, is_own=True).values())}
    names = sorted(there - {gain.row.dataset for gain in gains.found})
    if not names:
        return []
    why = "the first checkpoint is trained already, and what generated answers score without any is not known"
    return [f"Left out, since they are neither learned nor not for sure ({why}): {listed(names)}."]


def gain_rows(point: Point, gains: Gains, settings: Settings) -> list[dict[str, object]]:
    """Make the rows of `details` of one checkpoint: the difference of the groups, and the gain of each dataset."""
    rows = []
    gap = difference(gains, settings)
    if gap is not None:
        unlearned, learned = group_means(gains)
        rows.append({"level": "groups", **place(point), "not_learned": unlearned, "learned": learned, **numbers(gap)})
    for dataset in sorted(gains.n_items):
        own = dataset_row(gains.on(dataset), settings)
        rows.append({"level": "dataset", **place(point), "dataset": dataset, **own})
    return rows


def place(point: Point) -> dict[str, object]:
    """Name a checkpoint in a row of `details`."""
    return {
        "series": point.series,
        "checkpoint": point.checkpoint,
        "tokens": point.tokens,
        "phase": point.phase,
    }


def dataset_row(gains: Gains, settings: Settings) -> dict[str, object]:
    """Estimate the gain of one dataset at one checkpoint, and the share of what was left to gain."""
    gain = mean_gain(gains, settings)
    share = np.array([one.share for one in gains.found])
    before = float(np.average([one.before for one in gains.found], weights=share))
    return {
        "share_learned": float(share[[one.is_learned for one in gains.found]].sum() / share.sum()),
        "before": before,
        "after": before + gain.effect,
        "share_of_headroom": gain.effect / (1 - before) if before < 1 else None,
        **numbers(gain),
    }

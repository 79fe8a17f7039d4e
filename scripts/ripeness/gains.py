"""What tuning gains on its own dataset, beside whether the dataset is learned in pre-training.

The class of a dataset is judged on other items than those that measure its gain: an untouched score that is
low by chance would otherwise both class the dataset as not learned and raise its gain.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from ripeness.coverage import levels_of
from ripeness.paired_scores import (
    FOLDS,
    Block,
    Changes,
    Fold,
    Point,
    Row,
    Scores,
    above_floor,
    changes,
    floors,
    folds,
    generator,
    late,
    measured_blocks,
    trend,
    weights_of,
)
from ripeness.statistics import Estimate, estimate, grouped_means, weighted_means
from ripeness.verdicts import Settings

Classes = dict[tuple[str, str], bool]  # (dataset, series): is it learned?


@dataclass(frozen=True)
class Gains:
    """Gains from tuning: draws [rows, 1 + n], one row a model and part of the items.

    A part is the folds that class all datasets alike; `share` is its share of the folds, `n_items` those of
    the dataset. Groups are compared within a part, so that no item has a say in where its own gain counts.
    """

    rows: list[Row]
    is_learned: np.ndarray
    part: np.ndarray
    share: np.ndarray
    draws: np.ndarray
    before: np.ndarray
    n_items: np.ndarray

    def where(self, kept: np.ndarray) -> "Gains":
        """Keep the rows of a mask."""
        rows = [row for row, is_kept in zip(self.rows, kept, strict=True) if is_kept]
        arrays = (self.is_learned, self.part, self.share, self.draws, self.before, self.n_items)
        return Gains(rows, *(values[kept] for values in arrays))


def gains_of(measurements: pl.DataFrame, scores: Scores, settings: Settings) -> Gains | None:
    """Collect the gains of all tuned models, each measured on the items that did not class its dataset."""
    measured = {block.probe: changes(block, settings, is_own=True) for block in measured_blocks(scores, settings)}
    measured = {probe: change for probe, change in measured.items() if change.rows}
    cut = {probe: folds(scores, probe, settings) for probe in measured}
    parts: dict[tuple, list[int]] = {}
    for number in range(FOLDS):
        classes: Classes = {}
        for probe, change in measured.items():
            fold = cut[probe][number % len(cut[probe])]
            for series, is_learned in learned_on(
                fold, change.block, measurements=measurements, scores=scores, settings=settings
            ).items():
                classes[probe, series] = is_learned
        parts.setdefault(tuple(sorted(classes.items())), []).append(number)
    found = [
        gains_on(
            change,
            settings,
            part=part,
            items=items_of(cut[probe], numbers),
            classes=dict(classes),
            share=len(numbers) / FOLDS,
        )
        for probe, change in measured.items()
        for part, (classes, numbers) in enumerate(parts.items())
    ]
    found = [gains for gains in found if gains.rows]
    if not found:
        return None
    arrays = ("is_learned", "part", "share", "draws", "before", "n_items")
    joined = {name: np.concatenate([getattr(gains, name) for gains in found]) for name in arrays}
    return Gains(rows=[row for gains in found for row in gains.rows], **joined)


def items_of(cut: list[Fold], numbers: list[int]) -> np.ndarray:
    """Mask the items that these folds measure."""
    return np.any([cut[number % len(cut)].measure for number in numbers], axis=0)


def gains_on(
    change: Changes, settings: Settings, *, part: int, items: np.ndarray, classes: Classes, share: float
) -> Gains:
    """Measure the gains on one dataset by the items of one part."""
    probe = change.block.probe
    kept = [index for index, row in enumerate(change.rows) if (probe, row.series) in classes]
    rows = [change.rows[index] for index in kept]
    return Gains(
        rows=rows,
        is_learned=np.array([classes[probe, row.series] for row in rows], bool),
        part=np.full(len(rows), part),
        share=np.full(len(rows), share),
        draws=weighted_means(change.values[kept], weights_of(change.block, settings) * items),
        before=change.before[kept],
        n_items=np.full(len(rows), len(items)),
    )


def learned_on(
    fold: Fold, block: Block, *, measurements: pl.DataFrame, scores: Scores, settings: Settings
) -> dict[str, bool]:
    """Say for each series whether the dataset is learned, by the late half and the sorting items of a fold.

    Learned: the untouched checkpoints score more than the margin above the floor. Unlike the finding on
    learning this is a cut without an interval, so that every dataset falls on one side.
    """
    sorting = scores.blocks[block.probe, fold.split]
    floor = floors(sorting, measurements, scores.checkpoints)
    learned = {}
    for series, points in scores.checkpoints.items():
        keys = [(series, point.checkpoint, sorting.format) for point in late(trend(points))]
        if series in floor:
            level = above_floor(sorting, floor[series], keys=keys, items=fold.choose)
            if not np.isnan(level):
                learned[series] = level > settings.learned_margin
    return learned


def at(gains: Gains, points: dict[str, list[Point]]) -> Gains:
    """Keep the gains at these checkpoints."""
    wanted = {(series, point.checkpoint) for series, found in points.items() for point in found}
    return gains.where(np.array([(row.series, row.checkpoint) in wanted for row in gains.rows], bool))


def by_group(gains: Gains, draws: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean gain on datasets not learned and learned, [draws] each; NaN where no part of the items has both.

    Within a part every dataset counts the same; parts count by their share.
    """
    parts, is_learned = gains.part.tolist(), gains.is_learned.tolist()
    names = [(*key, row.dataset) for *key, row in zip(parts, is_learned, gains.rows, strict=True)]
    units = sorted(set(names))
    places = {name: number for number, name in enumerate(units)}
    means = grouped_means(draws, weights, np.array([places[name] for name in names]))
    group = np.array([2 * part + learned for part, learned, _ in units])
    groups = grouped_means(means, np.ones((len(units), 1)), group)
    if len(groups) % 2:  # the last part has no learned dataset
        groups = np.concatenate([groups, np.full((1, groups.shape[1]), np.nan)])
    unlearned, learned = groups[0::2], groups[1::2]
    share = np.zeros((len(unlearned), 1))
    share[gains.part, 0] = gains.share
    share = share * ~np.isnan(unlearned + learned)
    alone = np.zeros(len(share), int)
    return grouped_means(unlearned, share, alone)[0], grouped_means(learned, share, alone)[0]


def group_means(gains: Gains) -> tuple[float, float]:
    """Mean gain as measured on datasets not learned and learned."""
    unlearned, learned = by_group(gains, gains.draws[:, :1], np.ones((len(gains.rows), 1)))
    return float(unlearned[0]), float(learned[0])


def difference(gains: Gains, settings: Settings) -> Estimate | None:
    """Estimate the mean gain on datasets not learned minus that on learned ones; None without both."""
    if not gains.rows or np.isnan(group_means(gains)[0]):
        return None

    def statistic(draws: np.ndarray, weights: np.ndarray) -> np.ndarray:
        unlearned, learned = by_group(gains, draws, weights)
        return unlearned - learned

    return estimated(statistic, gains, settings)


def mean_gain(gains: Gains, settings: Settings) -> Estimate:
    """Estimate the mean of all gains."""
    alone = np.zeros(len(gains.rows), int)
    share = gains.share[:, None]
    return estimated(lambda draws, weights: grouped_means(draws, weights * share, alone)[0], gains, settings)


def n_items_of(gains: Gains) -> int:
    """Items of all datasets."""
    return sum({row.dataset: int(n) for row, n in zip(gains.rows, gains.n_items, strict=True)}.values())


def estimated(statistic: Callable[[np.ndarray, np.ndarray], np.ndarray], gains: Gains, settings: Settings) -> Estimate:
    """Give a statistic of gains its interval over items, seeds and runs."""
    return estimate(
        statistic,
        gains.draws,
        levels_of(gains.rows),
        n_items=n_items_of(gains),
        confidence=settings.confidence,
        rng=generator(settings, "gains"),
    )

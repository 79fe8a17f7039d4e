"""What tuning gains on its own dataset, and whether the dataset is learned in pre-training.

The class of a dataset is judged on other items than those that measure its gain: an untouched score that is
low by chance would otherwise both class the dataset as not learned and raise its gain.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from ripeness.findings.caveats import levels_of
from ripeness.findings.finding import Settings
from ripeness.findings.pairs import (
    FOLDS,
    Fold,
    above_floor,
    changes,
    floors,
    folds,
    formats_of,
    generator,
    is_untrained_first,
    late,
    measured_blocks,
    pairs,
    trend,
    weights_of,
)
from ripeness.findings.scores import Block, Point, Row, Scores
from ripeness.stats.resampling import Above, Estimate, estimate, grouped_means, mean_of, ratio, weighted_means

Unit = tuple[int, bool, str]  # part, is the dataset learned, dataset


@dataclass(frozen=True)
class Part:
    """The folds that class all datasets alike: by (dataset, series), is it learned, and the items that they measure."""

    is_learned: dict[tuple[str, str], bool]
    items: dict[str, np.ndarray]
    share: float  # of the folds


class Gain(NamedTuple):
    """Gain of one tuned model on the items of one part, as measured; `before` is its untouched score."""

    row: Row
    part: int
    is_learned: bool
    share: float
    value: float
    before: float

    @property
    def unit(self) -> Unit:
        """Where it counts: groups are compared within a part, so that no item has a say in where its gain counts."""
        return self.part, self.is_learned, self.row.dataset


@dataclass(frozen=True)
class Gains:
    """Gains from tuning and, by unit, the sum of their draws and the number of them, [2, 1 + n]."""

    found: list[Gain]
    sums: dict[Unit, np.ndarray]
    n_items: dict[str, int]  # of every dataset

    @property
    def rows(self) -> list[Row]:
        """The tuned models, one entry for each part."""
        return [gain.row for gain in self.found]

    def on(self, dataset: str) -> "Gains":
        """Keep the gains on one dataset."""
        sums = {unit: sums for unit, sums in self.sums.items() if unit[2] == dataset}
        return Gains(
            [gain for gain in self.found if gain.row.dataset == dataset], sums, {dataset: self.n_items[dataset]}
        )

    def __or__(self, other: "Gains") -> "Gains":
        """Join the gains at different checkpoints; the draws take no more room."""
        none = np.zeros(())
        sums = {unit: self.sums.get(unit, none) + other.sums.get(unit, none) for unit in self.sums | other.sums}
        return Gains(self.found + other.found, sums, self.n_items | other.n_items)


NO_GAINS = Gains([], {}, {})


def gains_of(measurements: pl.DataFrame, scores: Scores, settings: Settings) -> Iterator[tuple[Point, Gains]]:
    """Measure the gains of all tuned models on the items that did not class their dataset, checkpoint by checkpoint."""
    tuned = {block.probe: pairs(block, settings, is_own=True) for block in measured_blocks(scores, settings)}
    blocks = [scores.blocks[probe, "test"] for probe, found in tuned.items() if found]
    parts = parts_of(blocks, measurements=measurements, scores=scores, settings=settings)
    for points in scores.checkpoints.values():
        for point in points:
            found = NO_GAINS
            for block in blocks:
                if indices := tuned[block.probe].get((point.series, point.checkpoint)):
                    found |= gains_on(block, indices, parts, settings)
            if found.found:
                yield point, found


def parts_of(blocks: list[Block], *, measurements: pl.DataFrame, scores: Scores, settings: Settings) -> list[Part]:
    """Class all datasets by each fold, and join the folds that class them alike."""
    cut = {block.probe: folds(scores, block.probe, settings) for block in blocks}
    alike: dict[tuple, list[int]] = {}
    for number in range(FOLDS):
        classes: dict[tuple[str, str], bool] = {}
        for block in blocks:
            fold = cut[block.probe][number % len(cut[block.probe])]
            found = learned_on(fold, block, measurements=measurements, scores=scores, settings=settings)
            classes |= {(block.probe, series): is_learned for series, is_learned in found.items()}
        alike.setdefault(tuple(sorted(classes.items())), []).append(number)
    return [
        Part(
            is_learned=dict(classes),
            items={probe: items_of(own, numbers) for probe, own in cut.items()},
            share=len(numbers) / FOLDS,
        )
        for classes, numbers in alike.items()
    ]


def items_of(cut: list[Fold], numbers: list[int]) -> np.ndarray:
    """Mask the items that these folds measure."""
    return np.any([cut[number % len(cut)].measure for number in numbers], axis=0)


def gains_on(block: Block, indices: list[int], parts: list[Part], settings: Settings) -> Gains:
    """Measure the gains of these models of one checkpoint on their dataset, part by part."""
    change, weights = changes(block, indices), weights_of(block, settings)
    found, sums = [], {}
    for number, part in enumerate(parts):
        is_learned = part.is_learned.get((block.probe, change.rows[0].series))
        if is_learned is None:
            continue
        items = part.items[block.probe]
        draws = weighted_means(change.values[:, items], weights[:, items])
        measured = zip(change.rows, draws[:, 0].tolist(), change.before.tolist(), strict=True)
        found += [Gain(row, number, is_learned, part.share, value, before) for row, value, before in measured]
        sums[number, is_learned, block.probe] = np.stack([np.nansum(draws, axis=0), (~np.isnan(draws)).sum(axis=0)])
    return Gains(found, sums, {block.probe: block.n_items} if found else {})


def learned_on(
    fold: Fold, block: Block, *, measurements: pl.DataFrame, scores: Scores, settings: Settings
) -> dict[str, bool]:
    """Say for each series whether the dataset is learned, by the late half and the sorting items of a fold.

    Learned: the untouched checkpoints score more than the margin above the floor in the mean of all formats. Unlike the
    finding on learning this is a cut without an interval, so that every dataset falls on one side. A dataset has no
    class where that hangs on a floor that is not known: generated answers of a first checkpoint that is trained.
    """
    sorting = scores.blocks[block.probe, fold.split]
    learned = {}
    for series, points in scores.checkpoints.items():
        there = [p for p in late(trend(points)) if (series, p.checkpoint, sorting.format) in sorting.base]
        levels, most = [], []
        for asked in formats_of(sorting, there) if there else []:
            floor = floors(sorting, measurements, scores.checkpoints, asked).get(series)
            if floor is None:
                continue
            keys = [(series, point.checkpoint, asked) for point in there]
            levels.append(above_floor(sorting, floor, keys=keys, items=fold.choose))
            is_known = sorting.kind == "choice" or is_untrained_first(sorting, points)
            most.append(levels[-1] if is_known else levels[-1] + float(mean_of(floor[1][fold.choose])))
        if levels and float(np.mean(levels)) > settings.learned_margin:
            learned[series] = True
        elif levels and float(np.mean(most)) <= settings.learned_margin:
            learned[series] = False
    return learned


def by_group(gains: Gains, units: list[Unit], means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average gains on datasets not learned and on learned ones, [n] each, from those of units [units, n].

    NaN where no part of the items has both. Within a part every dataset counts the same; parts count by their share.
    """
    groups = grouped_means(
        means, np.ones((len(units), 1)), np.array([2 * part + learned for part, learned, _ in units])
    )
    if len(groups) % 2:  # the last part has no learned dataset
        groups = np.concatenate([groups, np.full((1, groups.shape[1]), np.nan)])
    unlearned, learned = groups[0::2], groups[1::2]
    share = np.zeros((len(unlearned), 1))
    for gain in gains.found:
        share[gain.part] = gain.share
    share = share * ~np.isnan(unlearned + learned)
    alone = np.zeros(len(share), int)
    return grouped_means(unlearned, share, alone)[0], grouped_means(learned, share, alone)[0]


def groups_of(gains: Gains) -> tuple[np.ndarray, np.ndarray]:
    """Average gains on datasets not learned and on learned ones, as measured and redrawn: [1 + n] each."""
    units = sorted(gains.sums)
    return by_group(gains, units, np.stack([ratio(*gains.sums[unit]) for unit in units]))


def group_means(gains: Gains) -> tuple[float, float]:
    """Average the measured gains on datasets not learned and on learned ones."""
    unlearned, learned = groups_of(gains)
    return float(unlearned[0]), float(learned[0])


def difference(gains: Gains, settings: Settings) -> Estimate | None:
    """Estimate the mean gain on datasets not learned minus that on learned ones; None without both."""
    found = difference_drawn(gains, settings)
    if found is None:
        return None
    replicates, above = found
    return estimate(replicates, n_items=n_items_of(gains), confidence=settings.confidence, above=above)


def difference_drawn(gains: Gains, settings: Settings) -> tuple[np.ndarray, Above] | None:
    """Draw the difference over items, and say what lies above them; None without datasets of both classes."""
    if not gains.found or np.isnan(group_means(gains)[0]):
        return None
    units = sorted(gains.sums)
    number = {unit: index for index, unit in enumerate(units)}
    code = np.array([number[gain.unit] for gain in gains.found])

    def statistic(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        unlearned, learned = by_group(gains, units, grouped_means(values, weights, code))
        return unlearned - learned

    unlearned, learned = groups_of(gains)
    return unlearned - learned, above_gains(statistic, gains, settings)


def mean_gain(gains: Gains, settings: Settings) -> Estimate:
    """Estimate the mean of all gains."""
    share = np.array([gain.share for gain in gains.found])[:, None]
    alone = np.zeros(len(share), int)
    shares = {gain.part: gain.share for gain in gains.found}
    total, n = sum((shares[unit[0]] * sums for unit, sums in gains.sums.items()), start=np.zeros((2, 1)))

    def statistic(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return grouped_means(values, weights * share, alone)[0]

    above = above_gains(statistic, gains, settings)
    return estimate(ratio(total, n), n_items=n_items_of(gains), confidence=settings.confidence, above=above)


def n_items_of(gains: Gains) -> int:
    """Count the items of all datasets."""
    return sum(gains.n_items.values())


def above_gains(statistic: Callable[[np.ndarray, np.ndarray], np.ndarray], gains: Gains, settings: Settings) -> Above:
    """Say what a statistic of gains varies by above the items: seeds and runs."""
    values = np.array([gain.value for gain in gains.found])[:, None]
    return Above(lambda weights: statistic(values, weights), levels_of(gains.rows), generator(settings, "gains"))

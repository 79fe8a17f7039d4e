"""What tuning on one type of task changes on the other, wherever there is something to lose."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl

from ripeness.findings.finding import Settings
from ripeness.findings.pairs import (
    Changes,
    above_floor,
    changes,
    floors,
    folds,
    key_of,
    measured_blocks,
    pairs,
    trend,
    weights_of,
)
from ripeness.findings.scores import Block, Row, Scores
from ripeness.stats.resampling import weighted_means

DIRECTIONS = {
    "choice": "choice to generation",
    "generation": "generation to choice",
}  # by the kind of the dataset tuned on


class Loss(NamedTuple):
    """Change on a dataset of the other type, as measured; `kind` is that of the dataset tuned on."""

    row: Row
    probe: str
    kind: str
    share: float  # of the items, for which there was something to lose
    change: float
    before: float


@dataclass
class Losses:
    """Changes on the other type's datasets, where there was something to lose.

    `sums` [2, 1 + n] are those of the draws and of their weights, by kind of the dataset tuned on, and `at_floor` the
    number of comparisons without.
    """

    found: list[Loss] = field(default_factory=list)
    sums: dict[str, np.ndarray] = field(default_factory=lambda: dict.fromkeys(DIRECTIONS, np.zeros((2, 1))))
    n_items: int = 0
    at_floor: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DIRECTIONS, 0))

    @property
    def rows(self) -> list[Row]:
        """The tuned models, one entry for each dataset that a model was measured on."""
        return [loss.row for loss in self.found]


def losses_of(measurements: pl.DataFrame, scores: Scores, settings: Settings) -> Losses | None:
    """Collect the changes on datasets of the other type at the checkpoints of the trend; None without any."""
    kinds = {probe: block.kind for (probe, _), block in scores.blocks.items()}
    trended = {(p.series, p.checkpoint) for points in scores.checkpoints.values() for p in trend(points)}
    losses = Losses()
    for block in measured_blocks(scores, settings):
        crossing: dict[tuple[str, str], list[int]] = {}
        for place, indices in pairs(block, settings, is_own=False).items():
            kept = [index for index in indices if kinds.get(block.rows[index].dataset, block.kind) != block.kind]
            if kept and place in trended:
                crossing[place] = kept
        if crossing:
            losses.n_items += block.n_items
            rows = [block.rows[index] for indices in crossing.values() for index in indices]
            masks = off_floor(block, rows, measurements=measurements, scores=scores, settings=settings)
            weights = weights_of(block, settings)
            for indices in crossing.values():
                add_losses(losses, block.probe, changes(block, indices), kinds=kinds, masks=masks, weights=weights)
    return losses if losses.n_items else None


def add_losses(
    losses: Losses,
    probe: str,
    change: Changes,
    *,
    kinds: dict[str, str],
    masks: dict[tuple[str, str, str], np.ndarray],
    weights: np.ndarray,
) -> None:
    """Add the changes on one dataset at one checkpoint, each on the items whose others place it off the floor."""
    for key in dict.fromkeys(map(key_of, change.rows)):
        here = [index for index, row in enumerate(change.rows) if key_of(row) == key]
        items = masks[key]
        if not items.any():
            for index in here:
                losses.at_floor[kinds[change.rows[index].dataset]] += 1
            continue
        share = float(items.mean())
        draws = weighted_means(change.values[here][:, items], weights[:, items])
        for index, drawn in zip(here, draws, strict=True):
            row, measured = change.rows[index], ~np.isnan(drawn)
            kind = kinds[row.dataset]
            losses.found.append(Loss(row, probe, kind, share, float(drawn[0]), float(change.before[index])))
            losses.sums[kind] = losses.sums[kind] + share * np.stack([np.where(measured, drawn, 0.0), measured])


def off_floor(
    block: Block, rows: list[Row], *, measurements: pl.DataFrame, scores: Scores, settings: Settings
) -> dict[tuple[str, str, str], np.ndarray]:
    """Mask the items that measure each untouched model: those whose sorting items place it off the floor."""
    masks = {key_of(row): np.zeros(block.n_items, bool) for row in rows}
    for fold in folds(scores, block.probe, settings):
        sorting = scores.blocks[block.probe, fold.split]
        floor = floors(sorting, measurements, scores.checkpoints)
        for key, items in masks.items():
            if key[0] not in floor:
                continue
            if above_floor(sorting, floor[key[0]], keys=[key], items=fold.choose) > settings.learned_margin:
                items |= fold.measure
    return masks

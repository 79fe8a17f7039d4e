"""What tuning on one type of task changes on the other, wherever there is something to lose."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from ripeness.paired_scores import (
    Changes,
    Row,
    Scores,
    above_floor,
    changes,
    floors,
    folds,
    measured_blocks,
    trend,
    weights_of,
)
from ripeness.statistics import weighted_means
from ripeness.verdicts import Settings

DIRECTIONS = {
    "choice": "choice to generation",
    "generation": "generation to choice",
}  # by the kind of the dataset tuned on


@dataclass(frozen=True)
class Losses:
    """Changes on the other type's datasets, where there was something to lose: draws [rows, 1 + n]."""

    rows: list[Row]
    probes: list[str]
    kinds: list[str]  # of the dataset tuned on
    share: np.ndarray  # of the items for which there was
    draws: np.ndarray
    before: np.ndarray
    n_items: int
    at_floor: dict[str, int]  # comparisons without, by kind of the dataset tuned on


def losses_of(measurements: pl.DataFrame, scores: Scores, settings: Settings) -> Losses | None:
    """Collect the changes on datasets of the other type at the checkpoints of the trend; None without any."""
    kinds = {probe: block.kind for (probe, _), block in scores.blocks.items()}
    trended = {(p.series, p.checkpoint) for points in scores.checkpoints.values() for p in trend(points)}
    found: list[Losses] = []
    for block in measured_blocks(scores, settings):
        change = changes(block, settings, is_own=False)
        crossing = [
            index
            for index, row in enumerate(change.rows)
            if kinds.get(row.dataset, block.kind) != block.kind and (row.series, row.checkpoint) in trended
        ]
        if crossing:
            found.append(
                losses_on(change, crossing, kinds=kinds, measurements=measurements, scores=scores, settings=settings)
            )
    if not found:
        return None
    return Losses(
        rows=[row for part in found for row in part.rows],
        probes=[probe for part in found for probe in part.probes],
        kinds=[kind for part in found for kind in part.kinds],
        share=np.concatenate([part.share for part in found]),
        draws=np.concatenate([part.draws for part in found]),
        before=np.concatenate([part.before for part in found]),
        n_items=sum(part.n_items for part in found),
        at_floor={kind: sum(part.at_floor[kind] for part in found) for kind in DIRECTIONS},
    )


def losses_on(
    change: Changes,
    crossing: list[int],
    *,
    kinds: dict[str, str],
    measurements: pl.DataFrame,
    scores: Scores,
    settings: Settings,
) -> Losses:
    """Collect the changes on one dataset, each on the items whose others place it off the floor."""
    weights = weights_of(change.block, settings)
    masks = off_floor(change, crossing, measurements=measurements, scores=scores, settings=settings)
    kept, draws = [], [np.empty((0, weights.shape[0]))]
    at_floor = dict.fromkeys(DIRECTIONS, 0)
    for key, items in masks.items():
        here = [index for index in crossing if key_of(change.rows[index]) == key]
        if items.any():
            kept += here
            draws.append(weighted_means(change.values[here], weights * items))
        else:
            for index in here:
                at_floor[kinds[change.rows[index].dataset]] += 1
    rows = [change.rows[index] for index in kept]
    return Losses(
        rows=rows,
        probes=[change.block.probe] * len(rows),
        kinds=[kinds[row.dataset] for row in rows],
        share=np.array([masks[key_of(row)].mean() for row in rows]),
        draws=np.concatenate(draws),
        before=change.before[kept],
        n_items=change.values.shape[1],
        at_floor=at_floor,
    )


def key_of(row: Row) -> tuple[str, str, str]:
    """Name the untouched model that a tuned one is compared with."""
    return row.series, row.checkpoint, row.probe_format


def off_floor(
    change: Changes, crossing: list[int], *, measurements: pl.DataFrame, scores: Scores, settings: Settings
) -> dict[tuple[str, str, str], np.ndarray]:
    """Items that measure each untouched model: those for which the items that sort place it off the floor."""
    masks = {key_of(change.rows[index]): np.zeros(change.values.shape[1], bool) for index in crossing}
    for fold in folds(scores, change.block.probe, settings):
        sorting = scores.blocks[change.block.probe, fold.split]
        floor = floors(sorting, measurements, scores.checkpoints)
        for key, items in masks.items():
            if key[0] not in floor:
                continue
            if above_floor(sorting, floor[key[0]], keys=[key], items=fold.choose) > settings.learned_margin:
                items |= fold.measure
    return masks

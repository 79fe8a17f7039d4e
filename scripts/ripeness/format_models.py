"""Models asked for the same items in several formats, and whether a format had anything to change."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from ripeness.paired_scores import (
    Block,
    Point,
    Row,
    Scores,
    floors,
    generator,
    measured_blocks,
    weights_of,
)
from ripeness.statistics import format_variance, mean_of, null_spread, spread
from ripeness.verdicts import Settings


@dataclass(frozen=True)
class Models:
    """Models of one condition (tuned or untouched), each asked on its own dataset in every format.

    `variance` [models, 1 + draws] over formats, noise removed; `spread` and `null` [models, permutations] as
    measured; `level` [models, formats] is the score above the floor and `score` the score itself.
    """

    rows: list[Row]
    variance: np.ndarray
    spread: np.ndarray
    null: np.ndarray
    level: np.ndarray
    score: np.ndarray
    n_items: int


@dataclass(frozen=True)
class Group:
    """One dataset at one checkpoint: its models, and whether there is anything for a format to change."""

    dataset: str
    point: Point
    members: list[int]
    is_off_floor: bool


def models_of(measurements: pl.DataFrame, scores: Scores, settings: Settings, *, is_tuned: bool) -> Models | None:
    """Collect the models that were asked in all of a dataset's formats; None without two formats."""
    rows, variances, spreads, nulls, levels, levels_raw, n_items = [], [], [], [], [], [], 0
    width = 0
    for block in measured_blocks(scores, settings):
        asked = asked_in_all_formats(block, settings, is_tuned=is_tuned)
        floor = floors(block, measurements, scores.checkpoints)
        asked = {row: values for row, values in asked.items() if row.series in floor}
        if not asked:
            continue
        n_items += block.values.shape[1]
        values = np.stack(list(asked.values()))
        width = max(width, values.shape[1])
        rows += list(asked)
        variances.append(format_variance(values, weights_of(block, settings)))
        spreads.append(spread(values))
        rng = generator(settings, "formats", block.probe)
        nulls.append(null_spread(values, permutations=settings.permutations, rng=rng))
        ground = np.array([mean_of(floor[row.series][1]) for row in asked])
        levels_raw.append(mean_of(values, axis=2))
        levels.append(levels_raw[-1] - ground[:, None])
    if not rows:
        return None

    def padded(parts: list[np.ndarray]) -> np.ndarray:
        wide = [np.pad(p, ((0, 0), (0, width - p.shape[1])), constant_values=np.nan) for p in parts]
        return np.concatenate(wide)

    return Models(
        rows,
        np.concatenate(variances),
        np.concatenate(spreads),
        np.concatenate(nulls),
        padded(levels),
        padded(levels_raw),
        n_items,
    )


def asked_in_all_formats(block: Block, settings: Settings, *, is_tuned: bool) -> dict[Row, np.ndarray]:
    """Find each model's scores [formats, items] on its own dataset; one that misses a format is left out."""
    found: dict[Row, dict[str, np.ndarray]] = {}
    if is_tuned:
        for row, values in zip(block.rows, block.values, strict=True):
            if row.method == settings.method and row.dataset == block.probe:
                found.setdefault(row._replace(probe_format="all"), {})[row.probe_format] = values
    else:
        for (series, checkpoint, probe_format), values in block.base.items():
            model = Row(series, checkpoint, block.probe, "none", "base", 0, "all")
            found.setdefault(model, {})[probe_format] = values
    formats = sorted({name for asked in found.values() for name in asked})
    if len(formats) < 2:
        return {}
    return {
        model: np.stack([asked[name] for name in formats])
        for model, asked in found.items()
        if len(asked) == len(formats)
    }


def groups_of(models: Models, scores: Scores, settings: Settings) -> list[Group]:
    """Group models by series, dataset and checkpoint, in order of tokens; all phases."""
    members: dict[tuple[str, str, str], list[int]] = {}
    for index, row in enumerate(models.rows):
        members.setdefault((row.series, row.dataset, row.checkpoint), []).append(index)
    groups = []
    for series, points in scores.checkpoints.items():
        for dataset in sorted({dataset for one, dataset, _ in members if one == series}):
            for point in points:
                indices = members.get((series, dataset, point.checkpoint))
                if indices:
                    best = np.nanmax(mean_of(models.level[indices]))
                    groups.append(Group(dataset, point, indices, bool(best > settings.learned_margin)))
    return groups

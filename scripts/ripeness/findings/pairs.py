"""What findings share about item scores: pairs of tuned and untouched models, floors and folds.

The floor of a probe is what needs no skill; folds keep the items that sort datasets apart from the items that measure
them.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

import numpy as np
import polars as pl

from ripeness.findings.finding import Settings
from ripeness.findings.scores import Block, Point, Row, Scores
from ripeness.stats.resampling import mean_of, redraw_items
from ripeness.tables.single_numbers import as_number

FOLDS = 5
SMALL_BASE = 0.05  # a ratio to a smaller score is not meaningful


@dataclass(frozen=True)
class Changes:
    """Tuned minus untouched on one probe at one checkpoint: `values` [rows, items]; mean scores before [rows]."""

    rows: list[Row]
    values: np.ndarray
    before: np.ndarray


class Fold(NamedTuple):
    """Items to sort by and items to measure on: masks over the items of a split; they share no item."""

    split: str
    choose: np.ndarray
    measure: np.ndarray


def measured_blocks(scores: Scores, settings: Settings) -> list[Block]:
    """Take the blocks of test items that are large enough for an interval."""
    return [
        block for (_, split), block in scores.blocks.items() if split == "test" and block.n_items >= settings.min_items
    ]


def generator(settings: Settings, *names: str) -> np.random.Generator:
    """Make the random numbers of a purpose: the same in every run, whatever else is in the study."""
    return np.random.default_rng([settings.seed, *(crc32(name.encode()) for name in names)])


def strata_of(block: Block) -> np.ndarray:
    """Say within which items are redrawn: by gold where answers are few, so that the floor stays put.

    The composition of a test set by label is part of its design; a constant answer must have no sampling
    error.
    """
    answers = len(np.unique(block.gold))
    is_single = len(np.unique(block.clusters)) == len(block.clusters)
    return block.gold if is_single and answers * 10 <= len(block.gold) else np.zeros_like(block.gold)


def weights_of(block: Block, settings: Settings) -> np.ndarray:
    """Draw item weights of a block, [1 + draws, items]; the same for every row, so that pairing survives."""
    key = settings.draws, settings.seed
    if key not in block.redrawn:
        rng = generator(settings, "items", block.probe)
        block.redrawn[key] = redraw_items(block.clusters, strata_of(block), draws=settings.draws, rng=rng)
    return block.redrawn[key].weights()


def trend(points: list[Point]) -> list[Point]:
    """Keep the checkpoints at constant learning rate: annealed ones differ in more than tokens.

    Where fewer than two are marked stable, all that are not annealed, else all.
    """
    stable = [point for point in points if point.phase == "stable"]
    if len(stable) >= 2:
        return stable
    return [point for point in points if point.phase != "annealed"] or points


def late(points: list[Point]) -> list[Point]:
    """Take the later half of checkpoints in order of tokens; the middle of an odd number is in no half."""
    return points[-max(1, len(points) // 2) :] if points else []


def formats_of(block: Block, points: list[Point]) -> list[str]:
    """List the formats that untouched models are asked in at all these checkpoints; that of the block if none is."""
    formats = sorted({asked for _, _, asked in block.base})
    every = [asked for asked in formats if all((p.series, p.checkpoint, asked) in block.base for p in points)]
    return every or [block.format]


def floors(
    block: Block, measurements: pl.DataFrame, checkpoints: dict[str, list[Point]], asked: str = ""
) -> dict[str, tuple[str, np.ndarray]]:
    """Find the score that needs no skill, by series: (name, score [items]); in the format `asked`, else the block's.

    Of a choice probe the larger of chance and majority; of generation the untouched first checkpoint's, by
    item.
    """
    asked = asked or block.format
    if block.kind == "choice":
        name, level = choice_floor(block, measurements, asked)
        return {series: (name, np.full(block.n_items, level)) for series in checkpoints}
    first = {}
    for series, points in checkpoints.items():
        measured = [key for point in points if (key := (series, point.checkpoint, asked)) in block.base]
        if measured:
            first[series] = ("first checkpoint", block.base[measured[0]])
    return first


def is_untrained_first(block: Block, points: list[Point]) -> bool:
    """Say whether the first checkpoint that the block was asked at has seen no tokens, so that it shows the floor."""
    measured = [point for point in points if (point.series, point.checkpoint, block.format) in block.base]
    return bool(measured) and not measured[0].tokens


def choice_floor(block: Block, measurements: pl.DataFrame, asked: str) -> tuple[str, float]:
    """Take the larger of chance and majority from the measurements; without them, majority of the items.

    Of the format asked, where measurements say it: letters have a commonest one, options of an item's own do not.
    """
    of_format = [pl.col("probe_format") == asked] if "probe_format" in measurements.columns else []
    rows = measurements.filter(pl.col("probe") == block.probe, *of_format)
    largest = {name: rows[name].max() for name in ("chance", "majority") if name in rows.columns}
    known = {name: as_number(value) for name, value in largest.items() if value is not None}
    if not known:
        known = {"majority": float(np.bincount(block.gold).max() / len(block.gold))}
    name = max(known, key=lambda key: known[key])
    return name, known[name]


def folds(scores: Scores, probe: str, settings: Settings) -> list[Fold]:
    """Pair items to sort by with items to measure on, so that what sorts a dataset is not part of its effect.

    Validation items sort and all test items measure, where untouched models were measured on both. Else the
    test items are cut in five parts, by cluster and evenly in gold; each part measures what the other four
    sort. A base score that is low by chance would otherwise both put a dataset among the unlearned and raise
    its gain.
    """
    block = scores.blocks[probe, "test"]
    other = scores.blocks.get((probe, "validation"))
    if other is not None and block.base.keys() <= other.base.keys():
        return [Fold("validation", np.ones(other.n_items, bool), np.ones(block.n_items, bool))]
    clusters, first, code = np.unique(block.clusters, return_index=True, return_inverse=True)
    shuffled = generator(settings, "folds", probe).permutation(len(clusters))
    by_gold = shuffled[np.argsort(block.gold[first][shuffled], kind="stable")]
    part = np.empty(len(clusters), int)
    part[by_gold] = np.arange(len(clusters)) % FOLDS
    return [Fold("test", part[code] != number, part[code] == number) for number in range(FOLDS)]


def above_floor(
    block: Block, floor: tuple[str, np.ndarray], *, keys: list[tuple[str, str, str]], items: np.ndarray
) -> float:
    """Average scores of untouched models (series, checkpoint, probe format) above the floor on masked `items`.

    NaN where none of `keys` was measured.
    """
    found = [block.base[key] - floor[1] for key in keys if key in block.base]
    return float(mean_of(np.stack(found)[:, items].ravel())) if found else float("nan")


def pairs(block: Block, settings: Settings, *, is_own: bool) -> dict[tuple[str, str], list[int]]:
    """Find the rows of tuned models whose untouched model was measured too, by (series, checkpoint).

    Models tuned on the probe itself (asked as trained), or else on others.
    """
    found = defaultdict(list)
    for index, row in enumerate(block.rows):
        if (
            row.method == settings.method
            and (row.dataset == block.probe) == is_own
            and (not is_own or row.format == row.probe_format)
            and key_of(row) in block.base
        ):
            found[row.series, row.checkpoint].append(index)
    return dict(found)


def changes(block: Block, indices: list[int]) -> Changes:
    """Compare these tuned models with the untouched ones, item by item."""
    rows = [block.rows[index] for index in indices]
    base = np.stack([block.base[key_of(row)] for row in rows])
    return Changes(rows, block.values[indices] - base, mean_of(base, axis=1))


def key_of(row: Row) -> tuple[str, str, str]:
    """Name the untouched model that a tuned one is compared with."""
    return row.series, row.checkpoint, row.probe_format

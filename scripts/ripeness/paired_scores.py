"""Item scores as dense matrices, so that every contrast is paired by item and resampled jointly.

A block holds one probe (a dataset) in one split: rows are models asked in a format, columns are items. The
floor of a probe is what needs no skill; folds keep the items that sort datasets apart from the items that
measure them.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
import polars as pl

from ripeness.statistics import item_weights, mean_of
from ripeness.tables import REPORTED, table_files
from ripeness.verdicts import Settings

ROW = ["series", "checkpoint", "dataset", "format", "method", "seed", "probe_format"]
POINT = ["series", "checkpoint", "step", "tokens", "phase", "pretraining_seed"]
COLUMNS = [
    *ROW, "step", "tokens", "phase", "pretraining_seed", "learning_rate",
    "probe", "probe_kind", "split", "item", "cluster", "gold",
]  # fmt: skip


FOLDS = 5


class Row(NamedTuple):
    """Who was asked, and in which format."""

    series: str
    checkpoint: str
    dataset: str
    format: str
    method: str
    seed: int
    probe_format: str


class Point(NamedTuple):
    """One checkpoint of a series."""

    series: str
    checkpoint: str
    step: int
    tokens: int
    phase: str
    pretraining_seed: int


@dataclass(frozen=True)
class Block:
    """Scores on one probe: `values` [rows, items], NaN if not measured; codes of cluster and gold [items]."""

    probe: str
    kind: str
    rows: list[Row]
    values: np.ndarray
    clusters: np.ndarray
    gold: np.ndarray

    @cached_property
    def base(self) -> dict[tuple[str, str, str], np.ndarray]:
        """Scores [items] of untouched models by (series, checkpoint, probe format), averaged over seeds."""
        found = defaultdict(list)
        for row, values in zip(self.rows, self.values, strict=True):
            if row.method == "base":
                found[row.series, row.checkpoint, row.probe_format].append(values)
        return {key: mean_of(np.stack(values)) for key, values in found.items()}

    @property
    def format(self) -> str:
        """The format in which untouched checkpoints are judged: `default`, else the first measured."""
        measured = sorted({probe_format for _, _, probe_format in self.base})
        return "default" if "default" in measured or not measured else measured[0]


@dataclass(frozen=True)
class Scores:
    """What was measured: checkpoints by series in order of tokens, and blocks by (probe, split)."""

    checkpoints: dict[str, list[Point]] = field(default_factory=dict)
    blocks: dict[tuple[str, str], Block] = field(default_factory=dict)
    n_learning_rates: int = 1  # the most that one cell was tuned with


@dataclass(frozen=True)
class Changes:
    """Tuned minus untouched on one probe: `values` [rows, items]; mean scores before and after [rows]."""

    block: Block
    rows: list[Row]
    values: np.ndarray
    before: np.ndarray
    after: np.ndarray


class Fold(NamedTuple):
    """Items to sort by and items to measure on: masks over the items of a split; they share no item."""

    split: str
    choose: np.ndarray
    measure: np.ndarray


def read_scores(places: list[Path], settings: Settings) -> Scores:
    """Read the choice and generation scores of items tables (files, or folders of them), only the columns needed."""
    files = table_files(places)
    if not files:
        return Scores()
    wanted = pl.col("probe_kind").is_in(["choice", "generation"]) & (pl.col("shots") == settings.shots)
    items = pl.scan_parquet(files).filter(REPORTED & wanted)
    return scores_of(items.select(*COLUMNS, "is_correct", "rouge_l").collect())


def scores_of(items: pl.DataFrame) -> Scores:
    """Make matrices of item rows; rows that differ in nothing but the learning rate are averaged."""
    correct = pl.col("is_correct").cast(pl.Float64)
    score = pl.when(pl.col("probe_kind") == "choice").then(correct).otherwise("rouge_l").fill_nan(None)
    items = items.with_columns(score.alias("score")).drop_nulls("score")
    checkpoints = defaultdict(list)
    for point in items.select(POINT).unique(["series", "checkpoint"]).sort("series", "tokens", "step").iter_rows():
        checkpoints[point[0]].append(Point(*point))
    rates = items.select(*ROW[:-1], "learning_rate").unique().group_by(ROW[:-1]).len()["len"].max()
    blocks = {
        (str(probe), str(split)): block_of(str(probe), part)
        for (probe, split), part in items.partition_by("probe", "split", as_dict=True).items()
    }
    return Scores(dict(checkpoints), dict(sorted(blocks.items())), int(rates or 1))


def block_of(probe: str, items: pl.DataFrame) -> Block:
    """Make the matrix of one probe in one split."""
    columns = items.select("item", "cluster", "gold").unique("item").sort("item").with_row_index("column")
    rows = items.select(ROW).unique().sort(ROW).with_row_index("row")
    places = items.select(*ROW, "item", "score").join(rows, on=ROW, nulls_equal=True)
    places = places.join(columns.select("item", "column"), on="item").select("row", "column", "score")
    shape = (rows.height, columns.height)
    place = places["row"].to_numpy().astype(np.int64) * shape[1] + places["column"].to_numpy()
    total = np.bincount(place, places["score"].to_numpy(), minlength=shape[0] * shape[1])
    count = np.bincount(place, minlength=shape[0] * shape[1])
    return Block(
        probe=probe,
        kind=items["probe_kind"][0],
        rows=[Row(*row) for row in rows.select(ROW).iter_rows()],
        values=np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(shape),
        clusters=codes(columns["cluster"].fill_null(columns["item"])),
        gold=codes(columns["gold"].fill_null("")),
    )


def measured_blocks(scores: Scores, settings: Settings) -> list[Block]:
    """Take the blocks of test items that are large enough for an interval."""
    return [
        block
        for (_, split), block in scores.blocks.items()
        if split == "test" and block.values.shape[1] >= settings.min_items
    ]


def codes(names: pl.Series) -> np.ndarray:
    """Number the distinct names."""
    return (names.rank("dense") - 1).to_numpy().astype(np.int64)


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
    """Item weights of a block, [1 + draws, items]; the same for every row, so that pairing survives."""
    rng = generator(settings, "items", block.probe)
    return item_weights(block.clusters, strata_of(block), draws=settings.draws, rng=rng)


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


def floors(
    block: Block, measurements: pl.DataFrame, checkpoints: dict[str, list[Point]]
) -> dict[str, tuple[str, np.ndarray]]:
    """What needs no skill, by series: (name, score [items]).

    Of a choice probe the larger of chance and majority; of generation the untouched first checkpoint's, by
    item.
    """
    if block.kind == "choice":
        name, level = choice_floor(block, measurements)
        return {series: (name, np.full(block.values.shape[1], level)) for series in checkpoints}
    first = {}
    for series, points in checkpoints.items():
        measured = [key for point in points if (key := (series, point.checkpoint, block.format)) in block.base]
        if measured:
            first[series] = ("first checkpoint", block.base[measured[0]])
    return first


def choice_floor(block: Block, measurements: pl.DataFrame) -> tuple[str, float]:
    """Take the larger of chance and majority from the measurements; without them, majority of the items."""
    rows = measurements.filter(pl.col("probe") == block.probe)
    known = {name: rows[name].max() for name in ("chance", "majority") if name in rows.columns}
    known = {name: float(value) for name, value in known.items() if value is not None}
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
    n = block.values.shape[1]
    if other is not None and block.base.keys() <= other.base.keys():
        return [Fold("validation", np.ones(other.values.shape[1], bool), np.ones(n, bool))]
    clusters, first, code = np.unique(block.clusters, return_index=True, return_inverse=True)
    shuffled = generator(settings, "folds", probe).permutation(len(clusters))
    by_gold = shuffled[np.argsort(block.gold[first][shuffled], kind="stable")]
    part = np.empty(len(clusters), int)
    part[by_gold] = np.arange(len(clusters)) % FOLDS
    return [Fold("test", part[code] != number, part[code] == number) for number in range(FOLDS)]


def above_floor(
    block: Block, floor: tuple[str, np.ndarray], *, keys: list[tuple[str, str, str]], items: np.ndarray
) -> float:
    """Mean score of untouched models (series, checkpoint, probe format) above the floor on masked `items`.

    NaN where none of `keys` was measured.
    """
    found = [block.base[key] - floor[1] for key in keys if key in block.base]
    return float(mean_of(np.stack(found)[:, items].ravel())) if found else float("nan")


def changes(block: Block, settings: Settings, *, is_own: bool) -> Changes:
    """Pair models tuned on the probe itself (asked as trained), or else on others, with untouched ones."""
    tuned = [
        (row, values, block.base[row.series, row.checkpoint, row.probe_format])
        for row, values in zip(block.rows, block.values, strict=True)
        if row.method == settings.method
        and (row.dataset == block.probe) == is_own
        and (not is_own or row.format == row.probe_format)
        and (row.series, row.checkpoint, row.probe_format) in block.base
    ]
    shape = (len(tuned), block.values.shape[1])
    values = np.array([values for _, values, _ in tuned]).reshape(shape)
    base = np.array([base for _, _, base in tuned]).reshape(shape)
    return Changes(block, [row for row, _, _ in tuned], values - base, mean_of(base, axis=1), mean_of(values, axis=1))

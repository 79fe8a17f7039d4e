"""Item scores as dense matrices, so that every contrast is paired by item and resampled jointly.

A block holds one probe (a dataset) in one split: rows are models asked in a format, columns are items. Tables are read
checkpoint by checkpoint and their scores kept in files, of which only the rows at hand are in memory: a study may have
any number of checkpoints.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from sys import intern
from typing import NamedTuple

import numpy as np
import polars as pl

from ripeness.stats.resampling import Redrawn, mean_of
from ripeness.tables.columns import REPORTED, by_checkpoint

MIN_ALIKE = 10  # items; fewer may well be answered alike
ITEM = ["probe", "split", "probe_kind", "item", "cluster", "gold"]


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


ROW, POINT = list(Row._fields), list(Point._fields)


@dataclass(frozen=True)
class Stored:
    """A matrix in a file; rows are read when they are used."""

    path: Path
    shape: tuple[int, int]

    def __getitem__(self, rows: list[int]) -> np.ndarray:
        """Copy rows, so that the file is not held in memory by those that were looked at."""
        return np.array(np.memmap(self.path, np.float64, "r", shape=self.shape)[rows])


@dataclass(frozen=True)
class SomeRows:
    """Rows of a matrix, of which only those that are used are read."""

    values: "np.ndarray | Stored | SomeRows"
    kept: np.ndarray
    shape: tuple[int, int]

    def __getitem__(self, rows: list[int]) -> np.ndarray:
        """Copy rows."""
        return self.values[self.kept[rows].tolist()]


@dataclass(frozen=True)
class Block:
    """Scores on one probe: `values` [rows, items], NaN if not measured; codes of cluster and gold [items]."""

    probe: str
    kind: str
    rows: list[Row]
    values: np.ndarray | Stored | SomeRows
    clusters: np.ndarray
    gold: np.ndarray
    redrawn: dict[tuple[int, int], Redrawn] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.gold)

    @cached_property
    def base(self) -> dict[tuple[str, str, str], np.ndarray]:
        """Scores [items] of untouched models by (series, checkpoint, probe format), averaged over seeds."""
        found = defaultdict(list)
        for index, row in enumerate(self.rows):
            if row.method == "base":
                found[row.series, row.checkpoint, row.probe_format].append(index)
        return {key: mean_of(self.values[indices]) for key, indices in found.items()}

    @cached_property
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
    one_answer: frozenset[tuple[Row, str]] = frozenset()  # tuned models, each with a probe


@dataclass(frozen=True)
class Wanted:
    """Which numbers of items are read: those of these kinds of probes, asked with so many shots."""

    shots: int = 0
    kinds: tuple[str, ...] = ("choice", "generation")
    value: pl.Expr = field(default_factory=lambda: pl.col("score"))


def read_scores(places: list[Path], wanted: Wanted, folder: Path) -> Scores:
    """Read the numbers of items tables (files, or folders of them) into matrices in `folder`.

    Rows that differ in nothing but the learning rate are averaged.
    """
    tables = [scored(table, wanted) for table in by_checkpoint(places).values()]
    points, columns = outline(tables)
    rows: dict[tuple[str, str], list[Row]] = {key: [] for key in sorted(columns)}
    files = {key: folder / f"{number}.scores" for number, key in enumerate(rows)}
    rates, alike = [1], []
    for table in tables:
        alike += one_answers(table)
        answers = table.select(*ROW, "learning_rate", "probe", "split", "item", "score").collect()
        rates += answers.group_by(ROW[:-1]).agg(pl.col("learning_rate").n_unique())["learning_rate"].unique().to_list()
        for key, part in partitioned(answers).items():
            models, values = matrix_of(part, columns[key])
            rows[key] += models
            with files[key].open("ab") as file:
                values.tofile(file)
    blocks = {key: block_of(key[0], models, columns[key], files[key]) for key, models in rows.items()}
    return Scores(in_order(points), blocks, max(rates), frozenset(alike))


def one_answers(table: pl.LazyFrame) -> list[tuple[Row, str]]:
    """Find tuned models that give one answer to every test item of a choice that has several right answers."""
    asked = table.filter(
        pl.col("method") != "base", pl.col("prediction").is_not_null(), probe_kind="choice", split="test"
    )
    answers = asked.group_by(*ROW, "learning_rate", "probe").agg(
        pl.len(), said=pl.col("prediction").n_unique(), golds=pl.col("gold").n_unique()
    )
    found = answers.filter(pl.col("len") >= MIN_ALIKE, pl.col("golds") > 1, pl.col("said") == 1)
    return [(Row(*row), probe) for *row, probe in found.select(*ROW, "probe").unique().collect().iter_rows()]


def scored(table: pl.LazyFrame, wanted: Wanted) -> pl.LazyFrame:
    """Keep the rows of an items table that are wanted, with the number that is wanted as their score."""
    kept = table.filter(REPORTED, pl.col("probe_kind").is_in(wanted.kinds), pl.col("shots") == wanted.shots)
    return kept.with_columns(score=wanted.value.cast(pl.Float64).fill_nan(None)).drop_nulls("score")


def outline(tables: list[pl.LazyFrame]) -> tuple[list[Point], dict[tuple[str, str], pl.DataFrame]]:
    """List the checkpoints, and the items of every (probe, split), numbered."""
    points, items = [], pl.DataFrame(schema=dict.fromkeys(ITEM, pl.String))
    for table in tables:
        points += [Point(*point) for point in table.select(POINT).head(1).collect().iter_rows()]
        items = pl.concat([items, table.select(ITEM).unique().collect()]).unique()
    return points, {key: columns_of(part) for key, part in partitioned(items).items()}


def partitioned(frame: pl.DataFrame) -> dict[tuple[str, str], pl.DataFrame]:
    """Split a frame by probe and split."""
    parts = frame.partition_by("probe", "split", as_dict=True)
    return {(str(probe), str(split)): part for (probe, split), part in parts.items()}


def columns_of(items: pl.DataFrame) -> pl.DataFrame:
    """Give numbers to the items of one probe in one split."""
    return (
        items.group_by("item").agg(pl.col("probe_kind", "cluster", "gold").min()).sort("item").with_row_index("column")
    )


def in_order(points: list[Point]) -> dict[str, list[Point]]:
    """Order checkpoints of each series by tokens; an annealed one may have the tokens and step of another."""
    checkpoints = defaultdict(list)
    for point in sorted(points, key=lambda point: (point.series, point.tokens or 0, point.step or 0, point.checkpoint)):
        checkpoints[point.series].append(point)
    return dict(checkpoints)


def matrix_of(answers: pl.DataFrame, columns: pl.DataFrame) -> tuple[list[Row], np.ndarray]:
    """Arrange the scores of models asked in a format as [models, items] on one probe in one split."""
    rows = answers.select(ROW).unique().sort(ROW).with_row_index("row")
    places = answers.select(*ROW, "item", "score").join(rows, on=ROW, nulls_equal=True)
    places = places.join(columns.select("item", "column"), on="item").select("row", "column", "score")
    shape = (rows.height, columns.height)
    place = places["row"].to_numpy().astype(np.int64) * shape[1] + places["column"].to_numpy()
    total = np.bincount(place, places["score"].to_numpy(), minlength=shape[0] * shape[1])
    count = np.bincount(place, minlength=shape[0] * shape[1])
    models = [
        Row._make(intern(name) if isinstance(name, str) else name for name in row)
        for row in rows.select(ROW).iter_rows()
    ]
    return models, np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(shape)


def block_of(probe: str, rows: list[Row], columns: pl.DataFrame, file: Path) -> Block:
    """Make the block of one probe in one split from the matrices in a file."""
    return Block(
        probe=probe,
        kind=columns["probe_kind"][0],
        rows=rows,
        values=Stored(file, (len(rows), columns.height)),
        clusters=codes(columns["cluster"].fill_null(columns["item"])),
        gold=codes(columns["gold"].fill_null("")),
    )


def codes(names: pl.Series) -> np.ndarray:
    """Give numbers to the distinct names."""
    return (names.rank("dense") - 1).to_numpy().astype(np.int64)

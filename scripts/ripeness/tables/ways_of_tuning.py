"""Which ways of tuning of a study stand for it, and which are compared with each other."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import ANSWERS
from ripeness.study.study_config import BASE

READING, FULL = "features", "full"  # kinds: nothing of the model is tuned, and all of it


class Way(NamedTuple):
    """What a way of tuning does apart from how it tunes: its kind, and from what, what and how much it learns.

    `start` None is the checkpoint, `examples` None all examples.
    """

    kind: str | None
    start: str | None
    learns: str
    examples: int | None

    @property
    def has_labels(self) -> bool:
        """Whether a map to labels answers in place of words."""
        return self.kind in KINDS and KINDS[self.kind].has_labels

    @property
    def sees(self) -> bool:
        """Whether it learns from pictures, of which others read the questions alone."""
        return self.kind in KINDS and KINDS[self.kind].sees

    @property
    def task(self) -> tuple[str | None, str, int | None, bool]:
        """Where it starts, and what it learns, which ways that are compared have in common."""
        return self.start, self.learns, self.examples, self.sees


PLAIN_TASK = (None, ANSWERS, None, False)  # from the checkpoint, answers, all examples, no pictures


def ways_of(cells: pl.DataFrame) -> dict[str, Way]:
    """Return the ways of tuning that have cells, by the name of the method, in order."""
    facts = [pl.col(name).drop_nulls().first() for name in Way._fields]
    rows = cells.filter(pl.col("method") != BASE).group_by("method").agg(facts).sort("method")
    return {
        method: Way(kind, start, learns or ANSWERS, examples)
        for method, kind, start, learns, examples in rows.select("method", *Way._fields).iter_rows()
    }


def plain_way(cells: pl.DataFrame, wanted: str) -> str | None:
    """Name the way of tuning that stands for a study: the wanted one where it was measured; None for none.

    Else the first by name of those that tune the checkpoint on answers, and write them in words; of doses the largest.
    """
    ways = ways_of(cells)

    def rank(name: str) -> tuple[bool, bool, bool, bool, int, str]:
        way = ways[name]
        is_dose, dose = way.examples is not None, way.examples or 0
        return way.has_labels, way.start is not None, way.learns != ANSWERS, is_dose, -dose, name

    return wanted if wanted in ways else min(ways, key=rank, default=None)


def comparable_ways(cells: pl.DataFrame, plain: str) -> list[str]:
    """List the ways that differ from the plain one by how they tune alone, with it, in order of their name.

    They start from the same model, learn the same (answers, or a text), and from as many examples. None where the plain
    one was not measured.
    """
    ways = ways_of(cells)
    return [name for name, way in ways.items() if plain in ways and way.task == ways[plain].task]


def ways_from_checkpoints(cells: pl.DataFrame) -> list[str]:
    """List the ways that tune checkpoints on answers, in order of their name.

    One model that has learned a text stands in the cells of every dataset, and what starts from a tuned model has that
    one's changes too. A projector reads pictures, and leaves the model as it is.
    """
    ways = ways_of(cells).items()
    return [name for name, way in ways if way.start is None and way.learns == ANSWERS and not way.sees]


def most_comparable(ways: Iterable[Way]) -> int:
    """Count the ways of the largest group that differ by how they tune alone."""
    return max(Counter(way.task for way in ways).values(), default=0)


def smaller_methods(cells: pl.DataFrame, plain: str) -> list[str]:
    """List comparable methods that train fewer numbers than the plain one, in order of their name.

    A method of which no cell tells how many numbers it trains is left out.
    """
    known = cells.drop_nulls("trainable_parameters")
    sizes = dict(known.group_by("method").agg(pl.col("trainable_parameters").max()).iter_rows())
    names = [name for name in comparable_ways(cells, plain) if name in sizes and plain in sizes]
    return [name for name in names if sizes[name] < sizes[plain]]

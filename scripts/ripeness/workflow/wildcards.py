"""Type the wildcards of jobs, and restrict them to the names of a study by regular expressions."""

import re
from collections.abc import Collection, Mapping
from typing import Protocol

from ripeness.study.grid import Cell

Places = Mapping[str, Collection[str]]  # checkpoints by series


class Wildcards(Protocol):
    """The wildcards of the Snakefile and its rules; a job has those that are in its rule's outputs."""

    series: str
    checkpoint: str
    dataset: str
    format: str
    method: str
    seed: str
    step: str
    suite: str
    table: str
    task: str
    text: str
    tuning: str
    figure: str


def cell_of(place: Wildcards | Cell) -> Cell:
    """Return the cell that a job's wildcards name."""
    return Cell(place.series, place.checkpoint, place.dataset, place.format, place.method, int(place.seed))


def one_of(names: Collection[str], *, only: Places | None = None, but: Places | None = None) -> str:
    """Return a regular expression that matches exactly these names, or nothing when there are none.

    Those of series may be narrowed to checkpoints {series: names} that stand after them in a path, or to all others.
    """
    ahead = "".join(f"(?{mark}(?:{after(places)})$)" for mark, places in (("=", only), ("!", but)) if places)
    return ahead + f"(?:{'|'.join(map(re.escape, names))})" if names else "(?!)"


def after(places: Places) -> str:
    """Return a regular expression of the end of a path, series/checkpoint, of these checkpoints {series: names}."""
    return "|".join(f"{re.escape(series)}/{one_of(names)}" for series, names in places.items())

"""What tuning changes on other datasets of its type, at earlier and at later checkpoints."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ripeness.findings.dataset_pairs import Comparison
from ripeness.findings.finding import listed, number, signed
from ripeness.findings.pairs import SMALL_BASE, late, trend
from ripeness.findings.scores import Point, Row, Scores

HALVES = ("earlier", "later")
UNLIKE = "Datasets of a type are related to different degrees; the mean over them may hide both gains and losses."


class Change(NamedTuple):
    """What tuning on one dataset changes on another of the same kind, as measured."""

    row: Row
    probe: str
    half: str
    change: float
    before: float


@dataclass
class Carried:
    """Changes at the earlier and later half of the checkpoints; `sums` [2, 1 + n] of the draws and their number."""

    found: list[Change] = field(default_factory=list)
    sums: dict[str, np.ndarray] = field(default_factory=lambda: dict.fromkeys(HALVES, np.zeros((2, 1))))
    n_items: int = 0

    @property
    def rows(self) -> list[Row]:
        """The tuned models, one entry for each dataset that a model was measured on."""
        return [change.row for change in self.found]

    def comparisons(self) -> list[Comparison]:
        """List the changes as comparisons of pairs of datasets."""
        return [Comparison((c.row.series, c.row.checkpoint), c.row.dataset, c.probe, c.change) for c in self.found]

    def values(self, half: str) -> np.ndarray:
        """List the changes of one half."""
        return np.array([change.change for change in self.found if change.half == half])


def halves_of(scores: Scores) -> dict[Point, str]:
    """Say which half of its series' trend a checkpoint is in; the middle one of an odd number is in none."""
    halves: dict[Point, str] = {}
    for points in map(trend, scores.checkpoints.values()):
        halves |= dict.fromkeys(points[: len(points) // 2], "earlier")
        halves |= dict.fromkeys(late(points) if len(points) > 1 else [], "later")
    return halves


def sentence(carried: Carried, said: str) -> str:
    """Say what tuning changes in both halves, how much that differs (`said`), and the pairs that gain and lose most."""
    earlier, later = (carried.values(half) for half in HALVES)
    means = {pair: float(np.mean(found)) for pair, found in by_pair(carried).items()}
    ends = [max(means, key=lambda pair: means[pair]), min(means, key=lambda pair: means[pair])]
    shown = listed([f"{signed(means[pair])} from {pair[0]} to {pair[1]}" for pair in dict.fromkeys(ends)])
    return (
        f"Tuning changes the score on other datasets of its type by {signed(float(earlier.mean()))} at earlier "
        f"checkpoints (median {signed(float(np.median(earlier)))}) and {signed(float(later.mean()))} at later ones "
        f"(median {signed(float(np.median(later)))}). Later minus earlier: "
        f"{signed(float(later.mean() - earlier.mean()))}. {said} Most and least over all of them: {shown}."
    )


def by_pair(carried: Carried) -> dict[tuple[str, str], list[float]]:
    """Group the changes by (dataset tuned on, dataset measured on)."""
    found: dict[tuple[str, str], list[float]] = {}
    for change in carried.found:
        found.setdefault((change.row.dataset, change.probe), []).append(change.change)
    return found


def pair_rows(carried: Carried, scores: Scores) -> list[dict[str, object]]:
    """Make the rows of `details`: each pair of datasets at each checkpoint, averaged over formats and seeds."""
    points = {(p.series, p.checkpoint): p for found in scores.checkpoints.values() for p in found}
    members: dict[tuple[str, str, str, str], list[Change]] = {}
    for change in carried.found:
        row = change.row
        members.setdefault((row.series, row.dataset, change.probe, row.checkpoint), []).append(change)
    rows = []
    for (series, dataset, probe, checkpoint), found in members.items():
        before, changed = (float(np.mean([getattr(one, name) for one in found])) for name in ("before", "change"))
        rows.append(
            {
                "level": "pair",
                "half": found[0].half,
                "series": series,
                "checkpoint": checkpoint,
                "tokens": points[series, checkpoint].tokens,
                "dataset": dataset,
                "probe": probe,
                "before": number(before),
                "change": number(changed),
                "ratio": number(changed / before) if before >= SMALL_BASE else None,
            }
        )
    return rows

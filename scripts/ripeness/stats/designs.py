"""Say what studies of different sizes can detect, and choose the cheapest: for planning, before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, NamedTuple

from scipy import special

from ripeness.stats.at_large import Sources, added
from ripeness.stats.larger_studies import Size, Spread
from ripeness.stats.random_levels import Component
from ripeness.stats.resampling import with_interval
from ripeness.stats.verdicts import EFFECT, Part

TIMES = (1, 2, 4)  # of each level that is tried
LUCKY = 0.2  # share of pilots whose datasets scatter by so little that the true variance is above `at_worst`


@dataclass(frozen=True)
class Deviations:
    """Standard deviations of one item, seed, checkpoint (of one dataset; of all alike) and dataset, in score.

    The defaults: an item of a paired change; seeds and gains of datasets as in drawn studies like Amuro and Char's;
    checkpoints as those of Pythia scatter about a parabola in log tokens (median of 8 tasks).
    """

    items: float = 0.5
    seeds: float = 0.02
    checkpoints: float = 0.0065
    shared: float = 0.005
    datasets: float = 0.08

    def spread(self, size: Size, *, is_difference: bool) -> Spread:
        """Return the parts of the variance of a mean over datasets, or of the difference of two halves of them."""
        datasets = size.datasets / (4 if is_difference else 1)
        items = Component(self.items**2 / size.items * size.datasets / datasets, size.items - 1)
        seeds = Component(
            self.seeds**2 / (size.seeds * size.checkpoints * datasets), size.datasets * max(size.seeds - 1, 1)
        )
        own = Component(
            seeds.variance + self.checkpoints**2 / (size.checkpoints * datasets), size.datasets * size.checkpoints
        )
        shared = Component(0 if is_difference else self.shared**2 / size.checkpoints, max(size.checkpoints - 3, 1))
        scatter = Component(
            self.datasets**2 / datasets + items.variance + own.variance, max(size.datasets - 1 - is_difference, 1)
        )
        sources = Sources(items, seeds, checkpoints=added([own, shared]), shared=added([shared]))
        return Spread(sources, scatter, size)


class Design(NamedTuple):
    """A size, the true effect that 80 % of such studies would find, and what it costs; None: none is large enough."""

    size: Size
    detectable: float | None
    jobs: int
    hours: float


def as_row(spread: Spread) -> dict[str, Any]:
    """Write the parts of a variance for findings.json: [variance, degrees of freedom] of each, and the size."""
    parts = {name: part for name, part in asdict(spread.sources).items() if name != "correlation"}
    rows = {name: None if part is None else [float(number) for number in part] for name, part in parts.items()}
    return rows | {"datasets": [float(number) for number in spread.datasets], "now": spread.now._asdict()}


def from_row(row: Mapping[str, Any]) -> Spread:
    """Read what `as_row` wrote."""
    names = ("seeds", "runs", "checkpoints", "shared")
    seeds, runs, checkpoints, shared = (row[name] and Component(*row[name]) for name in names)
    sources = Sources(Component(*row["items"]), seeds, runs, checkpoints, shared)
    return Spread(sources, Component(*row["datasets"]), Size(**row["now"]))


def detectable(spread: Spread, size: Size, *, smallest: float, level: float) -> float | None:
    """Compute the true effect at which 80 % of studies of a size would support a claim of an effect."""
    variance, df = spread.at(size)
    result = with_interval(0.0, variance**0.5, df=df, confidence=0.95)
    return Part(result, smallest, EFFECT).detectable(level)


def at_worst(datasets: Component) -> Component:
    """Return the upper limit of a variance of datasets that a pilot measured, which 80 % of pilots keep.

    Whoever plans with the measured variance has too small a study in about half of all cases (Browne, Stat. Med. 14,
    1995, who takes this limit). It follows from the chi-squared distribution of the degrees of freedom.
    """
    return datasets._replace(variance=datasets.variance * datasets.df / float(special.chdtri(datasets.df, 1 - LUCKY)))


def sizes_around(own: Size) -> list[Size]:
    """List the sizes to try: one, two and four times the own one in every level, and never one seed."""
    least = own._replace(seeds=max(own.seeds, 2))
    return [Size(*(n * k for n, k in zip(least, times, strict=True))) for times in product(TIMES, repeat=len(own))]


def worth_showing(designs: Sequence[Design]) -> list[Design]:
    """Keep those that no other design beats at the same price or less, by cost."""
    kept: list[Design] = []
    for one in sorted(designs, key=lambda one: (one.hours, one.jobs, one.detectable or float("inf"))):
        if one.detectable is not None and (not kept or one.detectable < (kept[-1].detectable or 0) - 1e-9):
            kept.append(one)
    return kept


def cheapest(designs: Sequence[Design], wanted: float) -> Design | None:
    """Find the cheapest design that detects an effect."""
    found = [one for one in designs if one.detectable is not None and one.detectable <= wanted]
    return min(found, key=lambda one: (one.hours, one.jobs), default=None)

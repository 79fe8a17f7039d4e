"""Does the best way of tuning change over pre-training?

Whoever compares ways of tuning on one checkpoint takes it that their order holds at others. Noise alone makes two
orders differ, so that each is compared with one of other seeds: at the same checkpoints, and at other ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import polars as pl

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, listed, number, on_enough, signed, undecided, with_effect
from ripeness.findings.needs import has_three_methods
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import in_trend
from ripeness.findings.two_estimates import shown
from ripeness.stats.random_levels import over_units
from ripeness.stats.rank_agreement import agreement, lost
from ripeness.stats.resampling import with_interval
from ripeness.tables.columns import IS_OWN
from ripeness.tables.intervals import compared, scores
from ripeness.tables.ways_of_tuning import comparable_ways

LEAST_METHODS, LEAST_DATASETS = 3, 3
NEIGHBOURS, HALVES = "neighbours", "halves"


@dataclass(frozen=True)
class Orders:
    """Scores of one dataset in one series: `values` [checkpoints, methods, seeds] at increasing tokens."""

    series: str
    dataset: str
    methods: tuple[str, ...]
    checkpoints: tuple[str, ...]
    values: np.ndarray


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare the agreement of orders within and between halves of pre-training, dataset by dataset."""
    alike = comparable_ways(tables.cells, settings.method)
    found = orders_of(tables.reported.filter(pl.col("method").is_in(alike)))
    if not found:
        return undecided(Finding(), "no dataset was tuned on in three ways with two seeds at the same checkpoints")
    of_halves = [(order.dataset, one) for order in found for one in agreements(order, HALVES)]
    neighbours = [one for order in found for one in agreements(order, NEIGHBOURS)]
    values = by_dataset([name for name, _ in of_halves], lost([one for _, one in of_halves]))
    blank = Finding(
        n_checkpoints=len({(one.series, name) for one in found for name in one.checkpoints}),
        n_seeds=min(one.values.shape[2] for one in found),
        details=tuple(row for one in found for row in rows_of(one)),
        caveats=tuple(caveats(found)),
    )
    if not len(values):
        return undecided(blank, "two checkpoints at which ways differ are needed on each side")
    variance, n = over_units(values), len(values)
    if variance is None or n < LEAST_DATASETS:
        few = f"{n} dataset{'' if n == 1 else 's'} cannot show how much datasets differ (at least {LEAST_DATASETS})"
        reason = f"{few}. On these, orders at other checkpoints agree less by {signed(float(values.mean()))}"
        return replace(undecided(blank, reason), effect=number(float(values.mean())))
    result = with_interval(float(values.mean()), variance.variance**0.5, df=variance.df, confidence=settings.confidence)
    near = float(lost(neighbours).mean()) if neighbours else float("nan")
    blank = replace(
        blank,
        covers=f"the sampling of {n} datasets, with their items, seeds and checkpoints",
        statement=sentence(found, shown(result), near),
    )
    finding = with_effect(blank, result, settings, smallest=2 * settings.smallest_accuracy)
    return on_enough(finding, max(len(one.checkpoints) for one in found), settings)


CLAIM = Claim(
    id="ranking-changes",
    text="The order of ways of tuning changes over pre-training: which is better depends on the checkpoint.",
    source="a question of this project: comparisons of ways of tuning use one checkpoint",
    unit="rank correlation (tau) that orders lose between earlier and later checkpoints, beyond noise",
    figure="gain",
    needs=(has_three_methods,),
    judge=judge,
)


def orders_of(measurements: pl.DataFrame) -> list[Orders]:
    """Collect the scores of all ways that were measured with the same seeds at the same checkpoints of the trend.

    Means over formats; a seed that lacks one of them counts as not there.
    """
    own = compared(scores(measurements)).filter(IS_OWN, pl.col("format") == pl.col("probe_format"))
    keys = ["series", "checkpoint", "tokens", "phase", "dataset", "method", "seed"]
    n_formats = pl.col("format").n_unique()
    means = in_trend(own).group_by(keys).agg(pl.col("value").mean(), n=n_formats)
    means = means.filter(pl.col("n") == pl.col("n").max().over("series", "dataset"))
    found = []
    for (series, dataset), part in means.group_by("series", "dataset", maintain_order=False):
        wide = part.pivot("method", index=["tokens", "checkpoint", "seed"], values="value").sort("tokens", "seed")
        methods = sorted(set(wide.columns) - {"tokens", "checkpoint", "seed"})
        whole = wide.drop_nulls(methods)
        n_seeds = whole["seed"].n_unique()
        kept = whole.filter(pl.len().over("tokens", "checkpoint") == n_seeds)
        names = kept["checkpoint"].unique(maintain_order=True).to_list()
        if len(methods) >= LEAST_METHODS and n_seeds > 1 and len(names) > 1:
            values = kept.select(methods).to_numpy().reshape(len(names), n_seeds, len(methods)).transpose(0, 2, 1)
            found.append(Orders(str(series), str(dataset), tuple(methods), tuple(names), values))
    return sorted(found, key=lambda one: (one.series, one.dataset))


def by_dataset(names: list[str], values: np.ndarray) -> np.ndarray:
    """Average the values of series that share a dataset, which are no datasets of their own."""
    return np.array([values[[other == name for other in names]].mean() for name in dict.fromkeys(names)])


def agreements(one: Orders, kind: str) -> list[tuple[float, float, float]]:
    """Compare the orders of both halves of the checkpoints, or of neighbours; nothing where no way differs."""
    half = len(one.values) // 2
    if kind == HALVES:
        pairs = [(one.values[:half].mean(axis=0), one.values[-half:].mean(axis=0))]
    else:
        pairs = [(one.values[k], one.values[k + 1]) for k in range(len(one.values) - 1)]
    return [found for pair in pairs if (found := agreement(*pair)) is not None]


def rows_of(one: Orders) -> list[dict[str, object]]:
    """Make a row of `details` for each checkpoint: the mean score of every way."""
    rows = []
    for name, values in zip(one.checkpoints, one.values.mean(axis=2), strict=True):
        place: Mapping[str, object] = {"series": one.series, "dataset": one.dataset, "checkpoint": name}
        rows.append({**place, **dict(zip(one.methods, map(float, values), strict=True))})
    return rows


def best_of(found: list[Orders], late: bool) -> str:
    """Name the way with the highest mean score in the earlier or the later half, over datasets that have all ways."""
    methods = found[0].methods
    same = [one for one in found if one.methods == methods]
    halves = [one.values[-(len(one.values) // 2) :] if late else one.values[: len(one.values) // 2] for one in same]
    return methods[int(np.mean([half.mean(axis=(0, 2)) for half in halves], axis=0).argmax())]


def sentence(found: list[Orders], effect: str, near: float) -> str:
    """Say how much less orders agree at other checkpoints, and which way is best early and late."""
    early, late = best_of(found, late=False), best_of(found, late=True)
    best = (
        f"{early} scores best on average in both halves"
        if early == late
        else (f"{early} scores best on average in the earlier half and {late} in the later one")
    )
    return (
        f"Orders of {listed(list(found[0].methods))} agree less between earlier and later checkpoints than within "
        f"them, by a rank correlation of {effect}; between neighbours by {signed(near)}. On these datasets {best}."
    )


def caveats(found: list[Orders]) -> list[str]:
    """Say what stands behind the orders."""
    notes = [
        "Each way is at its own chosen rate; a way with fewer rates to choose from may stand lower for that alone."
    ]
    if len({one.methods for one in found}) > 1:
        notes.append("Not all datasets were tuned on in the same ways.")
    sizes = [len(list(combinations(one.methods, 2))) for one in found]
    if min(sizes) == LEAST_METHODS:
        notes.append("Three ways have three pairs, so that one exchange moves the correlation by two thirds.")
    return notes

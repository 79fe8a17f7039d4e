"""Conclude a claim from a change at each checkpoint: its mean over late or early checkpoints, or the difference."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import polars as pl

from ripeness.findings.aligned import with_halves
from ripeness.findings.finding import Finding, Settings, listed, on_enough, undecided, with_effect
from ripeness.findings.late_differences import MANY_DATASETS, Halves, over_late
from ripeness.findings.over_checkpoints import Over, covers_checkpoints, neighbour_caveats
from ripeness.findings.treated_curves import in_trend
from ripeness.stats.resampling import Estimate
from ripeness.tables.single_numbers import as_number

ONE_SEED = "one seed of one run gives no estimate of variation between seeds"
FEW_DATASETS = "Fewer than three datasets, which are taken as they are."
BY = ["series", "tokens", "is_late", "dataset", "format", "seed"]


class Question(NamedTuple):
    """What a claim says of changes: the halves that count, the smallest effect that matters, the sentence."""

    halves: Halves
    smallest: float
    sentence: Callable[[Estimate], str]


def concluded(rows: pl.DataFrame, question: Question, blank: Finding, settings: Settings) -> Finding:
    """Estimate the sum of halves of `change`, and let it decide; rows are cells, stages of which are averaged.

    `variance` is what prompts do to `change`, where it is known; null elsewhere.
    """
    halves = question.halves
    rows = with_halves(rows)
    if halves.early:
        rows = rows.filter((~pl.col("is_late")).any().over("series"))
    if rows.is_empty():
        return undecided(blank, "one checkpoint has no earlier and later half")
    means = rows.group_by(BY).agg(pl.col("change").mean())
    items = items_of(rows, halves)
    over = over_late(means, settings.confidence, halves=halves, items=items)
    n_seeds = halves.used(rows).group_by("series", "dataset").agg(pl.col("seed").n_unique())["seed"].min()
    blank = replace(
        blank,
        n_seeds=int(as_number(n_seeds)),
        caveats=(*blank.caveats, *few_datasets(rows)),
    )
    return decided_by(over, rows, question, blank, settings, covers=covers(rows, over, has_items=items > 0))


def decided_by(
    over: Over, rows: pl.DataFrame, question: Question, blank: Finding, settings: Settings, *, covers: str
) -> Finding:
    """Let an estimate over checkpoints decide; rows have `series`, `tokens` and `is_late`.

    `covers` says in words what the interval covers, if there is one.
    """
    used = question.halves.used(rows)
    n_checkpoints = used.select("series", "tokens").unique().height
    caveats = (*blank.caveats, *neighbour_caveats(over.neighbours))
    blank = replace(blank, n_checkpoints=n_checkpoints, caveats=caveats)
    if over.estimate is None:
        return undecided(blank, ONE_SEED)
    blank = replace(blank, covers=covers, statement=question.sentence(over.estimate))
    finding = with_effect(blank, over.estimate, settings, smallest=question.smallest)
    most = rows.group_by("series").agg(n=pl.col("tokens").n_unique())["n"].max()
    return on_enough(finding, int(as_number(most)), settings)


def items_of(rows: pl.DataFrame, halves: Halves) -> float:
    """Return the variance that a sum of halves has from prompts, which checkpoints and seeds of a dataset share.

    Both halves are added as if their prompts were others, which makes the interval of a difference a little too wide.
    """
    if "variance" not in rows.columns:
        return 0.0
    of_datasets = halves.used(rows).group_by("dataset").agg(pl.col("variance").mean())["variance"].fill_null(0.0)
    both = halves.late**2 + halves.early**2
    return both * as_number(of_datasets.mean()) / len(of_datasets)


def covers(rows: pl.DataFrame, over: Over, *, has_items: bool) -> str:
    """Say in words what the interval covers."""
    n_datasets, n_seeds = rows["dataset"].n_unique(), rows["seed"].n_unique()
    said = covers_checkpoints(over, rows["series"].n_unique(), f"{n_seeds} tuning seed{'' if n_seeds == 1 else 's'}")
    if n_datasets >= MANY_DATASETS:
        return f"{n_datasets} datasets, {said}"
    return f"{'the sampling of prompts, ' if has_items else ''}{said}, and so are the datasets"


def few_datasets(rows: pl.DataFrame) -> Sequence[str]:
    """Say that datasets are no sample where there are few."""
    return () if rows["dataset"].n_unique() >= MANY_DATASETS else (FEW_DATASETS,)


def left_out(n: int, what: str = "cells were not measured at every checkpoint, and are left out") -> Sequence[str]:
    """Say how many cells are not there."""
    return (f"{n} {what}.",) if n else ()


def mean_by(rows: pl.DataFrame, by: Sequence[str], *columns: str) -> tuple[dict[str, object], ...]:
    """Make rows of `details`: means over seeds."""
    return tuple(rows.group_by(by).agg(pl.col(columns).mean()).sort(by).to_dicts())


def diverged(cells: pl.DataFrame, *wanted: pl.Expr) -> Sequence[str]:
    """Say which trainings diverged, and are therefore in no mean: what they did may be the worst of all."""
    lost = in_trend(cells.filter(pl.col("status") == "diverged", *wanted))
    if lost.is_empty():
        return ()
    places = lost.group_by("method", "checkpoint").agg(n=pl.len(), tokens=pl.col("tokens").first())
    each = [
        f"{name} at {point} ({n})" for name, point, n, _ in places.sort("method", "tokens", "checkpoint").iter_rows()
    ]
    return (f"{lost.height} trainings that diverged are in no number here, and may have done worst: {listed(each)}.",)

"""How checkpoints are ordered after supervised tuning and after the reinforcement that follows it."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl

from ripeness.findings.aligned import CELL, methods_of, policies
from ripeness.findings.treated_curves import PLACE
from ripeness.stats.rank_agreement import agreement, lost, tau
from ripeness.study.methods.settings import ANSWERS, RULE
from ripeness.study.study_config import BASE
from ripeness.tables.intervals import mean_or_null

BEFORE, AFTER = "truth_before", "truth"
PREDICTORS = (BEFORE, "pass_at_64_before", "answer")  # what may tell of a tuned model how far reinforcement gets


@dataclass(frozen=True)
class Orders:
    """Values of one dataset in one series, [checkpoints, seeds] at increasing tokens, by name; those known for all."""

    series: str
    dataset: str
    checkpoints: tuple[str, ...]
    values: dict[str, np.ndarray]

    def without(self, checkpoint: str) -> "Orders":
        """Leave a checkpoint out."""
        kept = np.array([name != checkpoint for name in self.checkpoints])
        values = {name: one[kept] for name, one in self.values.items()}
        return Orders(self.series, self.dataset, tuple(np.array(self.checkpoints)[kept].tolist()), values)

    @property
    def agreement(self) -> tuple[float, float, float] | None:
        """The agreement of orders within both stages and between them, over disjoint seeds."""
        return agreement(self.values[BEFORE], self.values[AFTER])

    def told_by(self, name: str) -> float:
        """Return the rank correlation of a number of the tuned model with the truth after, over other seeds."""
        before, after = self.values[name], self.values[AFTER]
        seeds = range(before.shape[1])
        return float(np.mean([tau(before[:, k], after[:, [o for o in seeds if o != k]].mean(axis=1)) for k in seeds]))


def tuned_then_rewarded(cells: pl.DataFrame, measurements: pl.DataFrame) -> pl.DataFrame:
    """List the policies of the rule whose start learned answers, with `answer`: minus the answer loss of that start."""
    methods = methods_of(cells)
    tuned = []
    for (dataset, method), facts in methods.items():
        start = methods.get((facts.start_dataset or dataset, facts.start or ""))
        if start is not None and start.learns == ANSWERS:
            tuned.append({"dataset": dataset, "method": method})
    found = policies(cells).filter(pl.col("rewarded_by") == RULE)
    is_tuned = pl.struct("dataset", "method").is_in(tuned)
    own = (pl.col("probe") == pl.col("dataset")) & (pl.col("probe_format") == pl.col("format"))
    asked = measurements.filter(own, pl.col("metric") == "answer_loss", pl.col("split") == "test")
    losses = asked.filter(pl.col("method") != BASE).group_by(CELL).agg(mean_or_null("value").alias("answer"))
    losses = losses.select(pl.exclude("method", "phase", "dataset"), start="method", start_dataset="dataset")
    by = [name for name in losses.columns if name != "answer"]
    losses = losses.with_columns(-pl.col("answer"))
    return found.filter(is_tuned if tuned else False).join(losses, on=by, how="left")


def orders_of(rows: pl.DataFrame, least: int) -> list[Orders]:
    """Arrange by series and dataset what all seeds have at the same checkpoints; formats and policies are averaged.

    With fewer than `least` checkpoints, or one seed, there is no order that could be compared.
    """
    means = rows.group_by(*PLACE, "dataset", "seed").agg(mean_or_null(name) for name in (*PREDICTORS, AFTER))
    n_seeds = pl.col("seed").n_unique()
    whole = means.filter(n_seeds.over("series", "dataset", "checkpoint") == n_seeds.over("series", "dataset"))
    found = []
    for (series, dataset), own in sorted(whole.group_by("series", "dataset"), key=str):
        own = own.sort("tokens", "checkpoint", "seed")
        names, n = own["checkpoint"].unique(maintain_order=True).to_list(), own["seed"].n_unique()
        if len(names) < least or n < 2:
            continue
        known = [name for name in (*PREDICTORS, AFTER) if own[name].is_finite().fill_null(value=False).all()]
        values = {name: own[name].to_numpy().reshape(len(names), n) for name in known}
        found.append(Orders(str(series), str(dataset), tuple(names), values))
    return found


def lost_of(orders: list[Orders]) -> np.ndarray | None:
    """Compute for each dataset how much less both stages agree than each does with itself; None where one has none."""
    agreements = [one.agreement for one in orders]
    known = [one for one in agreements if one is not None]
    if not known or len(known) < len(agreements):
        return None
    values, names = lost(known), np.array([one.dataset for one in orders])
    return np.array([values[names == name].mean() for name in np.unique(names)])


def n_pairs(orders: list[Orders]) -> int:
    """Count the pairs of checkpoints of all datasets."""
    return sum(len(list(combinations(one.checkpoints, 2))) for one in orders)

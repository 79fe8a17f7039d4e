"""Judge an indicator that is known before by how it orders candidates that are measured afterwards.

Candidates (checkpoints) are the same in all datasets, and both are samples: of the run's checkpoints, and of datasets
like these. Three statistics, each averaged over evaluations (halvings of the items, so that indicator and outcome share
none) and then over datasets:

- accuracy: the share of pairs of candidates that the indicator orders as the outcome does; a tie counts one half.
- tau: Kendall's rank correlation tau-b.
- regret: the outcome lost when one picks by the indicator rather than by the reference.

The variance over candidates comes from leaving out one of them (the jackknife, which is not too small on average: Efron
and Stein 1981, Annals of Statistics 9), that over datasets from the variance of their means. The two are crossed: what
they share is subtracted once (Cameron, Gelbach and Miller 2011, Journal of Business and Economic Statistics 29), but
not for regret, which is no smooth statistic and whose interval would be too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ripeness.stats.resampling import Estimate, with_interval

LEAST_CANDIDATES = 3
LEAST_DATASETS = 3  # for a statement about datasets like these


@dataclass(frozen=True)
class Unit:
    """One dataset with the candidates of one group: values [evaluations, candidates], where more is better.

    NaN marks what was not measured. Units of a group have the same candidates in the same order.
    """

    group: str
    dataset: str
    indicator: np.ndarray
    outcome: np.ndarray
    reference: np.ndarray

    @property
    def measured(self) -> np.ndarray:
        """Mark the candidates [candidates] that have all that is compared."""
        return np.isfinite(self.indicator + self.outcome + self.reference).all(axis=0)


class Interval(NamedTuple):
    """An estimate for datasets like these, None for fewer than three, and one for these datasets."""

    like_these: Estimate | None
    these: Estimate

    @property
    def main(self) -> Estimate:
        """The one for datasets like these, where there is one."""
        return self.like_these or self.these


@dataclass(frozen=True)
class Skill:
    """How well an indicator tells the outcome.

    `blind_regret` is that of picking any candidate, `late_accuracy` that of pairs of the later half of candidates.
    """

    accuracy: Interval
    tau: Interval
    regret: Interval
    blind_regret: float
    late_accuracy: float
    n_candidates: int
    n_datasets: int


def skill_of(units: Sequence[Unit], *, confidence: float) -> Skill | None:
    """Judge an indicator on units; None where none has three candidates that were measured."""
    found = [unit for unit in units if unit.measured.sum() >= LEAST_CANDIDATES]
    if not found:
        return None
    places = places_of(found)
    n = max(int(own.max()) for own in places.values())
    parts: dict[str, list[list[np.ndarray]]] = {unit.dataset: [] for unit in found}
    for unit in found:
        at = places[unit.group][unit.measured]
        parts[unit.dataset].append([laid_out(values, at, n) for values in statistics(unit)])
    accuracy, tau, regret, blind, late = (
        np.stack([np.mean(column, axis=0) for column in columns])
        for columns in zip(*(zip(*own, strict=True) for own in parts.values()), strict=True)
    )  # each [datasets, 1 + candidates]
    least = least_variance(len(parts) * (n // 2))
    return Skill(
        interval(accuracy, confidence, least=least),
        interval(tau, confidence, least=4 * least),
        interval(regret, confidence, is_smooth=False),
        float(blind[:, 0].mean()),
        float(late[:, 0].mean()),
        n,
        len(parts),
    )


def places_of(units: Sequence[Unit]) -> dict[str, np.ndarray]:
    """Give numbers from 1 to the candidates that count, through all groups; 0 to the others, [candidates] by group."""
    places, n = {}, 0
    for name in sorted({unit.group for unit in units}):
        there = np.any([unit.measured for unit in units if unit.group == name], axis=0)
        places[name] = np.where(there, n + np.cumsum(there), 0)
        n += int(there.sum())
    return places


def laid_out(values: np.ndarray, places: np.ndarray, n: int) -> np.ndarray:
    """Lay values with all candidates, and without each of some, out for all n: leaving others out changes nothing."""
    table = np.full(1 + n, values[0])
    table[places] = values[1:]
    return table


def half_of(n: int) -> int:
    """Count the candidates that half of them are: two or more."""
    return max(2, n // 2)


def statistics(unit: Unit) -> np.ndarray:
    """Compute what Skill has with all candidates of a dataset, and without each one, [5, 1 + candidates]."""
    indicator, outcome, reference = (rows[:, unit.measured] for rows in (unit.indicator, unit.outcome, unit.reference))
    n = outcome.shape[1]
    kept = np.vstack([np.ones((1, n), bool), ~np.eye(n, dtype=bool)])
    accuracy, tau, late = ordering(indicator, outcome, kept)
    best = picked(reference, outcome, kept)
    blind = kept @ outcome.mean(axis=0) / kept.sum(axis=1)
    return np.stack([accuracy, tau, best - picked(indicator, outcome, kept), best - blind, np.full(1 + n, late)])


def ordering(indicator: np.ndarray, outcome: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Compute accuracy and tau for each row of `kept` [rows, candidates], and accuracy in the later half."""
    n = indicator.shape[1]
    one, other = np.triu_indices(n, k=1)
    said, true = (np.sign(values[:, one] - values[:, other]) for values in (indicator, outcome))
    pairs, agree = (kept[:, one] & kept[:, other]).astype(float), said * true
    right = 0.5 + 0.5 * agree.mean(axis=0)
    untied = np.sqrt((pairs @ (said**2).T) * (pairs @ (true**2).T))
    tau = np.divide(pairs @ agree.T, untied, out=np.zeros_like(untied), where=untied > 0).mean(axis=1)
    return pairs @ right / pairs.sum(axis=1), tau, float(right[one >= n - half_of(n)].mean())


def picked(by: np.ndarray, outcome: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Average the outcome over evaluations of the candidates with the most by an indicator [rows]; ties count alike."""
    among = np.where(kept[:, None, :], by, -np.inf)
    top = among == among.max(axis=2, keepdims=True)
    return ((top * outcome).sum(axis=2) / top.sum(axis=2)).mean(axis=1)


def least_variance(n_pairs: int) -> float:
    """Variance of a share of so many disjoint pairs with plus-four, of which two differ (Agresti and Coull 1998)."""
    share = 2 / (n_pairs + 4)
    return share * (1 - share) / max(n_pairs, 1)


def interval(table: np.ndarray, confidence: float, *, least: float = 0.0, is_smooth: bool = True) -> Interval:
    """Estimate the mean over datasets from `table` [datasets, 1 + n], with all candidates and without each of n.

    `least` is the least variance that there can be.
    """
    n_datasets, free, means = len(table), table.shape[1] - 2, table[:, 0]
    effect, over_candidates = float(means.mean()), jackknife(table.mean(axis=0))
    these = with_interval(effect, np.sqrt(max(over_candidates, least)), df=free, confidence=confidence)
    if n_datasets < LEAST_DATASETS:
        return Interval(None, these)
    over_datasets = float(means.var(ddof=1)) / n_datasets
    shared = min(sum(map(jackknife, table)) / n_datasets**2, over_datasets) if is_smooth else 0.0
    more = max(over_candidates - shared, 0.0)
    variance = over_datasets + more
    df = variance**2 / (over_datasets**2 / (n_datasets - 1) + more**2 / free) if variance > 0 else n_datasets - 1
    se = np.sqrt(max(variance, least))
    return Interval(with_interval(effect, se, df=df, confidence=confidence), these)


def jackknife(values: np.ndarray) -> float:
    """Estimate the variance of a statistic from its values without each of n candidates, after that with all."""
    left = values[1:]
    return float((len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum())

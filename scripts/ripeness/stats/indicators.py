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
not for regret, which is no smooth statistic and whose interval would be too narrow. The interval of a share is Wilson's
at the number of pairs that would give its variance: the variance falls towards the ends of the scale, so that an
interval of equal arms, and its test, would be too sure of an order that arose by chance.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from scipy import special

from ripeness.stats.resampling import Estimate, with_interval

Result = TypeVar("Result")

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


@dataclass(frozen=True)
class Share:
    """A share of pairs, counted from `origin`, as if so many independent pairs had been compared (a Tested effect)."""

    share: float
    n_pairs: float
    df: float
    origin: float = 0.0

    @property
    def effect(self) -> float:
        """The share, less the origin."""
        return self.share - self.origin

    @property
    def se(self) -> float:
        """The standard error, where half of the pairs are ordered right: the most that it can be."""
        return float(0.5 / np.sqrt(self.n_pairs))

    def p_above(self, limit: float) -> float:
        """Compute the one-sided p of the claim that the share is above a limit."""
        return 1 - self.p_below(limit)

    def p_below(self, limit: float) -> float:
        """Compute the one-sided p of the claim that the share is below a limit."""
        true = limit + self.origin
        if not 0 < true < 1:
            return float(true <= 0)
        return float(special.stdtr(self.df, (self.share - true) / np.sqrt(true * (1 - true) / self.n_pairs)))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Give Wilson's interval with Student's quantile."""
        reach = float(special.stdtrit(self.df, (1 + confidence) / 2)) ** 2 / self.n_pairs
        centre = (self.share + reach / 2) / (1 + reach)
        half = np.sqrt(reach * self.share * (1 - self.share) + reach**2 / 4) / (1 + reach)
        return float(centre - half) - self.origin, float(centre + half) - self.origin


class Variance(NamedTuple):
    """The variance of a mean over datasets, with its degrees of freedom."""

    value: float
    df: float


class Both(NamedTuple, Generic[Result]):
    """An estimate for datasets like these, None for fewer than three, and one for these datasets."""

    like_these: Result | None
    these: Result

    @property
    def main(self) -> Result:
        """The one for datasets like these, where there is one."""
        return self.these if self.like_these is None else self.like_these


@dataclass(frozen=True)
class Skill:
    """How well an indicator tells the outcome.

    `tau` is there as the share (1 + tau) / 2. `blind_regret` is that of picking any candidate, `late_accuracy` that of
    pairs of the later half of candidates.
    """

    accuracy: Both[Share]
    tau: Both[Share]
    regret: Both[Estimate]
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
    most = len(parts) * independent_pairs(n)
    return Skill(
        shares(accuracy, most=most),
        shares((1 + tau) / 2, most=most),
        losses(regret, confidence),
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


def independent_pairs(n: int) -> float:
    """Count the independent pairs that would order as surely as all pairs of n candidates do (Kendall 1938)."""
    return 4.5 * n * (n - 1) / (2 * n + 5)


def shares(table: np.ndarray, *, most: float) -> Both[Share]:
    """Estimate a share from `table` [datasets, 1 + n]: with all candidates, and without each of n.

    It counts as one of so many pairs as would give its variance, by plus-four (Agresti and Coull 1998); of `most`
    where it would be one of more.
    """
    mean = float(table[:, 0].mean())
    apart = (mean * most + 2) / (most + 4)

    def share(found: Variance) -> Share:
        return Share(mean, min(apart * (1 - apart) / found.value, most) if found.value > 0 else most, found.df)

    return both(table, share, is_smooth=True)


def losses(table: np.ndarray, confidence: float) -> Both[Estimate]:
    """Estimate a loss from `table` [datasets, 1 + n]."""
    mean = float(table[:, 0].mean())

    def loss(found: Variance) -> Estimate:
        return with_interval(mean, np.sqrt(found.value), df=found.df, confidence=confidence)

    return both(table, loss, is_smooth=False)


def both(table: np.ndarray, estimate: Callable[[Variance], Result], *, is_smooth: bool) -> Both[Result]:
    """Estimate the mean over datasets from `table` [datasets, 1 + n], for datasets like these and for these."""
    n_datasets, free = len(table), table.shape[1] - 2
    over_candidates = jackknife(table.mean(axis=0))
    these = estimate(Variance(over_candidates, free))
    if n_datasets < LEAST_DATASETS:
        return Both(None, these)
    over_datasets = float(table[:, 0].var(ddof=1)) / n_datasets
    shared = min(sum(map(jackknife, table)) / n_datasets**2, over_datasets) if is_smooth else 0.0
    more = max(over_candidates - shared, 0.0)
    variance = over_datasets + more
    df = variance**2 / (over_datasets**2 / (n_datasets - 1) + more**2 / free) if variance > 0 else n_datasets - 1
    return Both(estimate(Variance(variance, df)), these)


def jackknife(values: np.ndarray) -> float:
    """Estimate the variance of a statistic from its values without each of n candidates, after that with all."""
    left = values[1:]
    return float((len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum())

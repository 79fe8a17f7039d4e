"""Estimate numbers with intervals: resampling of items and seeds, format variance and ranks.

Arrays of draws have one column a draw; column 0 is the value as measured, the others are bootstrap
replicates.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from ripeness.stats.random_levels import Component, combined

AT_ONCE = 200_000  # numbers of a matrix that is made and used up part by part


@dataclass(frozen=True)
class Estimate:
    """An effect with its t interval."""

    effect: float
    low: float
    high: float
    se: float
    df: float

    def p_above(self, limit: float) -> float:
        """Compute the one-sided p of the claim that the effect is above a limit, on Student's t."""
        return self.p_below(limit, sign=-1)

    def p_below(self, limit: float, sign: int = 1) -> float:
        """Compute the one-sided p of the claim that the effect is below a limit."""
        distance = sign * (self.effect - limit)
        return float(special.stdtr(self.df, distance / self.se)) if self.se > 0 else float(distance >= 0)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Give the t interval at a confidence."""
        reach = float(special.stdtrit(self.df, (1 + confidence) / 2)) * self.se
        return self.effect - reach, self.effect + reach


@dataclass(frozen=True)
class Level:
    """A source of variation above the items: rows of one `unit` hold repeats, distinguished by `member`."""

    unit: np.ndarray
    member: np.ndarray


@dataclass(frozen=True)
class Redrawn:
    """Bootstrap draws of items in little space: how often each cluster was drawn, and what one draw of it weighs.

    `counts` [draws, clusters]; `unit` [clusters]; `cluster` is the code of each item's cluster.
    """

    counts: np.ndarray
    unit: np.ndarray
    cluster: np.ndarray

    def weights(self) -> np.ndarray:
        """Return the weights of items, [1 + draws, items]: row 0 is ones, the others are the draws."""
        weights = np.ones((len(self.counts) + 1, len(self.unit)))
        np.multiply(self.counts, self.unit, out=weights[1:])
        return weights[:, self.cluster]


@dataclass(frozen=True)
class Above:
    """Variation above the items: `statistic` gives [n] from the rows as measured, under weights of rows [rows, n]."""

    statistic: Callable[[np.ndarray], np.ndarray]
    levels: list[Level]
    rng: np.random.Generator


def redraw(n: int, draws: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Draw bootstrap counts of `n` units, [draws, n], and the weight of one that makes their mean 1.

    Takes n - 1 of n units with replacement (Rao and Wu 1988), which leaves the variance of a mean unbiased
    even for two units, where the plain bootstrap halves it. A single unit keeps weight 1: it says nothing
    about variation.
    """
    if n < 2:
        return np.ones((draws, n), np.uint8), 1.0
    counts = rng.multinomial(n - 1, np.full(n, 1 / n), size=draws)
    return counts.astype(np.min_scalar_type(counts.max())), n / (n - 1)


def redraw_items(clusters: np.ndarray, strata: np.ndarray, *, draws: int, rng: np.random.Generator) -> Redrawn:
    """Redraw clusters of items within strata.

    `clusters` and `strata` are integer codes [items]; a cluster is drawn whole and belongs to the stratum of
    its first item.
    """
    _, first, cluster = np.unique(clusters, return_index=True, return_inverse=True)
    members = [np.flatnonzero(strata[first] == stratum) for stratum in np.unique(strata[first])]
    drawn = [redraw(len(inside), draws, rng) for inside in members]
    order = np.argsort(np.concatenate(members))
    counts = np.concatenate([counts for counts, _ in drawn], axis=1)[:, order]
    unit = np.concatenate([np.full(counts.shape[1], weight) for counts, weight in drawn])[order]
    return Redrawn(counts, unit, cluster)


def ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Divide sums by counts; NaN where nothing was counted."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / count, np.nan)


def weighted_means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average `values` [..., items], NaN where not measured, under each row of `weights` [draws, items].

    Returns [..., draws], NaN where a draw holds no measured item.
    """
    measured = ~np.isnan(values)
    is_whole = bool(measured.all())
    total = weights.sum(axis=1) if is_whole else measured.astype(float) @ weights.T
    return ratio((values if is_whole else np.where(measured, values, 0.0)) @ weights.T, total)


def mean_of(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Average over `axis`, leaving NaN out; NaN where nothing is left."""
    measured = ~np.isnan(values)
    return ratio(np.where(measured, values, 0.0).sum(axis=axis), measured.sum(axis=axis))


def grouped_means(values: np.ndarray, weights: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Average the rows of `values` [rows, n or 1] by group code under `weights` [rows, n or 1]: [groups, n]."""
    counted = np.where(np.isnan(values), 0.0, weights)
    order = np.argsort(groups, kind="stable")
    codes, first = np.unique(groups[order], return_index=True)
    shape = (groups.max(initial=-1) + 1, counted.shape[1])
    total, sums = np.zeros(shape), np.zeros(shape)
    if len(codes):
        total[codes] = np.add.reduceat(counted[order], first)
        sums[codes] = np.add.reduceat((counted * np.nan_to_num(values))[order], first)
    return ratio(sums, total)


def estimate(replicates: np.ndarray, *, n_items: int, confidence: float, above: Above | None = None) -> Estimate:
    """Give a statistic its interval from a bootstrap of items and of what lies above them.

    `replicates` [1 + n] are the statistic as measured and from resampled items. The variance is that of items
    plus that of every unit's members redrawn alone; the quantile is Student's with Satterthwaite's degrees of
    freedom, since two seeds cannot fill the tails of a percentile.
    """
    effect = float(replicates[0])
    if np.isnan(effect):
        return Estimate(*[np.nan] * 5)
    levels = components_above(above, len(replicates) - 1) if above else []
    whole = combined([item_component(replicates, n_items), *(level for level in levels if level)])
    return with_interval(effect, whole.variance**0.5, df=whole.df, confidence=confidence)


def item_component(replicates: np.ndarray, n_items: int) -> Component:
    """Take the variance over items from draws [1 + n], and not less than `least_variance`."""
    variance = max(float(np.nanvar(replicates[1:], ddof=1)), least_variance(n_items))
    return Component(variance, max(n_items - 1, 1))


def least_variance(n_items: int) -> float:
    """Return the least variance of a mean over items, of scores from 0 to 1 or of their differences.

    Where all items agree, nothing varies in the sample; plus-four (Agresti and Coull 1998) keeps some.
    """
    share = 2 / (n_items + 4)
    return share * (1 - share) / n_items


def components_above(above: Above, draws: int) -> list[Component | None]:
    """Estimate what redrawing the members of each level does to a statistic; None for a level without repeats.

    Units are redrawn one after the other. One with a single member borrows: it is taken to vary as one member of the
    others does in the mean.
    """
    found: list[Component | None] = []
    for level in above.levels:
        known, singles, alone = [], 0, []
        for unit in np.unique(level.unit):
            inside = level.unit == unit
            names, member = np.unique(level.member[inside], return_inverse=True)
            if len(names) < 2:
                singles += 1
                continue
            variance = moved_by(above, inside, member, draws)
            known.append(Component(variance, len(names) - 1))
            alone.append(variance * len(names))
        if known and singles:
            known.append(Component(singles * float(np.mean(alone)), sum(part.df for part in known)))
        found.append(combined(known) if known else None)
    return found


def moved_by(above: Above, inside: np.ndarray, member: np.ndarray, draws: int) -> float:
    """Compute the variance of the statistic under redraws of the members [rows inside] of one unit."""
    counts, weight = redraw(member.max() + 1, draws, above.rng)
    moved = []
    width = max(1, AT_ONCE // len(inside))
    for first in range(0, draws, width):
        drawn = counts[first : first + width].T * weight
        weights = np.ones((len(inside), drawn.shape[1]))
        weights[inside] = drawn[member]
        moved.append(above.statistic(weights))
    return float(np.nanvar(np.concatenate(moved), ddof=1))


def with_interval(effect: float, se: float, *, df: float, confidence: float) -> Estimate:
    """Make a t interval around an effect of standard error `se` on `df` degrees of freedom."""
    quantile = float(special.stdtrit(df, (1 + confidence) / 2))
    low, high = effect - quantile * se, effect + quantile * se
    return Estimate(effect, float(low), float(high), float(se), float(df))


def format_variance(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Estimate the variance of a model's score over formats, less that of sampling items: [models, draws].

    `values` [models, formats, items], NaN where not measured; `weights` as from `item_weights`. The
    subtracted noise is what a bootstrap adds to the variance of the means, which in expectation is the mean
    over pairs of formats of half the paired variance / n. Replicates carry this noise twice, once from the
    items and once from redrawing them, so that it is subtracted twice there. Values may be negative; only
    their average is read as a variance.
    """
    variance = weighted_means(paired_only(values), weights).var(axis=1, ddof=1)
    noise = variance[:, 1:].mean(axis=1, keepdims=True) - variance[:, :1]
    return variance - np.where(np.arange(variance.shape[1]) == 0, 1, 2) * noise


def paired_only(values: np.ndarray) -> np.ndarray:
    """Blank the items that a model did not answer in all formats: [models, formats, items]."""
    return np.where(np.isnan(values).any(axis=1, keepdims=True), np.nan, values)


def spread(values: np.ndarray) -> np.ndarray:
    """Compute the highest minus the lowest mean score over formats: [models, formats, items] to [models]."""
    means = mean_of(paired_only(values), axis=2)
    return means.max(axis=1) - means.min(axis=1)


def permuted(formats: int, items: int, *, permutations: int, rng: np.random.Generator) -> np.ndarray:
    """Permute formats within items: [permutations, formats, items]."""
    kind = np.min_scalar_type(formats)
    return np.stack([rng.random((formats, items)).argsort(axis=0).astype(kind) for _ in range(permutations)])


def null_spread(values: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Compute the spread after permuting format labels within items, for all models alike: [models, permutations].

    What a spread would be with the same items and predictions if the format did not matter.
    """
    values = paired_only(values)
    models, formats, items = values.shape
    scores = np.nan_to_num(values).reshape(models, formats * items)
    count = (~np.isnan(values[:, 0])).sum(axis=1)[:, None, None]
    result = np.empty((models, len(orders)))
    width = max(1, AT_ONCE // (formats * scores.shape[1]))
    for first in range(0, len(orders), width):
        order = orders[first : first + width]
        chosen = order[:, :, None] == np.arange(formats, dtype=order.dtype)[:, None]
        totals = scores @ chosen.reshape(-1, scores.shape[1]).T.astype(float)
        with np.errstate(invalid="ignore"):
            means = totals.reshape(models, -1, formats) / count
        result[:, first : first + width] = means.max(axis=2) - means.min(axis=2)
    return result


def kendall(values: np.ndarray) -> np.ndarray:
    """Compute Kendall's tau-b between the order of rows of `values` [points, n] and their size; NaN if all tie."""
    first, second = np.triu_indices(len(values), k=1)
    signs = np.sign(values[second] - values[first])
    untied = np.count_nonzero(signs, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(untied > 0, signs.sum(axis=0) / np.sqrt(untied * max(len(first), 1)), np.nan)

"""Numbers with intervals: resampling of items and seeds, format variance, ranks and verdicts.

Arrays of draws have one column a draw; column 0 is the value as measured, the others are bootstrap
replicates.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

POWER = 0.8  # of the smallest detectable effect


@dataclass(frozen=True)
class Estimate:
    """An effect with its t interval; `mde` is the effect that 80 % of such studies would tell from none."""

    effect: float
    low: float
    high: float
    se: float
    df: float
    mde: float
    p_value: float


@dataclass(frozen=True)
class Level:
    """A source of variation above the items: rows of one `unit` hold repeats, told apart by `member`."""

    unit: np.ndarray
    member: np.ndarray


def redraw(n: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw bootstrap weights of mean 1 for `n` units: array [draws, n].

    Takes n - 1 of n units with replacement (Rao and Wu 1988), which leaves the variance of a mean unbiased
    even for two units, where the plain bootstrap halves it. A single unit keeps weight 1: it says nothing
    about variation.
    """
    if n < 2:
        return np.ones((draws, n))
    return rng.multinomial(n - 1, np.full(n, 1 / n), size=draws) * (n / (n - 1))


def item_weights(clusters: np.ndarray, strata: np.ndarray, *, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw weights of items, [draws + 1, items]: row 0 is ones, the others redraw clusters within strata.

    `clusters` and `strata` are integer codes [items]; a cluster is drawn whole and belongs to the stratum of
    its first item.
    """
    _, first, cluster = np.unique(clusters, return_index=True, return_inverse=True)
    weights = np.ones((draws + 1, len(first)))
    for stratum in np.unique(strata[first]):
        members = np.flatnonzero(strata[first] == stratum)
        weights[1:, members] = redraw(len(members), draws, rng)
    return weights[:, cluster]


def weighted_means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average `values` [..., items], NaN where not measured, under each row of `weights` [draws, items].

    Returns [..., draws], NaN where a draw holds no measured item.
    """
    measured = ~np.isnan(values)
    total = measured.astype(float) @ weights.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (np.where(measured, values, 0.0) @ weights.T) / total, np.nan)


def mean_of(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Average over `axis`, leaving NaN out; NaN where nothing is left."""
    measured = ~np.isnan(values)
    count = measured.sum(axis=axis)
    total = np.where(measured, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def grouped_means(draws: np.ndarray, weights: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Average the rows of `draws` [rows, n] by group code under `weights` [rows, n or 1]: [groups, n]."""
    member = (groups == np.arange(groups.max(initial=-1) + 1)[:, None]).astype(float)
    counted = np.where(np.isnan(draws), 0.0, weights)
    total = member @ counted
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (member @ (counted * np.nan_to_num(draws))) / total, np.nan)


def estimate(
    statistic: Callable[[np.ndarray, np.ndarray], np.ndarray],
    draws: np.ndarray,
    levels: list[Level],
    *,
    n_items: int,
    confidence: float,
    rng: np.random.Generator,
) -> Estimate:
    """Give a statistic its interval from a bootstrap of items and, level by level, of what lies above them.

    `draws` [rows, 1 + n] come from resampled items; `statistic(draws, weights)` maps [rows, n] and row
    weights [rows, n or 1] to [n]. The variance is that of items plus that of every unit's members redrawn
    alone; the quantile is Student's with Satterthwaite's degrees of freedom, since two seeds cannot fill the
    tails of a percentile.
    """
    rows, n = draws.shape[0], draws.shape[1] - 1
    alone = np.ones((rows, 1))
    effect = float(statistic(draws[:, :1], alone)[0])
    if np.isnan(effect):
        return Estimate(*[np.nan] * 7)
    items = float(np.nanvar(statistic(draws[:, 1:], alone), ddof=1))
    # Where all items agree a bootstrap sees no variation; plus-four (Agresti and Coull 1998) keeps some.
    share = 2 / (n_items + 4)
    parts = [(max(items, share * (1 - share) / n_items), max(n_items - 1, 1))]
    for level in levels:
        for unit in np.unique(level.unit):
            inside = level.unit == unit
            names, code = np.unique(level.member[inside], return_inverse=True)
            if len(names) < 2:
                continue
            weights = np.ones((rows, n))
            weights[inside] = redraw(len(names), n, rng).T[code]
            moved = statistic(np.broadcast_to(draws[:, :1], (rows, n)), weights)
            parts.append((float(np.nanvar(moved, ddof=1)), len(names) - 1))
    variance = sum(part for part, _ in parts)
    df = variance**2 / sum(part**2 / free for part, free in parts)
    return with_interval(effect, np.sqrt(variance), df=df, confidence=confidence)


def with_interval(effect: float, se: float, *, df: float, confidence: float) -> Estimate:
    """Make a t interval around an effect of standard error `se` on `df` degrees of freedom."""
    quantile = float(special.stdtrit(df, (1 + confidence) / 2))
    detectable = (quantile + float(special.stdtrit(df, POWER))) * se
    p_value = float(2 * special.stdtr(df, -abs(effect) / se)) if se > 0 else float(effect == 0)
    low, high = effect - quantile * se, effect + quantile * se
    return Estimate(effect, float(low), float(high), float(se), float(df), float(detectable), p_value)


def format_variance(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Variance over formats of a model's score, less what the sampling of items alone adds: [models, draws].

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
    """Blank the items that a model was not asked in all formats: [models, formats, items]."""
    return np.where(np.isnan(values).any(axis=1, keepdims=True), np.nan, values)


def spread(values: np.ndarray) -> np.ndarray:
    """Highest minus lowest mean score over formats: [models, formats, items] to [models]."""
    means = mean_of(paired_only(values), axis=2)
    return means.max(axis=1) - means.min(axis=1)


def null_spread(values: np.ndarray, *, permutations: int, rng: np.random.Generator) -> np.ndarray:
    """Spread after format labels are permuted within items, for all models alike: [models, permutations].

    What a spread would be with the same items and predictions if the format did not matter.
    """
    values = paired_only(values)
    _, formats, items = values.shape
    result = np.empty((len(values), permutations))
    for number in range(permutations):
        order = rng.random((formats, items)).argsort(axis=0)
        result[:, number] = spread(np.take_along_axis(values, order[None], axis=1))
    return result


def kendall(values: np.ndarray) -> np.ndarray:
    """Kendall's tau-b between the order of rows of `values` [points, n] and their size; NaN if all tie."""
    first, second = np.triu_indices(len(values), k=1)
    signs = np.sign(values[second] - values[first])
    untied = np.count_nonzero(signs, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(untied > 0, signs.sum(axis=0) / np.sqrt(untied * max(len(first), 1)), np.nan)


def decide(low: float, high: float, *, smallest: float) -> str:
    """Read the verdict on the claim that an effect is positive off its interval.

    Supported: the whole interval lies beyond the smallest effect of interest. Contradicted: it lies below 0.
    """
    if low > smallest:
        return "supported"
    return "contradicted" if high < 0 else "undecided"


def decide_absence(low: float, high: float, *, smallest: float) -> str:
    """Read the verdict on the claim that there is no effect of interest off an interval (one-sided)."""
    if high < smallest:
        return "supported"
    return "contradicted" if low > smallest else "undecided"


def holm(p_values: list[float]) -> list[float]:
    """Adjust p values for the number of hypotheses tested (Holm 1979), in the order given."""
    order = np.argsort(p_values)
    stepped = np.asarray(p_values, float)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted.tolist()

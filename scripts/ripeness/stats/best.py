"""Tell which of several candidates may be the best, from scores of repeats on the same items.

A candidate is chosen on other items than it is judged on. The difference of two candidates varies by the items, on
which they are paired, and by the repeats (training seeds), of which each candidate has its own. Item variance comes
from the differences item by item. Repeat variance is pooled over all candidates, so that two repeats each are enough.
What one repeat makes of one item is in both variances and counts once, as in every layout with random rows and columns
(Cornfield and Tukey, Ann. Math. Statist. 27, 1956). A candidate leaves the confidence set when another one is better
than it by more than a one-sided t bound at 1 - alpha / (k - 1) (Hsu 1996, Multiple Comparisons, with Bonferroni's
bound): the best of k candidates is in the set with probability 1 - alpha or more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from ripeness.stats.resampling import Estimate, least_variance, with_interval


@dataclass(frozen=True)
class Best:
    """The candidate that was chosen, which candidates may be the best, and how each differs from the chosen one.

    `differences` are chosen minus candidate in the units of the scores, with intervals of the confidence asked for;
    None for the chosen one itself. `can_tell` is false where there is one repeat each: nothing can be left out then.
    """

    chosen: int
    may_be_best: tuple[bool, ...]
    differences: tuple[Estimate | None, ...]
    can_tell: bool


def choose(scores: np.ndarray) -> int:
    """Choose the candidate with the highest mean of `scores` [candidates, repeats, items]; the first of equal ones.

    NaN marks what was not measured.
    """
    return int(np.nanargmax(np.nanmean(scores, axis=(1, 2))))


def judge_best(parts: list[np.ndarray], weights: list[float], chosen: int, *, confidence: float) -> Best:
    """Judge the candidates on `parts`, each [candidates, repeats, items], averaged with `weights`.

    Parts are datasets: their items and repeats are independent of each other, so that a repeat that failed (NaN) on
    one is no loss on others. An item that one candidate has not answered counts for none.
    """
    shares = np.asarray(weights, float) / np.sum(weights)
    by_repeat = [mean_over_items(part) for part in parts]
    means = np.sum([share * np.nanmean(own, axis=1) for share, own in zip(shares, by_repeat, strict=True)], axis=0)
    n_candidates = len(means)
    repeats = [repeat_variance(share, own) for share, own in zip(shares, by_repeat, strict=True)]
    se, df = combined(
        [
            crossed(own, item_variance(share, part), shared_variance(share, part))
            for own, share, part in zip(repeats, shares, parts, strict=True)
        ]
    )
    bound = special.stdtrit(df, 1 - (1 - confidence) / max(n_candidates - 1, 1)) * se
    is_beaten = np.any(means[None, :] - means[:, None] > bound, axis=1)
    differences = [
        None
        if other == chosen
        else with_interval(means[chosen] - means[other], se[chosen, other], df=df[chosen, other], confidence=confidence)
        for other in range(n_candidates)
    ]
    return Best(chosen, tuple(map(bool, ~is_beaten)), tuple(differences), can_tell=all(free > 0 for _, free in repeats))


def mean_over_items(part: np.ndarray) -> np.ndarray:
    """Mean score of each repeat [candidates, repeats]; NaN for one that failed."""
    is_there = np.isfinite(part).any(axis=2)
    means = np.full(is_there.shape, np.nan)
    means[is_there] = np.nanmean(part[is_there], axis=1)
    return means


def repeat_variance(share: float, by_repeat: np.ndarray) -> tuple[np.ndarray, int]:
    """Variance of every difference of two candidates that comes from repeats, and degrees of freedom.

    Pooled over candidates; infinite where none has two repeats.
    """
    counts = np.isfinite(by_repeat).sum(axis=1)
    several = counts > 1
    df = int((counts[several] - 1).sum())
    if not df:
        return np.full((len(by_repeat), len(by_repeat)), np.inf), 0
    centred = by_repeat[several] - np.nanmean(by_repeat[several], axis=1, keepdims=True)
    own = np.nansum(centred**2) / df / np.maximum(counts, 1)
    return share**2 * (own[:, None] + own[None, :]), df


def item_variance(share: float, part: np.ndarray) -> tuple[np.ndarray, int]:
    """Variance of every difference of two candidates that comes from the items, and degrees of freedom.

    Candidates that answer all items alike differ on other items all the same, so that there is a least variance.
    """
    answers = np.stack([np.nanmean(one[np.isfinite(one).any(axis=1)], axis=0) for one in part])
    answers = answers[:, np.isfinite(answers).all(axis=0)]
    n_items = answers.shape[1]
    if n_items < 2:
        return np.full((len(part), len(part)), np.inf), 0
    covariance = np.atleast_2d(np.cov(answers))
    spread = np.diag(covariance)
    variance = (spread[:, None] + spread[None, :] - 2 * covariance) / n_items
    return share**2 * np.maximum(variance, least_variance(n_items)), n_items - 1


def shared_variance(share: float, part: np.ndarray) -> tuple[np.ndarray, int]:
    """Variance of every difference of two candidates that repeats and items both hold, and degrees of freedom.

    Pooled over candidates, as that of repeats is; 0 where none has two repeats.
    """
    squares, df, own = 0.0, 0, np.zeros(len(part))
    for place, one in enumerate(part):
        answers = one[np.isfinite(one).any(axis=1)]
        answers = answers[:, np.isfinite(answers).all(axis=0)]
        n_repeats, n_items = answers.shape
        if n_repeats < 2 or n_items < 2:
            continue
        left = answers - answers.mean(axis=0) - answers.mean(axis=1, keepdims=True) + answers.mean()
        squares += float((left**2).sum())
        df += (n_repeats - 1) * (n_items - 1)
        own[place] = 1 / (n_repeats * n_items)
    pooled = squares / df if df else 0.0
    return share**2 * pooled * (own[:, None] + own[None, :]), df


def crossed(*terms: tuple[np.ndarray, int]) -> tuple[np.ndarray, np.ndarray]:
    """Join the variances of repeats and of items, less what both hold; not less than either of them."""
    (repeats, _), (items, _), (shared, _) = terms
    variance = np.maximum(repeats + items - shared, np.maximum(repeats, items))
    return variance, satterthwaite(variance, terms)


def combined(terms: Sequence[tuple[np.ndarray, np.ndarray | int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return standard error and degrees of freedom of independent variances."""
    variance = np.sum([term for term, _ in terms], axis=0)
    return np.sqrt(variance), satterthwaite(variance, terms)


def satterthwaite(variance: np.ndarray, terms: Sequence[tuple[np.ndarray, np.ndarray | int]]) -> np.ndarray:
    """Return the degrees of freedom of a variance that is made of terms; 1 where it is not known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        below = np.sum([term**2 / np.maximum(df, 1) for term, df in terms], axis=0)
        return np.where((below > 0) & np.isfinite(below), variance**2 / below, 1.0)

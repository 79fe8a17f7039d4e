"""Compare every two of several models on the same items: difference, interval, detectable effect, items needed.

Differences are paired by item, and items of one cluster (a shared passage) are summed, as in the cluster-robust
variance of a mean (Miller 2024, arXiv 2411.00640, equation 4). Each model has training seeds of its own; their variance
is pooled over the models, as in stats/best.py. A fixed model, one without training, has none. Where no trained model
has two seeds, the interval covers items alone and nothing is decided.
"""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import special

from ripeness.stats.best import combined, mean_over_items, repeat_variance

POWER = 0.8
ALIKE = 1e-9  # scores that differ by less are equal
WON, LOST, UNDECIDED = "won", "lost", "undecided"


@dataclass(frozen=True)
class Pair:
    """The second of two models minus the first, in shares of 1; `outcome` is the second's, over all pairs (Holm).

    `detectable` is the true difference that 80 % of such comparisons would find; with `items_needed` items it would be
    the smallest difference that matters (None: seeds scatter too much for any number). Answers are counted over items,
    formats and seeds: won by the second, lost by it, both equally good, both worth nothing.
    """

    first: int
    second: int
    effect: float
    low: float
    high: float
    p: float
    outcome: str
    covers_seeds: bool
    detectable: float
    items_needed: int | None
    n_items: int
    n_seeds: int
    won: int
    lost: int
    both: int
    neither: int


@dataclass(frozen=True)
class Errors:
    """Variances of all differences by items and by seeds, [models, models], with standard error and its freedom."""

    items: np.ndarray
    seeds: np.ndarray
    se: np.ndarray
    df: np.ndarray
    covers_seeds: np.ndarray


def compare_all(
    scores: np.ndarray, clusters: np.ndarray, is_fixed: np.ndarray, *, confidence: float, smallest: float
) -> list[Pair]:
    """Compare models by `scores` [models, formats, seeds, items], NaN where not measured; `clusters` [items].

    `is_fixed` [models] marks models without training, whose scores are the same for each seed. Only items that all
    models answered count.
    """
    kept = np.isfinite(scores).all(axis=1).any(axis=1).all(axis=0)
    scores, clusters = scores[..., kept], clusters[kept]
    if not kept.any():
        return []
    errors = errors_of(scores, clusters, is_fixed)
    means = np.nanmean(scores.mean(axis=1), axis=(1, 2))
    pairs = [
        pair_of(scores, means, errors, place, confidence=confidence, smallest=smallest)
        for place in combinations(range(len(scores)), 2)
    ]
    return decided(pairs, means, 1 - confidence)


def errors_of(scores: np.ndarray, clusters: np.ndarray, is_fixed: np.ndarray) -> Errors:
    """Estimate the variances of all differences; by items never less than one changed answer would show."""
    by_seed = mean_over_items(scores.mean(axis=1))  # NaN for a seed in which a format failed
    answers = np.nanmean(scores.mean(axis=1), axis=1)
    items, df_items = clustered_variance(answers, clusters)
    n_items = scores.shape[-1]
    share = 2 / (n_items + 4)  # plus-four for two models that differ (Agresti and Coull 1998)
    items = np.maximum(items, share * (1 - share) / n_items)
    own, df_seeds = np.zeros(len(scores)), 0
    if not is_fixed.all():
        pooled, df_seeds = repeat_variance(1.0, by_seed[~is_fixed])
        own[~is_fixed] = np.diag(pooled) / 2 if df_seeds else 0.0
    seeds = own[:, None] + own[None, :]
    se, df = combined([(items, df_items), (seeds, df_seeds)])
    both_fixed = is_fixed[:, None] & is_fixed[None, :]
    return Errors(items, seeds, se, df, both_fixed | (df_seeds > 0))


def clustered_variance(answers: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, int]:
    """Estimate the variance of each difference of two means of `answers` [models, items], and degrees of freedom."""
    names, code = np.unique(clusters, return_inverse=True)
    n_clusters, n_items = len(names), answers.shape[1]
    if n_clusters < 2:
        return np.full((len(answers), len(answers)), np.inf), 0
    centred = answers - answers.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(code, row, minlength=n_clusters) for row in centred])
    products = sums @ sums.T * n_clusters / (n_clusters - 1) / n_items**2
    spread = np.diag(products)
    return np.maximum(spread[:, None] + spread[None, :] - 2 * products, 0), n_clusters - 1


def pair_of(
    scores: np.ndarray, means: np.ndarray, errors: Errors, place: tuple[int, int], *, confidence: float, smallest: float
) -> Pair:
    """Compare two models; whether one has won is decided with all pairs."""
    first, second = place
    effect, se, df = means[second] - means[first], errors.se[place], errors.df[place]
    reach = float(special.stdtrit(df, (1 + confidence) / 2))
    seen = reach + float(special.stdtrit(df, POWER))
    n_items = scores.shape[-1]
    room = (smallest / seen) ** 2 - errors.seeds[place]
    change = scores[second] - scores[first]
    alike = np.abs(change) <= ALIKE
    return Pair(
        first,
        second,
        effect=float(effect),
        low=max(float(effect - reach * se), -1.0),
        high=min(float(effect + reach * se), 1.0),
        p=float(2 * special.stdtr(df, -abs(effect) / se)),
        outcome=UNDECIDED,
        covers_seeds=bool(errors.covers_seeds[place]),
        detectable=float(seen * se),
        items_needed=int(np.ceil(errors.items[place] * n_items / room)) if room > 0 else None,
        n_items=n_items,
        n_seeds=int(np.isfinite(change).any(axis=(0, 2)).sum()),
        won=int((change > ALIKE).sum()),
        lost=int((change < -ALIKE).sum()),
        both=int((alike & (scores[first] > ALIKE)).sum()),
        neither=int((alike & (scores[first] <= ALIKE)).sum()),
    )


def decided(pairs: list[Pair], means: np.ndarray, level: float) -> list[Pair]:
    """Decide all pairs together: by Holm's correction, in order of p, as long as one differs."""
    found = list(pairs)
    order = sorted((place for place, pair in enumerate(pairs) if pair.covers_seeds), key=lambda place: pairs[place].p)
    for rank, place in enumerate(order):
        pair = pairs[place]
        if pair.p * (len(order) - rank) > level:
            break
        found[place] = replace(pair, outcome=WON if pair.effect > 0 else LOST)
    return found

"""How much pairs of datasets of one type differ in what more pre-training does to tuning, in points and in log-odds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from ripeness.findings.dataset_pairs import Comparison, Pairs, pairs_from
from ripeness.findings.finding import Settings
from ripeness.findings.scores import Point
from ripeness.findings.transfer_within_type.carried import HALVES, Carried
from ripeness.findings.two_estimates import Both, on_other_scale
from ripeness.stats.random_levels import Component, over_pairs
from ripeness.stats.resampling import with_interval
from ripeness.stats.verdicts import NO_EFFECT

FEW = "no type has three datasets that models were tuned on and asked, which could tell how much datasets differ"
SMALL_SHARE = 0.02  # a score is kept this far from 0 and 1 in log-odds


@dataclass(frozen=True)
class Halved:
    """Pairs of datasets at the checkpoints of both halves, which `half` [points] names; `kind` is [pairs]."""

    pairs: Pairs
    half: np.ndarray
    kind: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Weights of checkpoints in later minus earlier, by their number of comparisons: [points]."""
        counts = self.pairs.weights.sum(axis=1)
        total = {half: counts[self.half == half].sum() for half in HALVES}
        return np.array(
            [(1 if half == "later" else -1) * n / total[half] for half, n in zip(self.half, counts, strict=True)]
        )

    def means(self) -> list[np.ndarray]:
        """Average each pair at earlier and at later checkpoints; NaN where it has none."""
        return [self.pairs.at(np.flatnonzero(self.half == half))[0] for half in HALVES]

    def over_datasets(self, values: np.ndarray) -> Component | None:
        """Compute the variance over datasets of the mean of values [pairs]; None where no type has three."""
        there = ~np.isnan(values)
        first, second = (self.pairs.codes(side)[there] for side in (0, 1))
        return over_pairs(values[there], first, second, self.kind[there]) if there.any() else None


def halved(compared: list[Comparison], halves: dict[Point, str], kinds: Mapping[str, str]) -> Halved:
    """Arrange comparisons by pair and checkpoint, in the order of tokens within each series."""
    points = sorted(halves, key=lambda point: (point.series, point.tokens or 0, point.step or 0, point.checkpoint))
    pairs = pairs_from(compared, points)
    at = {(point.series, point.checkpoint): half for point, half in halves.items()}
    kind = np.array([kinds[tuned] for tuned, _ in pairs.names])
    return Halved(pairs, np.array([at[place] for place in pairs.places]), kind)


def on_both_scales(
    carried: Carried, both: Both, halves: dict[Point, str], kinds: Mapping[str, str], settings: Settings
) -> str:
    """Say what the difference is in log-odds where untouched scores move, and whether that is another verdict."""
    starts = [float(np.mean([one.before for one in carried.found if one.half == half])) for half in HALVES]
    if abs(starts[1] - starts[0]) <= settings.learned_margin:
        return ""
    compared = carried.comparisons()
    before = [one._replace(value=change.before) for one, change in zip(compared, carried.found, strict=True)]
    after = [one._replace(value=one.value + start.value) for one, start in zip(compared, before, strict=True)]
    tables = [halved(values, halves, kinds) for values in (before, after)]
    (early, late), (early_tuned, late_tuned) = ([odds_of(mean) for mean in table.means()] for table in tables)
    values = (late_tuned - late) - (early_tuned - early)
    part = tables[0].over_datasets(values)
    if part is None:
        return ""
    effect = float(np.nanmean(values))
    found = with_interval(effect, part.variance**0.5, df=part.df, confidence=settings.confidence)
    return on_other_scale(both, found, settings, expects=NO_EFFECT)


def odds_of(shares: np.ndarray) -> np.ndarray:
    """Compute log-odds of mean scores."""
    return special.logit(np.clip(shares, SMALL_SHARE, 1 - SMALL_SHARE))

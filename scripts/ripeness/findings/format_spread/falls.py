"""How the effect of formats falls from earlier to later checkpoints, on these datasets and on datasets like them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ripeness.findings.caveats import levels_of
from ripeness.findings.finding import Settings
from ripeness.findings.format_spread.models import Group, Models, Unit, early_minus_late
from ripeness.findings.pairs import generator
from ripeness.findings.scores import Point
from ripeness.findings.two_estimates import OF_SCORES, Both, both_of, course
from ripeness.stats.at_large import Course, sources_of
from ripeness.stats.random_levels import Component, over_units
from ripeness.stats.resampling import Above, Estimate, grouped_means, kendall, mean_of, ratio, with_interval

FEW = "one dataset cannot show how much datasets differ"
SMALL_SHARE = 0.02  # a score is kept this far from 0 and 1 in log-odds


@dataclass(frozen=True)
class Fall:
    """The fall of the standard deviation over formats; its rank correlation with tokens, and the fall in log-odds."""

    both: Both
    tau: float
    log_odds: Estimate | None
    is_moving: bool  # do scores move by more than the margin from the earlier to the later half?


def fall(models: Models, units: list[Unit], settings: Settings) -> Fall | None:
    """Estimate the fall: the mean over series and datasets; None where no dataset has enough checkpoints."""
    if not units:
        return None
    replicates = mean_of(np.stack([unit.fall for unit in units]))
    sources = sources_of(replicates, above_units(units, settings), courses(units), n_items=models.n_items)
    if sources.seeds:  # repeats hold the items' noise of each model alone, which must not count twice
        alone = float(np.mean([group.alone for unit in units for group in unit.groups]))
        sources = replace(sources, items=Component(sources.items.variance * (1 - alone), sources.items.df))
    names = sorted({unit.dataset for unit in units})
    values = np.array([np.mean([fall_of(unit) for unit in units if unit.dataset == name]) for name in names])
    taus = [kendall(np.array([[deviation_of(group)] for group in unit.groups])) for unit in units]
    moves = [abs(float(early_minus_late(scores_of(unit)))) for unit in units]
    return Fall(
        both_of(float(replicates[0]), over_units(values), sources, settings, n_datasets=len(names), most=OF_SCORES),
        float(mean_of(np.concatenate(taus))),
        in_log_odds(units, names, settings),
        float(np.mean(moves)) > settings.learned_margin,
    )


def above_units(units: list[Unit], settings: Settings) -> Above:
    """Say what the fall varies by above the items: seeds and runs."""
    groups = [group for unit in units for group in unit.groups]
    rows = [row for group in groups for row in group.rows]
    variance = np.concatenate([group.variance for group in groups])[:, None]
    place = np.repeat(np.arange(len(groups)), [len(group.rows) for group in groups])
    ends = np.cumsum([len(unit.groups) for unit in units])[:-1]

    def statistic(weights: np.ndarray) -> np.ndarray:
        deviation = np.sqrt(np.maximum(grouped_means(variance, weights, place), 0))
        # A run that is drawn twice counts twice: weights within a group cancel, between groups they do not.
        share = grouped_means(weights, np.ones((len(place), 1)), place)
        changes = np.stack([early_minus_late(part) for part in np.split(deviation, ends)])
        shares = np.stack([part.mean(axis=0) for part in np.split(share, ends)])
        shares = np.where(np.isnan(changes), 0, shares)
        return ratio((np.nan_to_num(changes) * shares).sum(axis=0), shares.sum(axis=0))

    return Above(statistic, levels_of(rows), generator(settings, "format-spread"))


def courses(units: list[Unit]) -> list[Course]:
    """Follow the standard deviation of every dataset over the checkpoints of each series."""
    found = []
    for series in dict.fromkeys(unit.groups[0].point.series for unit in units):
        own = [unit for unit in units if unit.groups[0].point.series == series]
        points = in_order({group.point for unit in own for group in unit.groups})
        place = {point: number for number, point in enumerate(points)}
        values = np.full((len(points), len(own)), np.nan)
        weights = np.zeros(len(points))
        for column, unit in enumerate(own):
            at = [place[group.point] for group in unit.groups]
            half = len(at) // 2
            values[at, column] = [deviation_of(group) for group in unit.groups]
            weights[at[:half]] += 1 / half / len(units)
            weights[at[-half:]] -= 1 / half / len(units)
        found.append(course(points, [values], weights))
    return found


def in_order(points: set[Point]) -> list[Point]:
    """Put the checkpoints of one series in order of tokens."""
    return sorted(points, key=lambda point: (point.tokens or 0, point.step or 0, point.checkpoint))


def in_log_odds(units: list[Unit], names: Sequence[str], settings: Settings) -> Estimate | None:
    """Estimate the fall of the standard deviation of log-odds, over datasets; None where these are too few.

    It is the one in points over p (1 - p) of the mean score p, since near 0 and 1 a score has less room to vary.
    """
    falls: dict[str, list[float]] = {name: [] for name in names}
    for unit in units:
        score = np.clip(scores_of(unit), SMALL_SHARE, 1 - SMALL_SHARE)
        deviation = np.array([deviation_of(group) for group in unit.groups])
        falls[unit.dataset].append(float(early_minus_late(deviation / (score * (1 - score)))))
    values = np.array([np.mean(found) for found in falls.values()])
    part = over_units(values)
    if part is None:
        return None
    return with_interval(float(values.mean()), part.variance**0.5, df=part.df, confidence=settings.confidence)


def fall_of(unit: Unit) -> float:
    """Compute the fall of one dataset in one series."""
    return float(early_minus_late(np.array([deviation_of(group) for group in unit.groups])))


def scores_of(unit: Unit) -> np.ndarray:
    """Average the score of each group over models and formats: [checkpoints]."""
    return np.array([float(np.nanmean(group.score)) for group in unit.groups])


def deviation_of(group: Group) -> float:
    """Take the standard deviation over formats of the mean model, noise removed."""
    return max(float(np.nanmean(group.variance)), 0.0) ** 0.5

"""Does the format matter less with more pre-training? (Amuro and Char, arXiv 2408.06663, section 4.1).

A model asked for the same items in several formats has a spread: highest minus lowest score. It is positive
by sampling alone, so that each spread stands beside its null band (formats permuted within items) and the
effect is taken on the standard deviation over formats with that noise removed.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.coverage import covers, levels_of, n_seeds_of, shared_caveats
from ripeness.format_models import Group, Models, groups_of, models_of
from ripeness.paired_scores import (
    Scores,
    generator,
    trend,
)
from ripeness.statistics import (
    Estimate,
    decide,
    estimate,
    grouped_means,
    kendall,
    mean_of,
)
from ripeness.verdicts import Finding, Settings, between, listed, number, signed, undecided, with_effect

SPREAD = Finding(
    id="format-spread",
    claim="The more tokens of pre-training, the less the format of a question matters.",
    source="Amuro and Char, arXiv 2408.06663, section 4.1",
    figure="format-spread",
    verdict="undecided",
    statement="",
    unit="fall of the score's standard deviation over formats, earlier minus later checkpoints",
)
CEILING = 0.95


def format_spread(measurements: pl.DataFrame, scores: Scores, settings: Settings) -> Finding:
    """Compare the format's effect on the score at earlier and later checkpoints, after tuning and before.

    Only checkpoints at which some format is off the floor count: at chance there is nothing to be sensitive
    about, and a dataset that rises from chance would show a rising spread whatever the format does.
    """
    conditions = {}
    for name in ("tuned", "untouched"):
        models = models_of(measurements, scores, settings, is_tuned=name == "tuned")
        if models is not None:
            conditions[name] = models
    if not conditions:
        return undecided(SPREAD, "no dataset was asked in two formats or more")
    name, models = next(iter(conditions.items()))
    groups = {one: groups_of(found, scores, settings) for one, found in conditions.items()}
    finding = replace(
        SPREAD,
        covers=covers(len(scores.checkpoints), n_seeds_of(models.rows) if name == "tuned" else 0),
        n_seeds=n_seeds_of(models.rows) if name == "tuned" else 0,
        n_checkpoints=len({(g.point.series, g.point.checkpoint) for g in groups[name] if g.is_off_floor}),
        n_items=models.n_items,
        details=tuple(row for one in conditions for row in spread_rows(one, conditions[one], groups[one])),
    )
    falls = {one: fall(conditions[one], groups[one], settings) for one in conditions}
    if falls[name] is None:
        need = f"{settings.min_checkpoints} checkpoints at which a dataset is off its floor"
        return undecided(finding, f"a trend needs {need}, and no dataset has as many")
    result, tau = falls[name]
    finding = replace(
        finding,
        verdict=decide(result.low, result.high, smallest=settings.smallest_effect),
        statement=sentence(name, halves(models, groups[name], settings), result=result, tau=tau)
        + before_tuning(falls.get("untouched") if name == "tuned" else None),
        caveats=tuple(shared_caveats(scores, models.rows if name == "tuned" else [], settings)),
    )
    extra = spread_caveats(name, falls, conditions=conditions, groups=groups, settings=settings)
    return with_effect(replace(finding, caveats=(*finding.caveats, *extra)), result, settings)


def units_of(groups: list[Group], settings: Settings, *, needs_level: bool = True) -> list[list[int]]:
    """Take the runs of groups that make a trend: by series and dataset, enough checkpoints of one phase."""
    trends: dict[tuple[str, str], list[int]] = {}
    for index, group in enumerate(groups):
        if group.is_off_floor or not needs_level:
            trends.setdefault((group.point.series, group.dataset), []).append(index)
    result = []
    for indices in trends.values():
        points = trend([groups[index].point for index in indices])
        kept = [index for index in indices if groups[index].point in points]
        if len(kept) >= settings.min_checkpoints:
            result.append(kept)
    return result


def fall(
    models: Models, groups: list[Group], settings: Settings, *, needs_level: bool = True
) -> tuple[Estimate, Estimate] | None:
    """Estimate the fall of the standard deviation over formats, and its rank correlation with tokens.

    Both are means over series and datasets; None where no dataset has enough checkpoints.
    """
    units = units_of(groups, settings, needs_level=needs_level)
    if not units:
        return None
    kept = [index for unit in units for index in unit]
    members = [member for index in kept for member in groups[index].members]
    place = np.repeat(np.arange(len(kept)), [len(groups[index].members) for index in kept])
    ends = np.cumsum([len(unit) for unit in units])[:-1]

    def over_units(change: Callable[[np.ndarray], np.ndarray], draws: np.ndarray, weights: np.ndarray) -> np.ndarray:
        deviation = np.sqrt(np.maximum(grouped_means(draws, weights, place), 0))
        # A run that is drawn twice counts twice: weights within a group cancel, between groups they do not.
        share = grouped_means(weights * np.ones((len(place), 1)), np.ones((len(place), 1)), place)
        parts = np.split(deviation, ends), np.split(share, ends)
        changes = np.stack([change(part) for part in parts[0]])
        shares = np.stack([part.mean(axis=0) for part in parts[1]])
        shares = np.where(np.isnan(changes), 0, shares * np.ones_like(changes))
        with np.errstate(invalid="ignore", divide="ignore"):
            return (np.nan_to_num(changes) * shares).sum(axis=0) / shares.sum(axis=0)

    def estimated(change: Callable[[np.ndarray], np.ndarray]) -> Estimate:
        return estimate(
            lambda draws, weights: over_units(change, draws, weights),
            models.variance[members],
            levels_of([models.rows[member] for member in members]),
            n_items=models.n_items,
            confidence=settings.confidence,
            rng=generator(settings, SPREAD.id),
        )

    return estimated(early_minus_late), estimated(kendall)


def early_minus_late(deviation: np.ndarray) -> np.ndarray:
    """Mean of the earlier half minus that of the later half of the checkpoints: [checkpoints, n] to [n]."""
    half = len(deviation) // 2
    return mean_of(deviation[:half]) - mean_of(deviation[-half:])


def halves(models: Models, groups: list[Group], settings: Settings) -> dict[str, tuple[float, float, float]]:
    """Mean standard deviation, raw spread and null spread of the earlier and the later half."""
    values: dict[str, list[tuple[float, float, float]]] = {"early": [], "late": []}
    for unit in units_of(groups, settings):
        half = len(unit) // 2
        for name, indices in (("early", unit[:half]), ("late", unit[-half:])):
            values[name] += [as_measured(models, groups[index]) for index in indices]
    return {name: tuple(np.mean(found, axis=0).tolist()) for name, found in values.items()}


def as_measured(models: Models, group: Group) -> tuple[float, float, float]:
    """Standard deviation without noise, raw spread and null spread of one group."""
    deviation = max(float(np.nanmean(models.variance[group.members, 0])), 0.0) ** 0.5
    return deviation, float(models.spread[group.members].mean()), float(models.null[group.members].mean())


def sentence(name: str, found: dict[str, tuple[float, float, float]], *, result: Estimate, tau: Estimate) -> str:
    """Say what the format did to the score early and late."""
    early, late = found["early"], found["late"]
    return (
        f"{'After' if name == 'tuned' else 'Before'} tuning the best and the worst format are {early[1]:.2f} "
        f"apart at earlier checkpoints ({early[2]:.2f} by chance alone) and {late[1]:.2f} at later ones "
        f"({late[2]:.2f} by chance), a fall of {signed(result.effect)} {between(result.low, result.high)} "
        "in the score's standard deviation over formats without chance "
        f"(Kendall's tau with tokens {signed(tau.effect)})"
    )


def before_tuning(found: tuple[Estimate, Estimate] | None) -> str:
    """Add the fall in the untouched checkpoints to the sentence, where there is one, and end it."""
    if found is None:
        return "."
    result, _ = found
    return f"; before tuning the fall is {signed(result.effect)} {between(result.low, result.high)}."


def spread_caveats(
    name: str,
    falls: dict[str, tuple[Estimate, Estimate] | None],
    *,
    conditions: dict[str, Models],
    groups: dict[str, list[Group]],
    settings: Settings,
) -> list[str]:
    """Caveats on the floor, the ceiling, and on readings that disagree."""
    caveats = []
    on_floor = [g for g in groups[name] if not g.is_off_floor]
    if on_floor:
        caveats.append(
            f"{len(on_floor)} of {len(groups[name])} pairs of dataset and checkpoint are at the floor and "
            "left out: where nothing is known there is nothing for a format to change."
        )
    every = fall(conditions[name], groups[name], settings, needs_level=False)
    if every is not None and on_floor:
        caveats.append(
            f"With the pairs at the floor the fall is {signed(every[0].effect)} {between(every[0].low, every[0].high)}."
        )
    high = ceiling(conditions[name], groups[name], settings)
    if high:
        caveats.append(
            f"Ceiling: at later checkpoints the score is {CEILING:.2f} or more in every format, which leaves "
            f"no room for a spread ({listed(high)})."
        )
    other = falls.get("untouched")
    if name == "untouched":
        caveats.append("Untouched checkpoints only: no tuned model was asked in several formats.")
    elif other is None:
        caveats.append("The untouched checkpoints do not allow the same comparison.")
    else:
        verdicts = [decide(one.low, one.high, smallest=settings.smallest_effect) for one in (falls[name][0], other[0])]
        if verdicts[0] != verdicts[1]:
            caveats.append(f"Before tuning the same claim is {verdicts[1]}.")
    return caveats


def ceiling(models: Models, groups: list[Group], settings: Settings) -> list[str]:
    """Name the datasets whose later checkpoints are at the ceiling in every format."""
    names = set()
    for unit in units_of(groups, settings):
        members = [member for index in unit[-(len(unit) // 2) :] for member in groups[index].members]
        if np.nanmin(mean_of(models.score[members])) >= CEILING:
            names.add(groups[unit[0]].dataset)
    return sorted(names)


def spread_rows(name: str, models: Models, groups: list[Group]) -> list[dict[str, object]]:
    """Rows of `details`: one for each condition, dataset and checkpoint."""
    rows = []
    for group in groups:
        deviation, raw, null = as_measured(models, group)
        band = models.null[group.members].mean(axis=0)
        rows.append(
            {
                "condition": name,
                "series": group.point.series,
                "dataset": group.dataset,
                "checkpoint": group.point.checkpoint,
                "tokens": group.point.tokens,
                "phase": group.point.phase,
                "spread": raw,
                "null": null,
                "null_high": float(np.quantile(band, 0.95)),
                "deviation": deviation,
                "best": number(np.nanmax(mean_of(models.score[group.members]))),
                "is_off_floor": group.is_off_floor,
                "n_models": len(group.members),
            }
        )
    return rows

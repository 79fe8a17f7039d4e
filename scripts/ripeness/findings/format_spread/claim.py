"""Does the format matter less with more pre-training? (Amuro and Char, arXiv 2408.06663, section 4.1).

A model asked for the same items in several formats has a spread: highest minus lowest score. It is positive
by sampling alone, so that each spread is given with its null band (formats permuted within items) and the
effect is taken on the standard deviation over formats with that noise removed.
"""

from dataclasses import replace

import numpy as np

from ripeness.findings.caveats import covers_at_large, n_seeds_of, one_answer, shared_caveats
from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, listed, number, signed, undecided
from ripeness.findings.format_spread.falls import FEW, Fall, deviation_of, fall
from ripeness.findings.format_spread.models import Models, Unit, models_of
from ripeness.findings.format_spread.without_items import judge as judge_without_items
from ripeness.findings.needs import has_items
from ripeness.findings.scores import Scores
from ripeness.findings.study_tables import Tables
from ripeness.findings.two_estimates import on_other_scale, shown, two_lines, with_both
from ripeness.stats.resampling import mean_of
from ripeness.stats.verdicts import verdict_of

CEILING = 0.95


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare the format's effect on the score at earlier and later checkpoints, after tuning and before.

    Only checkpoints at which some format is off the floor count: at chance there is nothing to be sensitive
    about, and a dataset that rises from chance would show a rising spread whatever the format does.
    """
    measurements, scores = tables.floors, tables.scores
    conditions = {}
    for name in ("tuned", "untouched"):
        models = models_of(measurements, scores, settings, is_tuned=name == "tuned")
        if models is not None:
            conditions[name] = models
    if not conditions:
        return undecided(Finding(), "no dataset was asked in two formats or more")
    name, models = next(iter(conditions.items()))
    finding = Finding(
        covers=covers_at_large(len(scores.checkpoints), models.rows if name == "tuned" else []),
        n_seeds=n_seeds_of(models.rows) if name == "tuned" else 0,
        n_checkpoints=len({(g.point.series, g.point.checkpoint) for g in models.groups if g.is_off_floor}),
        n_items=models.n_items,
        details=tuple(row for one in conditions if settings.has_details for row in spread_rows(one, conditions[one])),
    )
    falls = {one: fall(found, found.units, settings) for one, found in conditions.items()}
    main = falls[name]
    if main is None:
        need = f"{settings.min_checkpoints} checkpoints at which a dataset is off its floor"
        return undecided(finding, f"a trend needs {need}, and no dataset has as many")
    rows = models.rows if name == "tuned" else []
    caveats = [
        *shared_caveats(scores, rows, settings),
        *one_answer(in_any_format(scores), [(row, row.dataset) for row in rows]),
        *spread_caveats(name, falls, models=models, settings=settings),
    ]
    said = sentence(name, halves(models.units), main, settings)
    before = before_tuning(falls.get("untouched") if name == "tuned" else None)
    finding = replace(finding, statement=said + before, caveats=tuple(caveats))
    return with_both(finding, main.both, settings, too_few=FEW, is_tuned=name == "tuned")


CLAIM = Claim(
    id="format-spread",
    text="The more tokens of pre-training, the less the format of a question matters.",
    source="Amuro and Char, arXiv 2408.06663, section 4.1",
    unit="fall of the score's standard deviation over formats, earlier minus later checkpoints",
    figure="format-spread",
    needs=(has_items,),
    judge=judge,
    judge_without_items=judge_without_items,
)


def in_any_format(scores: Scores) -> Scores:
    """Mark tuned models that give one answer to all items in at least one of the formats asked."""
    alike = {(row._replace(probe_format="all"), probe) for row, probe in scores.one_answer}
    return replace(scores, one_answer=frozenset(alike))


def halves(units: list[Unit]) -> dict[str, tuple[float, float]]:
    """Average the spread and the null spread over the earlier and the later half."""
    values: dict[str, list[tuple[float, float]]] = {"early": [], "late": []}
    for unit in units:
        half = len(unit.groups) // 2
        for name, groups in (("early", unit.groups[:half]), ("late", unit.groups[-half:])):
            values[name] += [(group.spread, group.null) for group in groups]
    return {name: tuple(np.mean(found, axis=0).tolist()) for name, found in values.items()}


def sentence(name: str, found: dict[str, tuple[float, float]], main: Fall, settings: Settings) -> str:
    """Say what the format did to the score early and late, and by how much that fell."""
    early, late = found["early"], found["late"]
    return (
        f"{'After' if name == 'tuned' else 'Before'} tuning the best and the worst format are {early[0]:.2f} "
        f"apart at earlier checkpoints ({early[1]:.2f} by chance alone) and {late[0]:.2f} at later ones "
        f"({late[1]:.2f} by chance). Without chance, the score's standard deviation over formats falls by "
        f"{signed(main.both.shown.effect)}. {two_lines(main.both)} Kendall's tau of the standard deviation with "
        f"tokens: {signed(main.tau)}."
        f"{on_both_scales(main, settings)}"
    )


def on_both_scales(main: Fall, settings: Settings) -> str:
    """Say what the fall is in log-odds where scores move, and whether that is another verdict."""
    if not main.is_moving:
        return ""
    return on_other_scale(main.both, main.log_odds, settings)


def before_tuning(found: Fall | None) -> str:
    """Add the fall in the untouched checkpoints, where there is one."""
    return f" Before tuning: {shown(found.both.shown)}." if found else ""


def spread_caveats(
    name: str,
    falls: dict[str, Fall | None],
    *,
    models: Models,
    settings: Settings,
) -> list[str]:
    """List caveats on the floor, the ceiling, and readings that disagree."""
    caveats = []
    on_floor = [group for group in models.groups if not group.is_off_floor]
    if on_floor:
        caveats.append(
            f"{len(on_floor)} of {len(models.groups)} pairs of dataset and checkpoint are at the floor and "
            "left out: where nothing is known there is nothing for a format to change."
        )
    every = fall(models, models.all_units, settings) if on_floor else None
    if every is not None:
        caveats.append(f"With the pairs at the floor the fall is {shown(every.both.shown)}.")
    high = ceiling(models.units)
    if high:
        caveats.append(
            f"Ceiling: at later checkpoints the score is {CEILING:.2f} or more in every format, which leaves "
            f"no room for a spread ({listed(high)})."
        )
    main, other = falls[name], falls.get("untouched")
    if name == "untouched":
        caveats.append("Untouched checkpoints only: no tuned model was asked in several formats.")
    elif main is None or other is None:
        caveats.append("The untouched checkpoints do not allow the same comparison.")
    else:
        verdicts = [
            verdict_of(one.low, one.high, smallest=settings.smallest_effect)
            for one in (main.both.shown, other.both.shown)
        ]
        if verdicts[0] != verdicts[1]:
            caveats.append(f"Tested alone, the claim is {verdicts[0]} after tuning and {verdicts[1]} before.")
    return caveats


def ceiling(units: list[Unit]) -> list[str]:
    """Name the datasets whose later checkpoints are at the ceiling in every format."""
    names = set()
    for unit in units:
        score = np.concatenate([group.score for group in unit.groups[-(len(unit.groups) // 2) :]])
        if np.nanmin(mean_of(score)) >= CEILING:
            names.add(unit.groups[0].dataset)
    return sorted(names)


def spread_rows(name: str, models: Models) -> list[dict[str, object]]:
    """Make the rows of `details`: one for each condition, dataset and checkpoint."""
    return [
        {
            "condition": name,
            "series": group.point.series,
            "dataset": group.dataset,
            "checkpoint": group.point.checkpoint,
            "tokens": group.point.tokens,
            "phase": group.point.phase,
            "spread": group.spread,
            "null": group.null,
            "null_high": group.null_high,
            "deviation": deviation_of(group),
            "best": number(np.nanmax(mean_of(group.score))),
            "is_off_floor": group.is_off_floor,
            "n_models": len(group.rows),
        }
        for group in models.groups
    ]

"""Does a fixed rate move the weights of every checkpoint equally far? (assumed by arXiv 2503.19206, section 3.3)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.claim import Claim
from ripeness.findings.finding import (
    Finding,
    Settings,
    listed,
    number,
    numbers,
    times,
    undecided,
    with_effect,
)
from ripeness.findings.needs import has_cells, has_tuned_text
from ripeness.findings.over_checkpoints import (
    Over,
    courses_of,
    covers_checkpoints,
    estimated,
    neighbour_caveats,
    slope_weights,
)
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import TREATED, Curve, displacements
from ripeness.stats.resampling import Estimate
from ripeness.stats.verdicts import NO_EFFECT
from ripeness.tables.ways_of_tuning import ways_from_checkpoints


def judge(tables: Tables, settings: Settings) -> Finding:
    """Test that the slope of log displacement against log tokens, averaged over cells, is equivalent to zero.

    Its error is that of a regression over checkpoints, which are a sample.
    """
    cells = tables.cells.filter(pl.col("method").is_in(ways_from_checkpoints(tables.cells)))
    curves = [curve for curve in displacements(cells, settings) if len(curve.tokens) >= settings.min_checkpoints]
    whole = [curve for curve in curves if curve.is_whole and (curve.values > 0).all()]
    if not whole:
        least = settings.min_checkpoints
        return undecided(Finding(), f"no displacement is known at {least} trained checkpoints or more of one cell")
    runs = {run for curve in whole for run in curve.runs}
    n_seeds = len({name[1] for curve in whole for name in curve.repeats if len(name) > 1}) or len(runs)
    over = slope_of(whole, settings)
    blank = Finding(
        n_checkpoints=sum(len(c.tokens) * len(c.runs) for c in {curve.runs: curve for curve in whole}.values()),
        n_seeds=n_seeds,
        covers=covers_checkpoints(over, len(runs), f"{n_seeds} tuning seeds"),
        details=tuple(rows(whole, settings) if settings.has_details else ()),
    )
    if over.estimate is None:
        return undecided(blank, "one seed of one run gives no estimate of variation between seeds")
    return replace(
        with_effect(blank, over.estimate, settings, smallest=settings.smallest_slope),
        statement=sentence(whole, over.estimate, settings),
        caveats=(*neighbour_caveats(over.neighbours), *caveats(curves, whole)),
    )


CLAIM = Claim(
    id="displacement-constancy",
    text="At a fixed rate tuning moves the weights of every checkpoint equally far.",
    source="Springer et al., arXiv 2503.19206, section 3.3, an assumption",
    unit="exponent: 1 if twice the pre-training tokens give twice the displacement, 0 if as much",
    figure="tuning-loss",
    needs=(has_cells, has_tuned_text),
    judge=judge,
    expects=NO_EFFECT,
)


def slope_of(curves: Sequence[Curve], settings: Settings) -> Over:
    """Estimate the doublings of the displacement per doubling of tokens, the mean over curves and repeats."""
    return estimated(courses_of(curves, np.log2), slope_weights, confidence=settings.confidence)


def sentence(curves: Sequence[Curve], result: Estimate, settings: Settings) -> str:
    """Say how far tuning moves the weights, last checkpoint against first."""
    ratios = [curve.mean[-1] / curve.mean[0] for curve in curves]
    first = times(float(np.mean(np.log2(ratios))))
    most = settings.smallest_slope
    return (
        f"Tuning moves the last trained checkpoint {first} as far as the first. With twice the tokens it moves a "
        f"checkpoint {times(result.effect, result.low, result.high)} as far; {2**-most:.2f} to {2**most:.2f} times "
        "counts as equally far."
    )


def caveats(curves: Sequence[Curve], whole: Sequence[Curve]) -> list[str]:
    """List caveats: the shape of the curve, cells that are missing."""
    found = ["A slope against log tokens: a displacement that rises and falls again can have none."]
    if len(whole) < len(curves):
        found.append(
            f"Left out, since cells diverged or are missing: {len(curves) - len(whole)} of {len(curves)} curves."
        )
    return found


def rows(curves: Sequence[Curve], settings: Settings) -> list[dict[str, object]]:
    """Make a row of `details` for each dataset, method, rate and group of runs: the slope and the ends."""
    found = []
    for curve in curves:
        own = slope_of([curve], settings).estimate
        ends = {"first": number(curve.mean[0]), "last": number(curve.mean[-1])}
        slope = float(slope_weights(np.log2(curve.tokens)) @ np.log2(curve.values).mean(axis=1))
        interval = numbers(own) if own else {"effect": slope, "low": None, "high": None}
        keys = {key: curve.key[key] for key in TREATED[1:]}
        found.append({**keys, "runs": listed(list(curve.runs)), **ends, **interval})
    return found

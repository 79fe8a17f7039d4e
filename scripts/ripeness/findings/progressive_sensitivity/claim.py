"""Does noise of a fixed size cost more loss the longer a model was pre-trained? (arXiv 2503.19206, section 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from ripeness.findings.caveats import MIN_RUNS
from ripeness.findings.claim import Claim
from ripeness.findings.finding import (
    Finding,
    Settings,
    listed,
    number,
    numbers,
    signed,
    times,
    undecided,
    with_parts,
)
from ripeness.findings.needs import has_cells, has_noise
from ripeness.findings.over_checkpoints import (
    Over,
    courses_of,
    covers_checkpoints,
    estimated,
    neighbour_caveats,
    slope_weights,
)
from ripeness.findings.over_runs import RUN_ALONE
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import NOISE, Curve, by_rank, curves_of, grouped, noise_increases
from ripeness.stats.verdicts import REVERSED, SUPPORTED, TOO_SMALL, UNDECIDED, Part, verdict_of
from ripeness.tables.single_numbers import as_number

NORMALISATIONS = {  # the first that was measured decides, which is that of the paper; then what the others say
    "init": "in units of the initialisation",
    "relative": "relative to the weights",
    "absolute": "of the same absolute size",
}


def judge(tables: Tables, settings: Settings) -> Finding:
    """Estimate by how much the loss increase grows with tokens, by normalisation, the mean over scales and texts.

    The slope is in doublings of the increase for a doubling of tokens; its error is that of a regression over
    checkpoints, which are a sample. The rank trend of the mean curve stands next to it, with its exact p.
    """
    sensitivity = tables.sensitivity
    curves = [] if sensitivity is None else noise_increases(sensitivity, settings)
    if sensitivity is None or not curves:
        return undecided(Finding(), "no checkpoint was perturbed with noise")
    longest = max(len(curve.tokens) for curve in curves)
    blank = counted(sensitivity, curves)
    if longest < settings.min_checkpoints:
        return undecided(
            blank, f"{longest} trained checkpoints are too few for a trend (at least {settings.min_checkpoints})"
        )
    curves = [curve for curve in curves if len(curve.tokens) >= settings.min_checkpoints]
    errors = errors_of(sensitivity, settings)
    by_normalisation = grouped(curves, lambda curve: str(curve.key["normalisation"]))
    trends = {
        name: trend_of(by_normalisation[name], errors, settings) for name in NORMALISATIONS if name in by_normalisation
    }
    main, result = next(iter(trends.items()))
    blank = replace(
        blank,
        covers=covers_checkpoints(result.over, len(runs_of(curves)), f"{blank.n_seeds} draws of the noise"),
        details=tuple(rows(curves, errors, settings) if settings.has_details else ()),
    )
    if result.over.estimate is None:
        return undecided(blank, f"{why_not(by_normalisation[main])}; {of_ranks(result)}")
    slope = Part(result.over.estimate, settings.smallest_slope, unit=f"{CLAIM.unit}; noise {main}")
    return replace(
        with_parts(blank, ((slope,),), settings),
        statement=sentence(trends, settings),
        caveats=(*neighbour_caveats(result.over.neighbours), *caveats(curves, trends)),
    )


CLAIM = Claim(
    id="progressive-sensitivity",
    text="Noise of a fixed size on the weights costs more loss the longer a model was pre-trained.",
    source="Springer et al., arXiv 2503.19206, section 3",
    unit="exponent: 1 if twice the pre-training tokens give twice the loss increase, 0 if as much",
    figure="sensitivity",
    needs=(has_cells, has_noise),
    judge=judge,
)


@dataclass(frozen=True)
class Trend:
    """What one normalisation shows: the slope, and Kendall's tau of the mean curve with its two-sided exact p."""

    over: Over
    tau: float
    p_tau: float


def runs_of(curves: Sequence[Curve]) -> set[str]:
    """List the pre-training runs of curves."""
    return {run for curve in curves for run in curve.runs}


def counted(sensitivity: pl.DataFrame, curves: Sequence[Curve]) -> Finding:
    """Start a finding with the counts that it rests on."""
    return Finding(
        n_checkpoints=sum(len(c.tokens) * len(c.runs) for c in {curve.runs: curve for curve in curves}.values()),
        n_seeds=sensitivity.filter(pl.col("perturbation") == "noise")["noise_seed"].n_unique(),
        n_items=int(as_number(sensitivity["n_items"].max())),
    )


def errors_of(sensitivity: pl.DataFrame, settings: Settings) -> dict[tuple, np.ndarray]:
    """Average the standard errors of increases over passages [checkpoints] over draws, by curve."""
    rows_ = sensitivity.filter(pl.col("perturbation") == "noise").with_columns(value=pl.col("se").fill_null(0.0))
    return {identity(curve): curve.values.mean(axis=1) for curve in curves_of(rows_, NOISE, "noise_seed", settings)}


def identity(curve: Curve) -> tuple:
    """Name a curve by what tells it from all others."""
    return (*curve.key.values(), curve.runs, len(curve.tokens))


def has_logs(curve: Curve) -> bool:
    """Say whether noise raised the loss at every checkpoint, and left it finite."""
    return curve.is_whole and bool((curve.mean > 0).all())


def doublings(values: np.ndarray) -> np.ndarray:
    """Take increases [points, repeats] to logarithms of base 2 whose mean is that of the mean increase.

    A draw that did not raise the loss has no logarithm; near the mean a line does for it.
    """
    mean = values.mean(axis=1, keepdims=True)
    return np.log2(mean) + (values / mean - 1) / np.log(2)


def trend_of(curves: Sequence[Curve], errors: Mapping[tuple, np.ndarray], settings: Settings) -> Trend:
    """Estimate the mean slope of curves, and the rank trend of the mean curve."""
    from scipy import stats  # not at the top: a study without models needs none of it

    def relative(curve: Curve) -> np.ndarray:
        return np.nan_to_num(errors[identity(curve)]) / curve.mean / np.log(2)

    courses = courses_of([curve for curve in curves if has_logs(curve)], doublings, relative)
    over = estimated(courses, slope_weights, confidence=settings.confidence)
    longest = max(len(curve.tokens) for curve in curves)
    # ranks need no logarithm: an increase that is not finite is larger than any other
    ranks = [stats.rankdata(by_rank(curve.values).mean(axis=1)) for curve in curves if len(curve.tokens) == longest]
    tau, p_tau = stats.kendalltau(np.arange(longest), np.mean(ranks, axis=0))
    return Trend(over, float(tau), float(p_tau))


def why_not(curves: Sequence[Curve]) -> str:
    """Say why a normalisation has no slope with an interval."""
    if not any(has_logs(curve) for curve in curves):
        return "at every size of the noise some checkpoint lost nothing, or all that it could"
    return "one draw of the noise, on one run, gives no estimate of variation between draws"


def of_ranks(trend: Trend) -> str:
    """Write the rank trend: tau +0.93 (exact p 0.002)."""
    return f"rank correlation with tokens (Kendall's tau) {signed(trend.tau)}, exact p {trend.p_tau:.2g}"


def sentence(trends: Mapping[str, Trend], settings: Settings) -> str:
    """Say what every normalisation shows, and whether they disagree."""
    known = {name: trend.over.estimate for name, trend in trends.items() if trend.over.estimate}
    smallest = settings.smallest_slope
    signs = {name: verdict_of(found.low, found.high, smallest=smallest) for name, found in known.items()}
    main, *others = known
    verbs = {
        SUPPORTED: "adds more loss",
        REVERSED: "adds less loss",
        TOO_SMALL: f"adds as much loss, within {2**-smallest:.2f} to {2**smallest:.2f} times",
        UNDECIDED: "shows no clear trend",
    }

    def said(name: str) -> str:
        return times(known[name].effect, known[name].low, known[name].high)

    text = (
        f"With twice the pre-training tokens, noise {NORMALISATIONS[main]} ({main}) {verbs[signs[main]]}: "
        f"{said(main)} as much ({of_ranks(trends[main])})"
    )
    apart = [name for name in others if signs[name] != signs[main]]
    if not others:
        return f"{text}."
    if not apart:
        return f"{text}; the same holds {listed([f'under {name} noise ({said(name)})' for name in others])}."
    parts = listed([f"under {name} noise it {verbs[signs[name]]} ({said(name)})" for name in apart])
    return f"{text}. The normalisations disagree: {parts}. Weights change their size in training, so the scale decides."


def caveats(curves: Sequence[Curve], trends: Mapping[str, Trend]) -> list[str]:
    """List caveats: runs, normalisations, losses that are not finite, decay."""
    found = []
    if len(runs_of(curves)) < MIN_RUNS:
        found.append(RUN_ALONE)
    if len(trends) == 1:
        found.append("One normalisation of the noise: another may show another trend, since weights change their size.")
    if left := [curve for curve in curves if not has_logs(curve)]:
        found.append(
            f"{len(left)} of {len(curves)} curves have no slope, since noise raised no loss at a checkpoint, or left "
            "none that is finite. The rank correlation counts the latter as larger than any other increase."
        )
    found.append(
        "The learning rate of pre-training may fall with tokens: where it does, its decay is in this trend too."
    )
    return found


def rows(curves: Sequence[Curve], errors: Mapping[tuple, np.ndarray], settings: Settings) -> list[dict[str, object]]:
    """Make a row of `details` for each normalisation, scale, text and group of runs: the trend and both ends."""
    found = []
    order = list(NORMALISATIONS)
    for curve in sorted(curves, key=lambda c: (order.index(str(c.key["normalisation"])), c.key["scale"], str(c.runs))):
        trend = trend_of([curve], errors, settings)
        ends = {"first_increase": float(curve.mean[0]), "last_increase": float(curve.mean[-1])}
        slope = numbers(trend.over.estimate) if trend.over.estimate else dict.fromkeys(("effect", "low", "high"))
        found.append(
            {**curve.key, "runs": listed(list(curve.runs)), "n_checkpoints": len(curve.tokens), **slope}
            | {"tau": number(trend.tau), "p_tau": number(trend.p_tau)}
            | {name: value if np.isfinite(value) else None for name, value in ends.items()}
        )
    return found

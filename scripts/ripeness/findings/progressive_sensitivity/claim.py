"""Does noise of a fixed size cost more loss the longer a model was pre-trained? (arXiv 2503.19206, section 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.caveats import MIN_RUNS
from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, between, listed, numbers, signed, undecided, with_parts
from ripeness.findings.needs import has_cells, has_noise
from ripeness.findings.over_runs import RUN_ALONE
from ripeness.findings.pairs import generator
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import NOISE, Curve, by_rank, curves_of, grouped, noise_increases
from ripeness.stats.resampling import Estimate, kendall, redraw, with_interval
from ripeness.stats.verdicts import REVERSED, SUPPORTED, TOO_SMALL, UNDECIDED, Part, verdict_of
from ripeness.tables.single_numbers import as_number

NORMALISATIONS = {  # the first that was measured decides, which is that of the paper; then what the others say
    "init": "in units of the initialisation",
    "relative": "relative to the weights",
    "absolute": "of the same absolute size",
}


def judge(tables: Tables, settings: Settings) -> Finding:
    """Rank trend of the loss increase against tokens by normalisation, the mean over scales and texts.

    The interval covers the draws of the noise, redrawn alike at all checkpoints, the sampling of passages, taken as
    independent between checkpoints, and pre-training runs where there are enough of them.
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
    found = replace(
        blank,
        statement=sentence(trends),
        caveats=tuple(caveats(curves, trends)),
        details=tuple(rows(curves, errors, settings)),
    )
    tau = Part(result, smallest=0.0, unit=f"{CLAIM.unit}; noise {main}", bounds=(-1.0, 1.0))
    return with_parts(found, ((tau,),), settings)


CLAIM = Claim(
    id="progressive-sensitivity",
    text="Noise of a fixed size on the weights costs more loss the longer a model was pre-trained.",
    source="Springer et al., arXiv 2503.19206, section 3",
    unit="rank trend (Kendall's tau) of the loss increase against tokens, from −1 to 1",
    figure="sensitivity",
    needs=(has_cells, has_noise),
    judge=judge,
)


def counted(sensitivity: pl.DataFrame, curves: Sequence[Curve]) -> Finding:
    """Start a finding with the counts that it rests on."""
    runs = {run for curve in curves for run in curve.runs}
    n_noise = sensitivity.filter(pl.col("perturbation") == "noise")["noise_seed"].n_unique()
    between_runs = f" and {len(runs)} pre-training runs" if len(runs) >= MIN_RUNS else ""
    return Finding(
        n_checkpoints=sum(len(c.tokens) * len(c.runs) for c in {curve.runs: curve for curve in curves}.values()),
        n_seeds=n_noise,
        n_items=int(as_number(sensitivity["n_items"].max())),
        covers=f"{n_noise} draws of the noise, the sampling of passages{between_runs}",
    )


def errors_of(sensitivity: pl.DataFrame, settings: Settings) -> dict[tuple, np.ndarray]:
    """Average the standard errors of increases over passages [checkpoints] over draws, by curve."""
    rows_ = sensitivity.filter(pl.col("perturbation") == "noise").with_columns(value=pl.col("se").fill_null(0.0))
    return {identity(curve): curve.values.mean(axis=1) for curve in curves_of(rows_, NOISE, "noise_seed", settings)}


def identity(curve: Curve) -> tuple:
    """Name a curve by what tells it from all others."""
    return (*curve.key.values(), curve.runs, len(curve.tokens))


def trend_of(curves: Sequence[Curve], errors: Mapping[tuple, np.ndarray], settings: Settings) -> Estimate:
    """Estimate the mean rank trend of curves; those of one run share their draws of noise and passages."""
    draws = np.mean([taus(curve, errors[identity(curve)], settings) for curve in curves], axis=0)
    parts = [(float(np.nanvar(draws[1:], ddof=1)), max(min(curve.values.shape[1] for curve in curves) - 1, 1))]
    by_run = {
        run: float(np.mean([tau_of_run(c, run) for c in curves if run in c.runs])) for c in curves for run in c.runs
    }
    if len(by_run) >= MIN_RUNS:
        parts.append((float(np.var(list(by_run.values()), ddof=1)) / len(by_run), len(by_run) - 1))
    # two checkpoints that change places move tau by as much: nothing smaller can be seen
    least = (2 / max(len(curve.tokens) * (len(curve.tokens) - 1) / 2 for curve in curves)) ** 2 / 12
    variance = sum(part for part, _ in parts) + least
    df = variance**2 / max(sum(part**2 / free for part, free in parts), np.finfo(float).tiny)
    found = with_interval(float(draws[0]), float(np.sqrt(variance)), df=min(df, 1e6), confidence=settings.confidence)
    return replace(found, low=max(found.low, -1.0), high=min(found.high, 1.0))


def taus(curve: Curve, errors: np.ndarray, settings: Settings) -> np.ndarray:
    """Rank trend as measured and under draws of noise seeds and passages [1 + draws]."""
    rng = generator(settings, "noise", *map(str, curve.key.values()))
    values = by_rank(curve.values)
    drawn, weight = redraw(values.shape[1], settings.draws, rng)
    means = np.column_stack([values.mean(axis=1), values @ drawn.T * weight / values.shape[1]])
    means[:, 1:] += rng.standard_normal((len(values), settings.draws)) * np.nan_to_num(errors)[:, None]
    return kendall(means)


def tau_of_run(curve: Curve, run: str) -> float:
    """Rank trend of one run of a curve."""
    own = [column for column, name in enumerate(curve.repeats) if name[0] == run]
    return float(kendall(by_rank(curve.values[:, own]).mean(axis=1)[:, None])[0])


def sentence(trends: Mapping[str, Estimate]) -> str:
    """Say what every normalisation shows, and whether they disagree."""
    signs = {name: verdict_of(found.low, found.high, smallest=0.0) for name, found in trends.items()}
    main, *others = trends
    verbs = {SUPPORTED: "grows", REVERSED: "falls"} | dict.fromkeys((TOO_SMALL, UNDECIDED), "has no clear trend")

    def said(name: str) -> str:
        found = trends[name]
        return f"{signed(found.effect)} {between(found.low, found.high)}"

    text = (
        f"Under noise {NORMALISATIONS[main]} ({main}) the loss increase {verbs[signs[main]]} with tokens, {said(main)}"
    )
    apart = [name for name in others if signs[name] != signs[main]]
    if not others:
        return f"{text}."
    if not apart:
        return f"{text}; the same holds {listed([f'under {name} noise ({said(name)})' for name in others])}."
    parts = listed([f"under {name} noise it {verbs[signs[name]]} ({said(name)})" for name in apart])
    return f"{text}. The normalisations disagree: {parts}. Weights change their size in training, so the scale decides."


def caveats(curves: Sequence[Curve], trends: Mapping[str, Estimate]) -> list[str]:
    """List caveats: runs, normalisations, losses that are not finite, decay."""
    found = []
    runs = {run for curve in curves for run in curve.runs}
    if len(runs) < MIN_RUNS:
        found.append(RUN_ALONE)
    if len(trends) == 1:
        found.append("One normalisation of the noise: another may show another trend, since weights change their size.")
    if any(not np.isfinite(curve.values).all() for curve in curves):
        found.append("Some noise left a model without a finite loss; it counts as larger than any other increase.")
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
        found.append(
            {**curve.key, "runs": listed(list(curve.runs)), "n_checkpoints": len(curve.tokens), **numbers(trend)}
            | {name: value if np.isfinite(value) else None for name, value in ends.items()}
        )
    return found

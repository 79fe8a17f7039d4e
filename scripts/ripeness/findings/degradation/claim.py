"""Does tuning cost later checkpoints more, and does choosing the rate help? (arXiv 2503.19206, sections 2 and 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.caveats import MIN_RUNS
from ripeness.findings.finding import Finding, Settings, between, listed, signed, undecided
from ripeness.findings.over_runs import RUN_ALONE
from ripeness.findings.rate_grids import (
    Grid,
    at_equal_answer_loss,
    at_equal_displacement,
    chosen_rates,
    fixed,
    grids_of,
    tuned,
    tuned_answer,
)
from ripeness.findings.treated_curves import TREATED, Curve, answer_losses, averaged, text_losses
from ripeness.runtime.wording import human
from ripeness.stats.resampling import decide, decide_absence
from ripeness.stats.turning_points import Found, Refused, TurningPoint, turning_point

FIXED = Finding(
    id="degradation-at-fixed-rate",
    claim="Tuned at a fixed rate, late checkpoints end up worse on pre-training text than earlier ones do.",
    source="Springer et al., arXiv 2503.19206, section 3.3",
    figure="tuning-loss",
    verdict="undecided",
    statement="",
    unit="nats a token of pre-training text after tuning, last checkpoint minus the best before it",
)
TUNED = Finding(
    id="degradation-at-tuned-rate",
    claim="Choosing the rate for each checkpoint removes this degradation.",
    source="Springer et al., arXiv 2503.19206, section 3.4",
    figure="tuning-loss",
    verdict="undecided",
    statement="",
    unit="nats a token of pre-training text after tuning at the chosen rate, last checkpoint minus the best before it",
)


def turning(curve: Curve, settings: Settings) -> TurningPoint:
    """Where a loss turns over log tokens."""
    return turning_point(
        np.log(curve.tokens),
        curve.values,
        better="lower",
        floor=0.0,
        confidence=settings.confidence,
        seed=settings.seed,
        shown=lambda place: f"{human(round(float(np.exp(place))))} tokens",
    )


def degradation_at_fixed_rate(measurements: pl.DataFrame, cells: pl.DataFrame, settings: Settings) -> Finding:
    """Contrast the last checkpoint with the best before it, on text and on answers, the mean over datasets and rates.

    Of the method of the settings, which is plain tuning; `details` have all. The best is picked, which the interval
    knows of (see peaks.py). Rates at which a cell is missing are left out.
    """
    every = text_losses(measurements, settings)
    curves = [curve for curve in every if curve.key["method"] == settings.method]
    whole = [curve for curve in curves if curve.is_whole]
    mean = averaged(whole)
    if mean is None:
        return undecided(FIXED, "no loss on running text was measured of tuned models at every checkpoint")
    found = turning(mean, settings)
    blank = replace(FIXED, **counts(mean))
    if isinstance(found, Refused):
        return undecided(blank, found.reason)
    answers = [curve for curve in answer_losses(measurements, settings) if curve.is_whole]
    inside = averaged([c for c in answers if c.runs == mean.runs and c.key["method"] == settings.method])
    own = turning(inside, settings) if inside else None
    details = [turn_row(curve, TREATED, settings, loss="text") for curve in every if curve.is_whole]
    details += [turn_row(curve, TREATED, settings, loss="answer") for curve in answers]
    verdict = decide(found.peak.low, found.peak.high, smallest=settings.smallest_loss)
    return replace(
        with_peak(blank, found, settings),
        verdict=verdict,
        statement=fixed_sentence(mean, found, own, whole, settings),
        caveats=tuple(caveats(curves, mean, whole)),
        details=tuple(details),
    )


def size(found: Found) -> str:
    """Write the contrast of the last checkpoint with the best before it."""
    return f"{signed(found.peak.effect)} {between(found.peak.low, found.peak.high)}"


def of_other_runs(curves: Sequence[Curve], mean: Curve, settings: Settings) -> str:
    """The same contrast of runs of another kind, such as those with another schedule; empty where there are none."""
    parts = []
    for runs in dict.fromkeys(curve.runs for curve in curves if curve.runs != mean.runs):
        other = averaged([curve for curve in curves if curve.runs == runs])
        found = turning(other, settings) if other else None
        if isinstance(found, Found):
            parts.append(f"{size(found)} of {listed(list(runs))}")
    return f"; {'; '.join(parts)}" if parts else ""


def with_peak(finding: Finding, found: Found, settings: Settings) -> Finding:
    """Put the contrast of a turning point into a finding."""
    peak = found.peak
    return replace(
        finding,
        effect=peak.effect,
        low=peak.low,
        high=peak.high,
        confidence=settings.confidence,
        p_value=peak.p_value,
    )


def counts(curve: Curve) -> dict[str, object]:
    """What a contrast of checkpoints rests on."""
    n_runs = len(curve.runs)
    runs = f"{n_runs} pre-training runs" if n_runs >= MIN_RUNS else "the pre-training run is taken as it is"
    return {
        "n_checkpoints": len(curve.tokens) * n_runs,
        "n_seeds": len(curve.repeats),
        "covers": f"how checkpoints scatter about a smooth curve, and that the best was picked; {runs}",
    }


def fixed_sentence(
    mean: Curve, found: Found, own: TurningPoint | None, whole: Sequence[Curve], settings: Settings
) -> str:
    """What happens to the text and to the answers, and at which rates."""
    best = human(round(mean.tokens[found.peak.best]))
    text = (
        f"After tuning, the last checkpoint ({human(round(mean.tokens[-1]))} tokens) is at {mean.mean[-1]:.2f} nats a "
        f"token of pre-training text and the best before it ({best}) at {mean.mean[found.peak.best]:.2f}, "
        f"{size(found)}"
    )
    rates = sorted({float(curve.key["learning_rate"]) for curve in whole})
    worse = []
    for rate in rates:
        at = averaged([c for c in whole if c.key["learning_rate"] == rate and c.runs == mean.runs])
        turn = turning(at, settings) if at else None
        if isinstance(turn, Found) and turn.peak.low > settings.smallest_loss:
            worse.append(f"{rate:g}")
    if len(rates) > 1:
        text += f"; by itself at {len(worse)} of {len(rates)} rates" + (f" ({', '.join(worse)})" if worse else "")
    text += of_other_runs(whole, mean, settings)
    if isinstance(own, Found):
        text += f". On the answers tuned for the same contrast is {size(own)}"
    return f"{text}."


def caveats(curves: Sequence[Curve], mean: Curve, whole: Sequence[Curve]) -> list[str]:
    """What to keep in mind: cells that are missing, runs, decay."""
    found = []
    if len(whole) < len(curves):
        left = [curve for curve in curves if not curve.is_whole]
        rates = sorted({f"{curve.key['learning_rate']:g}" for curve in left})
        found.append(f"Left out, since cells diverged or are missing: {len(left)} curves (rates {listed(rates)}).")
    if len(mean.runs) < MIN_RUNS:
        found.append(RUN_ALONE)
    found.append("The learning rate of pre-training may fall with tokens: where it does, its decay is in this too.")
    return found


def turn_row(curve: Curve, keys: Sequence[str], settings: Settings, **more: object) -> dict[str, object]:
    """A row of `details`: the contrast of one curve, and where it turns."""
    found = turning(curve, settings)
    row: dict[str, object] = {**more, **{key: curve.key.get(key) for key in keys}, "runs": listed(list(curve.runs))}
    row |= {"shape": found.kind} | dict.fromkeys(("effect", "low", "high", "turns_at", "not_before", "not_after"))
    if isinstance(found, Refused):
        return row
    row |= {"effect": found.peak.effect, "low": found.peak.low, "high": found.peak.high}
    if found.turn is None:
        return row
    places = {"turns_at": found.turn.place, "not_before": found.turn.low, "not_after": found.turn.high}
    return row | {name: None if place is None else round(float(np.exp(place))) for name, place in places.items()}


def degradation_at_tuned_rate(measurements: pl.DataFrame, cells: pl.DataFrame, settings: Settings) -> Finding:
    """Contrast the last checkpoint with the best before it where each has the rate that is best on validation items.

    Beside it the three other readings of the same grid: fixed rate, equal displacement, equal answer loss.
    """
    grids = [grid for grid in grids_of(measurements, cells, settings) if len(grid.rates) > 1]
    grids = [grid for grid in grids if grid.text[0].key["method"] == settings.method]
    if not grids:
        return undecided(TUNED, f"{settings.method!r} was not tried at several rates with running text measured")
    found = readings(grids, cells)
    mean = averaged(found["tuned"])
    if mean is None or not mean.is_whole:
        return undecided(TUNED, "the cells of the chosen rates are not all there")
    turn = turning(mean, settings)
    blank = replace(TUNED, **counts(mean))
    if isinstance(turn, Refused):
        return undecided(blank, turn.reason)
    details = [
        turn_row(curve, [key for key in TREATED if key in curve.key], settings, reading=name)
        | ({"rate_slope": rate_slope(cells, curve)} if name == "tuned" else {})
        for name, curves in found.items()
        for curve in curves
    ]
    verdict = decide_absence(turn.peak.low, turn.peak.high, smallest=settings.smallest_loss)
    return replace(
        with_peak(blank, turn, settings),
        verdict=verdict,
        statement=tuned_sentence(found, turn, mean, cells, settings),
        caveats=tuple(caveats([c for grid in grids for c in grid.text], mean, found["fixed"])),
        details=tuple(details),
    )


def readings(grids: Sequence[Grid], cells: pl.DataFrame) -> dict[str, list[Curve]]:
    """The four readings of every grid, as far as they can be had; and the answers at the chosen rate."""
    chosen = chosen_rates(cells)
    matched = {"equal displacement": at_equal_displacement, "equal answer loss": at_equal_answer_loss}
    found: dict[str, list[Curve | None]] = {
        "fixed": [curve for grid in grids for curve in fixed(grid)],
        "tuned": [tuned(grid, chosen) for grid in grids],
        "tuned, answers": [tuned_answer(grid, chosen) for grid in grids],
    }
    for name, match in matched.items():
        pairs = [match(grid) for grid in grids]
        found[name] = [pair[0] for pair in pairs if pair]
    return {name: [curve for curve in curves if curve and curve.is_whole] for name, curves in found.items()}


def tuned_sentence(
    found: Mapping[str, Sequence[Curve]], turn: Found, mean: Curve, cells: pl.DataFrame, settings: Settings
) -> str:
    """The four readings side by side, and how the chosen rate moves."""
    parts = []
    for name in ("fixed", "equal displacement", "equal answer loss"):
        other = averaged([curve for curve in found[name] if curve.runs == mean.runs])
        own = turning(other, settings) if other else None
        if isinstance(own, Found):
            parts.append(f"{size(own)} at {'fixed rates' if name == 'fixed' else name}")
    text = f"At the rate chosen for each checkpoint the contrast is {size(turn)}"
    text += f", against {listed(parts)}" if parts else ""
    slopes = [slope for curve in found["tuned"] if (slope := rate_slope(cells, curve)) is not None]
    if slopes:
        slope = float(np.mean(slopes))
        verb = "falls" if slope < 0 else "rises"
        text += f"; the chosen rate {verb} by {abs(slope):.2f} doublings for each doubling of tokens"
    return f"{text}{of_other_runs(found['tuned'], mean, settings)}."


def rate_slope(cells: pl.DataFrame, curve: Curve) -> float | None:
    """Doublings of the chosen rate for a doubling of tokens, of one dataset, method and kind of run.

    The paper sorts datasets by it: where the rate falls fast, it makes up for what checkpoints grow sensitive by.
    """
    own = {name: curve.key[name] for name in ("dataset", "method")}
    chosen = chosen_rates(cells).filter(pl.col("series").is_in(curve.runs), **own)
    logs = chosen.group_by("tokens").agg(rate=pl.col("learning_rate").log(2).mean()).sort("tokens")
    if logs.height < 2:
        return None
    return float(np.polyfit(np.log2(logs["tokens"].to_numpy()), logs["rate"].to_numpy(), 1)[0])

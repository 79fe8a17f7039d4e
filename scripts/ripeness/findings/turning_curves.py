"""Where losses after a change turn over pre-training, in numbers and words; what findings on a turn share."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ripeness.findings.caveats import MIN_RUNS
from ripeness.findings.finding import Finding, Settings, between, listed, signed
from ripeness.findings.over_checkpoints import neighbour_caveats
from ripeness.findings.over_runs import RUN_ALONE
from ripeness.findings.treated_curves import Curve, averaged
from ripeness.runtime.wording import human
from ripeness.stats.turning_points import Found, Refused, TurningPoint, turning_point


def turning(curve: Curve, settings: Settings) -> TurningPoint:
    """Find where a loss turns over log tokens."""
    tokens, values = tuple(map(float, curve.tokens)), tuple(map(tuple, curve.values.tolist()))
    return turning_of(tokens, values, settings.confidence, settings.seed)


@lru_cache(maxsize=1024)
def turning_of(
    tokens: tuple[float, ...], values: tuple[tuple[float, ...], ...], confidence: float, seed: int
) -> TurningPoint:
    """Find where the losses of a curve turn, once for each curve: findings and their robustness ask repeatedly."""
    return turning_point(
        np.log(tokens).tolist(),
        np.array(values),
        better="lower",
        floor=0.0,
        confidence=confidence,
        seed=seed,
        shown=lambda place: f"{human(round(float(np.exp(place))))} tokens",
    )


def size(found: Found) -> str:
    """Write the contrast of the last checkpoint with the best before it."""
    return f"{signed(found.peak.effect)} {between(found.peak.low, found.peak.high)}"


def of_other_runs(curves: Sequence[Curve], mean: Curve, settings: Settings) -> str:
    """Write the same contrast of runs of another kind, such as another schedule; empty where there are none."""
    parts = []
    for runs in dict.fromkeys(curve.runs for curve in curves if curve.runs != mean.runs):
        other = averaged([curve for curve in curves if curve.runs == runs])
        found = turning(other, settings) if other else None
        if isinstance(found, Found):
            parts.append(f"{size(found)} of {listed(list(runs))}")
    return f"; {'; '.join(parts)}" if parts else ""


def counted(curve: Curve, found: TurningPoint) -> Finding:
    """Start a finding with the counts that a contrast of checkpoints rests on."""
    n_runs = len(curve.runs)
    runs = f"{n_runs} pre-training runs" if n_runs >= MIN_RUNS else "the pre-training run is taken as it is"
    alike = f" (correlation of neighbours {found.neighbours.rho:.1f})" if isinstance(found, Found) else ""
    return Finding(
        n_checkpoints=len(curve.tokens) * n_runs,
        n_seeds=len(curve.repeats),
        covers=f"how checkpoints scatter about a smooth curve{alike}, and that the best was picked; {runs}",
    )


def caveats(curves: Sequence[Curve], mean: Curve, whole: Sequence[Curve], turn: Found) -> list[str]:
    """List caveats: neighbours that are alike, cells that are missing, runs, repeats, decay."""
    found = neighbour_caveats(turn.neighbours)
    if len(whole) < len(curves):
        left = [curve for curve in curves if not curve.is_whole]
        rates = sorted({f"{curve.rate:g}" for curve in left})
        found.append(f"Left out, since cells diverged or are missing: {len(left)} curves (rates {listed(rates)}).")
    if len(mean.runs) < MIN_RUNS:
        found.append(RUN_ALONE)
    if len(mean.repeats) == 1:
        found.append("One repeat at each checkpoint: how repeats differ is only in the scatter of checkpoints.")
    found.append("The learning rate of pre-training may fall with tokens: where it does, its decay is in this too.")
    return found


def turn_rows(
    curves: Sequence[Curve], keys: Sequence[str], settings: Settings, **more: object
) -> list[dict[str, object]]:
    """Make the rows of `details` of curves, if the settings want any."""
    return [turn_row(curve, keys, settings, **more) for curve in curves if settings.has_details]


def turn_row(curve: Curve, keys: Sequence[str], settings: Settings, **more: object) -> dict[str, object]:
    """Make a row of `details`: the contrast of one curve, and where it turns."""
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

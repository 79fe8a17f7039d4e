"""Where a curve over pre-training turns: a peak, a bend, a kink, or nothing that the data can tell.

`turning_point` is all that findings need; docs/statistics.md says what each method is for and how it was tried.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ripeness.stats.broken_stick import Stick, broken_stick, line_p
from ripeness.stats.curves import MIN_CHECKPOINTS, ROUNDING, design_of, level, scatter
from ripeness.stats.peaks import Peak, peak_contrast
from ripeness.stats.resampling import holm

MIN_FOR_KINK = 12  # with fewer a kink and a smooth curve fit alike: curvature is all that may be said
ERRORS = 2  # standard errors from the end of a scale within which nothing is judged
NEAR = 0.1  # of the way from the floor of a loss to its worst value, the farthest that still is at the floor
KINDS = ("none", "curvature", "peak", "kink", "refused")


@dataclass(frozen=True)
class TurningPoint:
    """What was found, where, and what was looked at.

    `place` with `low` and `high` is in units of x, and a limit is None where the interval is open. Of a peak it is the
    best checkpoint, with all that may be the best; else where two lines meet. `bend` is "none", "curvature" or "kink",
    beside a peak too. `stick` and `peak` hold the tests; they are None where that was refused, and `statement` says
    why. `reason` is empty but for a refusal as a whole.
    """

    kind: str
    place: float | None = None
    low: float | None = None
    high: float | None = None
    bend: str = "none"
    confidence: float = 0.95
    stick: Stick | None = None
    peak: Peak | None = None
    statement: tuple[str, ...] = ()
    reason: str = ""
    n_checkpoints: int = 0
    n_seeds: int = 0


def turning_point(
    x: Sequence[float],
    values: np.ndarray,
    *,
    better: str,
    floor: float | None = None,
    ceiling: float | None = None,
    se: Sequence[float] | None = None,
    confidence: float = 0.95,
    draws: int = 1999,
    seed: int = 0,
    shown: Callable[[float], str] = "{:.4g}".format,
) -> TurningPoint:
    """Look for a turning point of `values` [checkpoints, seeds] over `x` (log tokens, or rank), which increases.

    `better` is "lower" or "higher". Of scores `ceiling` is where they stop telling models apart (0.95 of accuracy) and
    `floor` what needs no skill (chance); of losses `floor` is the least that is possible and `ceiling` what needs no
    skill. `se` [checkpoints] are standard errors of a mean over items. Seeds that were not measured at every
    checkpoint are left out. `shown` words a place for statements.
    """
    if better not in ("lower", "higher"):
        raise ValueError(f"better is {better!r}, not 'lower' or 'higher'")
    places, values = np.asarray(x, float), np.asarray(values, float)
    if values.ndim != 2 or len(places) != len(values) or (np.diff(places) <= 0).any():
        raise ValueError(f"x must increase and have one place a row of values: {places.shape}, {values.shape}")
    whole = values[:, np.isfinite(values).all(axis=0)]
    said = {"confidence": confidence, "n_checkpoints": len(places), "n_seeds": whole.shape[1]}
    reason = too_little(whole)
    if reason:
        return TurningPoint("refused", reason=reason, statement=(f"No estimate: {reason}.",), **said)
    means, design = whole.mean(axis=1), design_of(tuple(places.tolist()))
    errors = scatter(design, means[:, None]) if se is None else np.asarray(se, float)
    reason, why_no_bend = ends_of_scale(means, np.broadcast_to(errors, means.shape), better, floor, ceiling)
    if reason:
        return TurningPoint("refused", reason=reason, statement=(f"No estimate: {reason}.",), **said)
    drawn = {"confidence": confidence, "draws": draws, "seed": seed}
    least = 0.0 if se is None else float(np.sqrt(np.mean(np.square(errors))))
    peak = peak_contrast(design, means if better == "lower" else -means, least=least, **drawn)
    stick = None
    if not why_no_bend:
        p_line = float(line_p(design, means[:, None], seed=seed)[0])
        stick = broken_stick(design, means, p_line=p_line, may_kink=len(means) >= MIN_FOR_KINK, **drawn)
    kind, bend = kinds_of(peak, stick and stick.p_line, stick and stick.p_kink, confidence)
    return TurningPoint(
        kind,
        *place_of(kind, places, peak, stick),
        bend=bend,
        stick=stick,
        peak=peak,
        statement=(*sentences((kind, bend), places, peak, stick, shown), *([f"{why_no_bend}."] if why_no_bend else [])),
        **said,
    )


def too_little(values: np.ndarray) -> str:
    """Why values [checkpoints, seeds] are too few or too even to judge; empty where they are not."""
    if values.shape[1] == 0:
        return "no seed was measured at every checkpoint"
    if len(values) < MIN_CHECKPOINTS:
        return f"there are {len(values)} checkpoints, and at least {MIN_CHECKPOINTS} are needed"
    means = values.mean(axis=1)
    if np.ptp(means) <= ROUNDING * max(np.abs(means).max(), np.finfo(float).tiny):
        return "all checkpoints have the same value"
    return ""


def ends_of_scale(
    means: np.ndarray, errors: np.ndarray, better: str, floor: float | None, ceiling: float | None
) -> tuple[str, str]:
    """Why means say nothing for being at an end of their scale, and why they say nothing of a bend; empty if neither.

    Near an end a curve bends by itself: of a score that nears 1 before its kink the interval hardly ever held it.
    """
    sign = 1 if better == "higher" else -1
    top, bottom = (ceiling, floor) if better == "higher" else (floor, ceiling)
    best = int((sign * means).argmax())
    if top is not None:
        # Of a score the ceiling is its own margin. Of a loss that scatters much the best is not at the floor for that.
        margin = min(ERRORS * errors[best], NEAR * np.abs(means - top).max()) if better == "lower" else 0.0
        if sign * (means[best] - top) > -margin or means[best] == top:
            name = "ceiling" if better == "higher" else "floor"
            return f"the best checkpoint, {means[best]:.4g}, is at the {name} of the scale ({top:.4g})", ""
    if bottom is None:
        return "", ""
    unskilled = sign * (means - bottom) <= ERRORS * errors
    if unskilled[best]:
        return (
            f"the best checkpoint, {means[best]:.4g}, is within {ERRORS} standard errors of no skill ({bottom:.4g})",
            "",
        )
    if unskilled.any():
        return "", f"A bend is not looked for, since {unskilled.sum()} of {len(means)} checkpoints have no skill"
    return "", ""


def kinds_of(peak: Peak, p_line: float | None, p_kink: float | None, confidence: float) -> tuple[str, str]:
    """What may be said of the whole, and of the bend, which a peak may have as well.

    The two tests are counted as two (Holm), so that something is said of nothing only as often as by one.
    """
    holm_peak, holm_line = holm([peak.p_value if peak.effect > 0 else 1.0, 1.0 if p_line is None else p_line])
    least = level(confidence)
    bend = "none"
    if holm_line <= least:
        bend = "kink" if p_kink is not None and p_kink <= least else "curvature"
    return "peak" if holm_peak <= least else bend, bend


def place_of(
    kind: str, places: np.ndarray, peak: Peak, stick: Stick | None
) -> tuple[float | None, float | None, float | None]:
    """Where it turns, and between which places."""
    if kind == "peak":
        first, last = peak.candidates[0], peak.candidates[-1]
        ends = (float(places[first]) if first > 0 else None, float(places[last]) if last < len(places) - 1 else None)
        return float(places[peak.best]), *ends
    if kind in ("curvature", "kink") and stick is not None:
        return stick.knot, stick.low, stick.high
    return None, None, None


def sentences(
    kinds: tuple[str, str], places: np.ndarray, peak: Peak, stick: Stick | None, shown: Callable[[float], str]
) -> list[str]:
    """What was found in words: the contrast always, then the bend where there is one."""
    kind, bend = kinds
    at = shown(float(places[peak.best]))
    size = f"{peak.effect:+.3g} [{peak.low:+.3g}, {peak.high:+.3g}], p = {peak.p_value:.3g}".replace("-", "−")
    said = [f"The last checkpoint against the best before it (at {at}; positive is worse): {size}."]
    if kind == "peak":
        _, low, high = place_of(kind, places, peak, stick)
        said.append(f"There is a peak: the best checkpoint is {within(low, high, shown)}.")
    said.append(f"Against a curve that never gets worse: p = {peak.p_monotone:.3g}.")
    if stick is None:
        return said
    said.append(f"Against a straight line: p = {stick.p_line:.3g}.")
    if bend != "none":
        met = f"two lines meet at {shown(stick.knot)}, {within(stick.low, stick.high, shown)}"
        said.append(f"There is a kink: {met}." if bend == "kink" else f"The curve bends, and {met}.")
    if stick.p_kink is None:
        said.append(f"With fewer than {MIN_FOR_KINK} checkpoints a kink cannot be told from a smooth curve.")
    else:
        said.append(f"Against a smooth curve: p = {stick.p_kink:.3g}.")
    return said


def within(low: float | None, high: float | None, shown: Callable[[float], str]) -> str:
    """Word an interval, open ends as such."""
    if low is None and high is None:
        return "anywhere"
    if low is None:
        return f"at most {shown(high)} (open below)"
    if low == high:
        return f"at {shown(low)}"
    return f"at least {shown(low)} (open above)" if high is None else f"between {shown(low)} and {shown(high)}"

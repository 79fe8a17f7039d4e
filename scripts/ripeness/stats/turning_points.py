"""Find where a curve over pre-training turns: a peak, a bend, a kink, or nothing that the data can show.

`turning_point` is all that findings need; docs/statistics.md explains each method and how it was tested.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ripeness.stats.broken_stick import Stick, broken_stick, line_p
from ripeness.stats.curves import MIN_CHECKPOINTS, ROUNDING, Design, design_of, residual_sd, significance
from ripeness.stats.neighbours import Neighbours, about_any_curve, kinds_about_any_curve
from ripeness.stats.peaks import Peak, peak_contrast
from ripeness.stats.verdicts import holm

MIN_FOR_KINK = 12  # with fewer a kink and a smooth curve fit alike: curvature is all that may be said
ERRORS = 2  # standard errors from the end of a scale within which nothing is judged
NEAR = 0.1  # of the way from the floor of a loss to its worst value, the farthest that still is at the floor
KINDS = ("none", "curvature", "peak", "kink", "refused")


@dataclass(frozen=True)
class Turn:
    """Where a curve turns, in units of x; a limit is None where the interval is open.

    For a peak `place` is the best checkpoint, with all that may be the best; else two lines meet there.
    """

    place: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Found:
    """An estimate: `kind` of the whole curve ("none", "curvature", "peak" or "kink"), and `bend` next to a peak.

    `turn` is None for "none". `stick` is None where no bend was looked for, and `why_no_bend` says why. `neighbours` is
    how alike neighbouring checkpoints are. `shown` words a place.
    """

    kind: str
    turn: Turn | None
    bend: str
    peak: Peak
    stick: Stick | None
    best_place: float
    n_checkpoints: int
    n_seeds: int
    neighbours: Neighbours
    why_no_bend: str = ""
    shown: Callable[[float], str] = field(default="{:.4g}".format, repr=False, compare=False)

    @property
    def statement(self) -> tuple[str, ...]:
        """State the result in words."""
        why = [f"{self.why_no_bend}."] if self.why_no_bend else []
        return (*sentences(self), *neighbours_said(self.neighbours), *why)


@dataclass(frozen=True)
class Refused:
    """No estimate: the values are too few, too even, or at an end of their scale."""

    reason: str
    n_checkpoints: int
    n_seeds: int

    @property
    def kind(self) -> str:
        """Name the kind, as an estimate does."""
        return "refused"

    @property
    def statement(self) -> tuple[str, ...]:
        """State the reason in one sentence."""
        return (f"No estimate: {self.reason}.",)


TurningPoint = Found | Refused


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
    checkpoint are left out. `shown` words a place for statements. Raises ValueError for other shapes.
    """
    places, whole = complete_curves(x, values, better)
    n_checkpoints, n_seeds = len(places), whole.shape[1]
    reason = too_little(whole)
    if reason:
        return Refused(reason, n_checkpoints, n_seeds)
    means, design = whole.mean(axis=1), design_of(tuple(places.tolist()))
    errors = residual_sd(design, means[:, None]) if se is None else np.asarray(se, float)
    reason, why_no_bend = ends_of_scale(means, np.broadcast_to(errors, means.shape), better, floor, ceiling)
    if reason:
        return Refused(reason, n_checkpoints, n_seeds)
    least = 0.0 if se is None else float(np.sqrt(np.mean(np.square(errors))))
    losses = means if better == "lower" else -means
    near = about_any_curve(tuple(places.tolist()), losses)
    kinds = kinds_about_any_curve(tuple(places.tolist()), losses)
    peak = peak_contrast(design, losses, least=least, confidence=confidence, draws=draws, seed=seed, kinds=kinds)
    stick = None if why_no_bend else bend_of(design, means, confidence=confidence, draws=draws, seed=seed, kinds=kinds)
    p_line, p_kink = (None, None) if stick is None else (stick.p_line, stick.p_kink)
    kind, bend = kinds_of(peak, p_line, p_kink, confidence)
    turn, best = turn_of(kind, places, peak, stick), float(places[peak.best])
    return Found(kind, turn, bend, peak, stick, best, n_checkpoints, n_seeds, near, why_no_bend, shown)


def complete_curves(x: Sequence[float], values: np.ndarray, better: str) -> tuple[np.ndarray, np.ndarray]:
    """Return places and values as arrays, without seeds that lack a checkpoint; ValueError for other shapes."""
    if better not in ("lower", "higher"):
        raise ValueError(f"better is {better!r}, not 'lower' or 'higher'")
    places, values = np.asarray(x, float), np.asarray(values, float)
    if values.ndim != 2 or len(places) != len(values) or (np.diff(places) <= 0).any():
        raise ValueError(f"x must increase and have one place a row of values: {places.shape}, {values.shape}")
    return places, values[:, np.isfinite(values).all(axis=0)]


def bend_of(
    design: Design, means: np.ndarray, *, confidence: float, draws: int, seed: int, kinds: np.ndarray | None = None
) -> Stick:
    """Fit two lines that meet to means [checkpoints], with the tests of a line and, if it can be tested, of a kink.

    The test of a line knows of the `kinds` of noise; the place of the bend and the kink take it as white.
    """
    return broken_stick(
        design,
        means,
        p_line=float(line_p(design, means[:, None], seed=seed, kinds=kinds)[0]),
        confidence=confidence,
        draws=draws,
        seed=seed,
        may_kink=len(means) >= MIN_FOR_KINK,
    )


def too_little(values: np.ndarray) -> str:
    """Say why values [checkpoints, seeds] are too few or too even to judge; empty if they are not."""
    if values.shape[1] == 0:
        return "no seed was measured at every checkpoint"
    if len(values) < MIN_CHECKPOINTS:
        few = "there is 1 checkpoint" if len(values) == 1 else f"there are {len(values)} checkpoints"
        return f"{few}, and at least {MIN_CHECKPOINTS} are needed"
    means = values.mean(axis=1)
    if np.ptp(means) <= ROUNDING * max(np.abs(means).max(), np.finfo(float).tiny):
        return "all checkpoints have the same value"
    return ""


def ends_of_scale(
    means: np.ndarray, errors: np.ndarray, better: str, floor: float | None, ceiling: float | None
) -> tuple[str, str]:
    """Say why means at an end of their scale show nothing, and why they show no bend; empty strings if they do.

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
        return "", f"No bend is looked for, since {unskilled.sum()} of {len(means)} checkpoints have no skill"
    return "", ""


def kinds_of(peak: Peak, p_line: float | None, p_kink: float | None, confidence: float) -> tuple[str, str]:
    """Classify the whole curve, and its bend, which a peak may have as well.

    The two tests are corrected for being two (Holm), so that the error rate is that of one.
    """
    holm_peak, holm_line = holm([peak.p_value if peak.effect > 0 else 1.0, 1.0 if p_line is None else p_line])
    least = significance(confidence)
    bend = "none"
    if holm_line <= least:
        bend = "kink" if p_kink is not None and p_kink <= least else "curvature"
    return "peak" if holm_peak <= least else bend, bend


def turn_of(kind: str, places: np.ndarray, peak: Peak, stick: Stick | None) -> Turn | None:
    """Find where the curve turns, and between which places; None if it does not."""
    if kind == "peak":
        first, last = peak.candidates[0], peak.candidates[-1]
        low = float(places[first]) if first > 0 else None
        high = float(places[last]) if last < len(places) - 1 else None
        return Turn(float(places[peak.best]), low, high)
    if kind in ("curvature", "kink") and stick is not None:
        return Turn(stick.knot, stick.low, stick.high)
    return None


def sentences(found: Found) -> list[str]:
    """State the result in words: the contrast always, then the bend if there is one."""
    peak, stick, bend, shown = found.peak, found.stick, found.bend, found.shown
    at = shown(found.best_place)
    size = f"{peak.effect:+.3g} [{peak.low:+.3g}, {peak.high:+.3g}], p = {peak.p_value:.3g}".replace("-", "−")
    said = [f"The last checkpoint against the best before it (at {at}; positive is worse): {size}."]
    if found.kind == "peak" and found.turn:
        said.append(f"There is a peak: the best checkpoint is {within(found.turn.low, found.turn.high, shown)}.")
    said.append(f"Against a curve that never gets worse: p = {peak.p_monotone:.3g}.")
    if stick is None:
        return said
    said.append(f"Against a straight line: p = {stick.p_line:.3g}.")
    if bend != "none":
        met = f"two lines meet at {shown(stick.knot)}, {within(stick.low, stick.high, shown)}"
        said.append(f"There is a kink: {met}." if bend == "kink" else f"The curve bends, and {met}.")
    if stick.p_kink is None:
        said.append(f"With fewer than {MIN_FOR_KINK} checkpoints a kink cannot be distinguished from a smooth curve.")
    else:
        said.append(f"Against a smooth curve: p = {stick.p_kink:.3g}.")
    return said


def neighbours_said(neighbours: Neighbours) -> list[str]:
    """Say that neighbouring checkpoints are alike beyond the curve, where white noise would seldom be."""
    if not neighbours.is_clear:
        return []
    return [
        f"Neighbouring checkpoints are alike beyond the curve (correlation {neighbours.rho:.1f}); errors allow for it."
    ]


def within(low: float | None, high: float | None, shown: Callable[[float], str]) -> str:
    """Word an interval, open ends as such."""
    if low is None:
        return "anywhere" if high is None else f"at most {shown(high)} (open below)"
    if low == high:
        return f"at {shown(low)}"
    return f"at least {shown(low)} (open above)" if high is None else f"between {shown(low)} and {shown(high)}"

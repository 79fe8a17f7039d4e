"""Where does the loss after a change of fixed size turn? (arXiv 2503.19206, section 3)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, listed, undecided, with_effect
from ripeness.findings.needs import has_cells, has_noise_or_tuned_text
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import NOISE, TREATED, Curve, averaged, grouped, noise_losses, text_losses
from ripeness.findings.turning_curves import caveats, counted, size, turn_rows, turning
from ripeness.runtime.wording import human
from ripeness.stats.turning_points import MIN_FOR_KINK, Found, Refused, Turn


def judge(tables: Tables, settings: Settings) -> Finding:
    """Look for a peak in the loss on pre-training text after noise and after tuning, for every size of the change.

    The verdict is on the mean over sizes of noise in the first normalisation where noise was measured, else on that
    over rates and datasets. Fewer than MIN_FOR_KINK checkpoints never show an inflection point, only a peak.
    """
    noise = [] if tables.sensitivity is None else noise_losses(tables.sensitivity, settings)
    noise = [curve for curve in noise if curve.is_whole]
    tuned = [curve for curve in text_losses(tables.measurements, settings) if curve.is_whole]
    first = next(
        (name for name in ("init", "relative", "absolute") for c in noise if c.key["normalisation"] == name), None
    )
    plain = [curve for curve in tuned if curve.key["method"] == settings.method]
    judged = [curve for curve in noise if curve.key["normalisation"] == first] or plain
    mean = averaged(judged)
    if mean is None:
        return undecided(Finding(), "no loss on running text was measured after noise or tuning")
    found = turning(mean, settings)
    blank = replace(counted(mean, found), figure="sensitivity" if noise else "tuning-loss")
    if isinstance(found, Refused):
        return undecided(blank, found.reason)
    details = turn_rows(noise, NOISE, settings, change="noise")
    details += turn_rows(tuned, TREATED, settings, change="tuning")
    return replace(
        with_effect(blank, found.peak, settings, smallest=settings.smallest_loss),
        statement=sentence(mean, noise, plain, settings, change=f"noise ({first})" if noise else "tuning"),
        caveats=tuple(notes(judged, mean, found)),
        details=tuple(details),
    )


CLAIM = Claim(
    id="turning-point",
    text="Past some point of pre-training, a model that is changed by a fixed amount only gets worse.",
    source="Springer et al., arXiv 2503.19206, sections 1 and 3",
    unit="nats a token after the change, last checkpoint minus the best before it",
    figure="sensitivity",
    needs=(has_cells, has_noise_or_tuned_text),
    judge=judge,
)


def reach(curve: Curve, turn: Turn) -> tuple[float, float]:
    """Find the tokens between which a curve turns: neighbours of all checkpoints that may be best, or the ends."""
    places = np.log(curve.tokens)
    first = 0 if turn.low is None else int(np.abs(places - turn.low).argmin()) - 1
    last = len(places) - 1 if turn.high is None else int(np.abs(places - turn.high).argmin()) + 1
    return float(curve.tokens[max(first, 0)]), float(curve.tokens[min(last, len(places) - 1)])


def doublings(curve: Curve, turn: Turn) -> tuple[float, float, float]:
    """Count the doublings of tokens between the turn of a curve and the last checkpoint, with the least and the most.

    The least is that of a turn as late as possible.
    """
    first, last = reach(curve, turn)
    end = np.log2(curve.tokens[-1])
    return float(end - turn.place / np.log(2)), float(end - np.log2(last)), float(end - np.log2(first))


def apart(curve: Curve, turn: Turn) -> str:
    """Write the doublings between the turn and the last checkpoint with its reach."""
    effect, low, high = doublings(curve, turn)
    return f"{effect:.1f} [{low:.1f}, {high:.1f}]"


def sentence(mean: Curve, noise: Sequence[Curve], tuned: Sequence[Curve], settings: Settings, *, change: str) -> str:
    """Say where the mean curve turns, and where that of each size does."""
    found = turning(mean, settings)
    if isinstance(found, Found) and found.kind == "peak" and found.turn:
        where = human(round(float(np.exp(found.turn.place))))
        low, high = (human(round(end)) for end in reach(mean, found.turn))
        text = f"After {change} the loss is lowest at {where} tokens, and turns between {low} and {high}, "
        text += f"{apart(mean, found.turn)} doublings of tokens before the last checkpoint; "
        text += f"there it is {size(found)} nats a token above the best"
    else:
        text = f"After {change} no turning point can be distinguished from noise"
    parts = []
    for name, curves in (("noise", by_size(noise, "scale", mean)), ("tuning", by_size(tuned, "learning_rate", mean))):
        places = [f"{size:g} at {turned(curve, settings)}" for size, curve in curves.items()]
        if places:
            parts.append(f"{name} of size {listed(places)}" if name == "noise" else f"tuning at rate {listed(places)}")
    return f"{text}. Lowest by size: {'; '.join(parts)}."


def by_size(curves: Sequence[Curve], key: str, mean: Curve) -> dict[float, Curve]:
    """Average curves by size of the change, in the first normalisation that was measured."""
    if not curves:
        return {}
    kind = curves[0].key.get("normalisation")
    kinds = {curve.key.get("normalisation") for curve in curves}
    kind = next((name for name in ("init", "relative", "absolute") if name in kinds), kind)
    own = [curve for curve in curves if curve.key.get("normalisation") == kind and curve.runs == mean.runs]
    sizes = grouped(own, lambda curve: repr(curve.key[key]))
    means = {float(size): averaged(some) for size, some in sizes.items()}
    return {size: curve for size, curve in sorted(means.items()) if curve}


def turned(curve: Curve, settings: Settings) -> str:
    """Name the checkpoint at which a curve is lowest, and say whether that is a peak."""
    found = turning(curve, settings)
    where = human(round(curve.tokens[int(curve.mean.argmin())]))
    return f"{where}{'' if found.kind == 'peak' else ' (no clear turn)'}"


def notes(curves: Sequence[Curve], mean: Curve, turn: Found) -> list[str]:
    """List caveats on the turning point."""
    found = caveats(curves, mean, curves, turn)
    if len(mean.tokens) < MIN_FOR_KINK:
        found.append(f"Fewer than {MIN_FOR_KINK} checkpoints: they can show a bend or a peak, not an inflection point.")
    return found

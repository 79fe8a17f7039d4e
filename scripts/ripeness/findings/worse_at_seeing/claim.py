"""Does a later checkpoint answer worse about pictures, once it is tuned on them? (arXiv 2503.19206, section 2)."""

from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, between, signed, undecided, with_effect
from ripeness.findings.needs import has_cells, has_seeing
from ripeness.findings.over_checkpoints import neighbour_caveats
from ripeness.findings.seeing import judged_stages
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import Curve, answer_losses, averaged, curves_of
from ripeness.findings.turning_curves import counted, size, turning
from ripeness.runtime.wording import human
from ripeness.stats.turning_points import Found, Refused, TurningPoint, turning_point
from ripeness.tables.columns import IS_OWN
from ripeness.tables.intervals import compared, scores

KEYS = ["probe", "dataset", "method"]
CEILING = 0.95  # accuracy from which on it hardly tells models apart


def judge(tables: Tables, settings: Settings) -> Finding:
    """Contrast the last checkpoint with the best before it, on questions about pictures, the mean over datasets."""
    stages = judged_stages(tables.cells, settings)
    if stages is None:
        return undecided(Finding(), "no model with a projector was tuned")
    rows = compared(scores(tables.reported)).filter(IS_OWN, pl.col("format") == pl.col("probe_format"))
    curves = [curve for curve in curves_of(rows.filter(method=stages.second), KEYS, "seed", settings)]
    mean = averaged([curve for curve in curves if curve.is_whole])
    if mean is None:
        return undecided(Finding(), f"{stages.second!r} was not measured at every checkpoint")
    chances = rows.filter(method=stages.second)["chance"].drop_nulls()
    found = turn_of(mean, float(np.mean(chances.to_numpy())) if len(chances) else None, settings)
    blank = counted(mean, found)
    if isinstance(found, Refused):
        return undecided(blank, found.reason)
    losses = [curve for curve in answer_losses(tables.reported, settings) if curve.key["method"] == stages.second]
    return replace(
        with_effect(blank, found.peak, settings),
        statement=sentence(mean, found, stages.second, loss_of(losses, mean, settings)),
        caveats=tuple(caveats(mean, found, len(curves))),
        details=tuple(details(mean)),
    )


CLAIM = Claim(
    id="worse-at-seeing",
    text="Past some point of pre-training, a model that is tuned on pictures answers worse about them.",
    source="Springer et al., arXiv 2503.19206, section 2 (LLaVA), which speaks of OLMo-1B",
    unit="score on questions about pictures after both stages, best checkpoint before the last minus the last",
    figure="seeing",
    needs=(has_cells, has_seeing),
    judge=judge,
)


def turn_of(curve: Curve, chance: float | None, settings: Settings) -> TurningPoint:
    """Find where a score turns over log tokens."""
    return turning_point(
        np.log(curve.tokens).tolist(),
        curve.values,
        better="higher",
        floor=chance,
        confidence=settings.confidence,
        seed=settings.seed,
        shown=lambda place: f"{human(round(float(np.exp(place))))} tokens",
    )


def loss_of(curves: list[Curve], mean: Curve, settings: Settings) -> str:
    """Write the same contrast on the loss of right answers, which has no ceiling; empty where it was not measured."""
    alike = [curve for curve in curves if curve.runs == mean.runs and curve.is_whole]
    parts = {curve.key["dataset"]: curve for curve in alike}
    loss = averaged(list(parts.values())) if len(parts) == len(alike) else None
    found = turning(loss, settings) if loss else None
    return size(found) if isinstance(found, Found) else ""


def sentence(mean: Curve, found: Found, method: str, loss: str) -> str:
    """Say what the last checkpoint and the best before it score, and where the score turns."""
    best, last = found.peak.best, len(mean.tokens) - 1
    text = (
        f"Tuned on pictures ({method}), the last checkpoint ({human(round(mean.tokens[last]))} tokens) scores "
        f"{mean.mean[last]:.2f} and the best before it ({human(round(mean.tokens[best]))}) {mean.mean[best]:.2f}: "
        f"{signed(found.peak.effect)} {between(found.peak.low, found.peak.high)} worse"
    )
    if found.kind == "peak" and found.turn:
        text += f". The score turns at {human(round(float(np.exp(found.turn.place))))} tokens"
    else:
        text += ". No turning point can be distinguished from noise"
    return f"{text}. On the loss of right answers the same contrast is {loss}." if loss else f"{text}."


def caveats(mean: Curve, found: Found, n_curves: int) -> list[str]:
    """List caveats: neighbours that are alike, curves left out, one run, and scores near their ceiling."""
    notes = neighbour_caveats(found.neighbours)
    if mean.mean.max() > CEILING:
        notes.append(
            f"The best score is {mean.mean.max():.2f}: near 1 checkpoints hardly differ, and the loss tells more."
        )
    if n_curves > 1:
        notes.append(f"The mean over {n_curves} datasets, which are taken as they are.")
    notes.append("The rate is the one chosen on validation items, for each checkpoint.")
    return notes


def details(mean: Curve) -> list[dict[str, object]]:
    """Make a row for each checkpoint."""
    return [
        {"tokens": int(tokens), "score": float(value)} for tokens, value in zip(mean.tokens, mean.mean, strict=True)
    ]

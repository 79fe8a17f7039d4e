"""What is learned in pre-training where there are measurements and no items."""

from dataclasses import replace

import numpy as np

from ripeness.findings.finding import Finding, Settings, listed, number, undecided, with_parts
from ripeness.findings.learned_in_pretraining.curves import LAST
from ripeness.findings.learned_in_pretraining.parts import Class, kinds_apart
from ripeness.findings.learned_in_pretraining.sentence import GROUPED_BY_GAP, kind_lacking, sentence_on_learning
from ripeness.findings.study_tables import Tables
from ripeness.findings.trajectories import Trajectory, row_of, trajectories_of
from ripeness.findings.without_items import caveats_of, covers_of, estimated, halves
from ripeness.stats.resampling import Estimate
from ripeness.tables.intervals import compared


def judge(tables: Tables, settings: Settings) -> Finding:
    """Sort datasets into learned, never learned and unclear; see claim.py.

    The standard error of a mean over checkpoints is at most the mean of theirs, whatever items they share. Without
    standard errors datasets are sorted by their scores alone, and nothing is decided.
    """
    measurements = tables.reported
    rows = compared(measurements)
    every = [curve for curve in trajectories_of(rows) if curve.kind != "text"]
    curves = [c for c in every if len(c.values) >= settings.min_checkpoints and not np.isnan(c.floor)]
    if not curves:
        return undecided(
            Finding(caveats=tuple(caveats_of(measurements, settings))),
            f"no dataset is measured at {settings.min_checkpoints} untouched checkpoints, with its chance level or as "
            "generated text",
        )
    classes = [class_of(curve, len(curves), settings) for curve in curves]
    details = [learned_row(curve, one, settings) for curve, one in zip(curves, classes, strict=True)]
    names: dict[str, list[str]] = {}
    several = len({curve.series for curve in curves}) > 1
    for curve, row in zip(curves, details, strict=True):
        names.setdefault(str(row["class"]), []).append(f"{curve.probe} ({curve.series})" if several else curve.probe)
    finding = Finding(
        statement=short(details, names),
        covers=covers_of(measurements, is_tuned=False),
        n_checkpoints=max(len(curve.values) for curve in curves),
        caveats=(*caveats_of(measurements, settings), *left_out(every, curves), *from_first_row(details)),
        details=tuple(details),
    )
    sure = [one for one in classes if not np.isnan(one.above.se)]
    if len(sure) < len(details):
        note = f"{len(details) - len(sure)} of {len(details)} trajectories lack standard errors and are not counted."
        finding = replace(finding, caveats=(*finding.caveats, note))
    if not sure:
        return replace(finding, statement=f"Cannot be decided: there are no standard errors. {finding.statement}")
    if lacking := kind_lacking({one.kind for one in sure}):
        return undecided(finding, f"{lacking}. {finding.statement}".rstrip("."))
    finding = replace(finding, caveats=(*finding.caveats, GROUPED_BY_GAP))
    return with_parts(finding, [kinds_apart(sure, gap_of(sure, settings), settings)], settings)


def short(details: list[dict], names: dict[str, list[str]]) -> str:
    """Write the sentence on what is learned; only numbers where there are more names than a sentence holds."""
    if len(details) <= 12:
        return sentence_on_learning(details, names)
    counted = [f"{len(found)} {kind}" for kind, found in sorted(names.items())]
    return (
        f"Of {len(details)} pairs of series and dataset (score of the later untouched checkpoints against what needs "
        f"no skill) {listed(counted)}."
    )


def left_out(every: list[Trajectory], used: list[Trajectory]) -> list[str]:
    """Warn of trajectories that could not be judged."""
    n = len(every) - len(used)
    why = "too few checkpoints, or no known chance level"
    return [f"{n} of {len(every)} trajectories are not judged: {why}."] if n else []


def from_first_row(details: list[dict]) -> list[str]:
    """Warn of probes that are high in their first row: the table cannot show what came before it."""
    names = sorted({row["dataset"] for row in details if row["class"] == "high from the start"})
    if not names:
        return []
    return [f"High already in the first row of the table: {listed(names)}; what was learned before is not known."]


def class_of(curve: Trajectory, n_curves: int, settings: Settings) -> Class:
    """Classify one dataset of one series as claim.py does; without standard errors by its scores alone.

    Where the floor is the score of a first checkpoint that is trained already, it may lie anywhere from 0 to that.
    """
    early, later = halves(curve.values)
    se_early, se_later = (half.mean() for half in halves(curve.se))
    size = max(min(len(curve.values), 2), len(curve.values) // LAST)
    last, se_last = float(curve.values[-size:].mean()), float(curve.se[-size:].mean())
    shared = replace(settings, confidence=1 - (1 - settings.confidence) / n_curves)
    above = estimated(last - curve.floor, se_last + curve.floor_se, shared)
    rise = estimated(last - float(early.mean()), se_early + se_last, shared)
    low, rise_low = (seen(one.low, one) for one in (above, rise))
    if low > settings.learned_margin:
        return Class(curve.probe, "learned" if rise_low > 0 else "high from the start", above, rise)
    floor, floor_se = (0.0, 0.0) if is_floor_open(curve) else (curve.floor, curve.floor_se)
    levels = ((last, se_last), (float(later.mean()), float(se_later)))
    most = max((estimated(level - floor, se + floor_se, shared) for level, se in levels), key=lambda one: one.effect)
    is_never = seen(most.high, most) < settings.learned_margin
    return Class(curve.probe, "never" if is_never else "unclear", most if is_never else above, rise)


def is_floor_open(curve: Trajectory) -> bool:
    """Say whether the floor is what a first checkpoint scored that is trained already."""
    return curve.floor_name == "first checkpoint" and bool(curve.points[0].tokens)


def seen(limit: float, result: Estimate) -> float:
    """Take a limit of an interval, or the effect where there is no interval."""
    return result.effect if np.isnan(limit) else limit


def learned_row(curve: Trajectory, found: Class, settings: Settings) -> dict[str, object]:
    """Make the row of `details` of one dataset of one series, with its saturation."""
    return row_of(curve, settings) | {
        "dataset": curve.probe,
        "kind": curve.kind,
        "class": found.kind,
        "late": float(halves(curve.values)[1].mean()),
        "above": found.above.effect,
        "low": number(found.above.low),
        "high": number(found.above.high),
        "rise": found.rise.effect,
        "first_tokens": curve.points[0].tokens,
        "se_above": number(found.above.se),
    }


def gap_of(classes: list[Class], settings: Settings) -> Estimate:
    """Estimate the gap between learned and never learned datasets; the error of a mean is at most their mean error."""
    means = {}
    for kind in ("learned", "never"):
        own = [one.above for one in classes if one.kind == kind]
        means[kind] = [float(np.mean([getattr(above, name) for above in own])) for name in ("effect", "se")]
    (learned, se_learned), (never, se_never) = means["learned"], means["never"]
    return estimated(learned - never, se_learned + se_never, settings)

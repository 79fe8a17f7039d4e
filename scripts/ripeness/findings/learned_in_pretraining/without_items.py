"""What is learned in pre-training where there are measurements and no items."""

from dataclasses import replace

import numpy as np
from scipy import special

from ripeness.findings.finding import Finding, Settings, listed, undecided, with_effect
from ripeness.findings.learned_in_pretraining.sentence import GROUPED_BY_GAP, sentence_on_learning
from ripeness.findings.study_tables import Tables
from ripeness.findings.trajectories import Trajectory, row_of, trajectories_of
from ripeness.findings.without_items import caveats_of, covers_of, estimated, halves
from ripeness.stats.resampling import decide
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
    details = [learned_row(curve, len(curves), settings) for curve in curves]
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
    sure = [row for row in details if row["se_above"] is not None]
    if len(sure) < len(details):
        note = f"{len(details) - len(sure)} of {len(details)} trajectories lack standard errors and are not counted."
        finding = replace(finding, caveats=(*finding.caveats, note))
    if not sure:
        return replace(finding, statement=f"Cannot be decided: there are no standard errors. {finding.statement}")
    kinds = {row["class"] for row in sure}
    if {"learned", "never"} <= kinds:
        return with_gap(finding, sure, settings)
    is_uniform = len(sure) > 1 and kinds in ({"learned"}, {"never"})
    return replace(finding, verdict="contradicted" if is_uniform else "undecided")


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


def learned_row(curve: Trajectory, n_curves: int, settings: Settings) -> dict[str, object]:
    """Classify one dataset of one series; the row of `details`, with its saturation."""
    early, later = (float(half.mean()) for half in halves(curve.values))
    se_early, se_late = (float(half.mean()) for half in halves(curve.se))
    z = special.ndtri(1 - (1 - settings.confidence) / n_curves / 2)
    above, se_above = later - curve.floor, se_late + curve.floor_se
    reach, reach_rise = (0.0 if np.isnan(se) else z * se for se in (se_above, se_early + se_late))
    margin = settings.learned_margin
    if above - reach > margin:
        kind = "learned" if later - early - reach_rise > 0 else "high from the start"
    else:
        kind = "never" if above + reach < margin else "unclear"
    distance = (above - margin) / se_above if se_above > 0 else np.inf * np.sign(above - margin)
    is_known = not np.isnan(se_above)
    return row_of(curve, settings) | {
        "dataset": curve.probe,
        "kind": curve.kind,
        "class": kind,
        "late": later,
        "above": above,
        "low": above - reach if is_known else None,
        "high": above + reach if is_known else None,
        "rise": later - early,
        "first_tokens": curve.points[0].tokens,
        "p_learned": float(special.ndtr(-distance)) if is_known else None,
        "p_never": float(special.ndtr(distance)) if is_known else None,
        "se_above": se_above if is_known else None,
    }


def with_gap(finding: Finding, details: list[dict], settings: Settings) -> Finding:
    """Put the gap between learned and never learned datasets into the finding, and the verdict."""
    means, errors = {}, {}
    for kind in ("learned", "never"):
        rows = [row for row in details if row["class"] == kind]
        means[kind] = float(np.mean([row["above"] for row in rows]))
        errors[kind] = float(np.mean([row["se_above"] for row in rows]))
    gap = estimated(means["learned"] - means["never"], errors["learned"] + errors["never"], settings)
    # Both kinds must exist, so that the weaker of the two proofs counts, each the best among all datasets.
    weakest = max(min(row[f"p_{kind}"] for row in details) for kind in ("learned", "never"))
    verdict = decide(gap.low, gap.high, smallest=settings.smallest_effect)
    finding = replace(finding, verdict=verdict, caveats=(*finding.caveats, GROUPED_BY_GAP))
    return replace(with_effect(finding, gap, settings), p_value=min(1.0, weakest * len(details)))

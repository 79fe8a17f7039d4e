"""What findings share where there are measurements and no items, as in published tables; and what is learned there.

Nothing is resampled: an interval is that of standard errors, as wide as any dependence between the numbers could make
it where their items may be the same. Where a number has no standard error there is none.
"""

from dataclasses import replace

import numpy as np
import polars as pl
from scipy import special

from ripeness.findings.caveats import covers, shared_caveats
from ripeness.findings.finding import Finding, Settings, listed, undecided, with_effect
from ripeness.findings.learned_in_pretraining.claim import LEARNED, sentence_on_learning
from ripeness.findings.scores import Point, Scores
from ripeness.findings.trajectories import Trajectory, points_of, row_of, trajectories_of
from ripeness.stats.resampling import Estimate, decide, with_interval
from ripeness.tables.intervals import compared

MANY = 1e9  # degrees of freedom of a standard error over items, of which the number is not known
UNEVEN = 3.0  # times the median distance between checkpoints, in tokens and in their logarithm
TWINS = 0.01  # of the tokens; what differs between two such checkpoints is noise


def estimated(effect: float, se: float, settings: Settings) -> Estimate:
    """Give an effect the normal interval of its standard error; NaN where that is not known."""
    if np.isnan(se):
        return Estimate(effect, *[np.nan] * 6)
    return with_interval(effect, se, df=MANY, confidence=settings.confidence)


def caveats_of(measurements: pl.DataFrame, settings: Settings) -> list[str]:
    """What the checkpoints allow to be said."""
    checkpoints = points_of(measurements)
    return [*shared_caveats(Scores(checkpoints), [], settings), *uneven_caveats(checkpoints)]


def covers_of(measurements: pl.DataFrame, *, is_tuned: bool) -> str:
    """Say in words what an interval covers."""
    tuned = measurements.filter(pl.col("method") != "base")
    n_seeds = tuned.group_by("series", "dataset").agg(n=pl.col("seed").drop_nulls().n_unique())["n"].min() or 0
    text = covers(measurements["series"].n_unique(), 1 if is_tuned else 0)
    seeds = {0: "no tuning seeds are named:", 1: "one tuning seed:"}
    return text.replace(seeds[1], seeds.get(n_seeds, f"{n_seeds} tuning seeds, of which the mean is taken:"))


def uneven_caveats(checkpoints: dict[str, list[Point]]) -> list[str]:
    """Name the series whose checkpoints are uneven in tokens, and neighbours that are all but the same."""
    uneven, twins = [], []
    for series, points in checkpoints.items():
        found = [point for point in points if point.tokens]
        tokens = np.array([point.tokens for point in found], float)
        if len(tokens) < 3:
            continue
        gaps = [np.diff(tokens), np.diff(np.log(tokens))]
        if min(gap.max() / max(np.median(gap), 1e-12) for gap in gaps) > UNEVEN:
            widest = int(np.argmax(gaps[0]))
            uneven.append(f"{series} has none from {tokens[widest]:.3g} to {tokens[widest + 1]:.3g}")
        twins += [
            f"{before.checkpoint} and {after.checkpoint} of {series}"
            for before, after in zip(found, found[1:], strict=False)
            if 0 < after.tokens - before.tokens < TWINS * after.tokens
        ]
    caveats = []
    if uneven:
        more = f", and {len(uneven) - 3} more" if len(uneven) > 3 else ""
        caveats.append(f"Checkpoints are uneven in tokens: {'; '.join(uneven[:3])}{more}.")
    if twins:
        more = f", and {len(twins) - 3} more" if len(twins) > 3 else ""
        caveats.append(
            f"Less than {TWINS:.0%} of their tokens apart: {', '.join(twins[:3])}{more}; "
            "what differs between them is noise of training and measuring."
        )
    return caveats


def halves(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The earlier and the later half of checkpoints; the middle of an odd number is in no half."""
    half = max(1, len(values) // 2)
    return values[:half], values[-half:]


def above_floor(curve: Trajectory) -> float:
    """Mean score of the later half of the checkpoints above the floor."""
    return float(curve.sign * (halves(curve.values)[1].mean() - curve.floor))


def learned_without_items(measurements: pl.DataFrame, settings: Settings) -> Finding:
    """Sort datasets into learned, never learned and unclear; see `learning.learned_in_pretraining`.

    The standard error of a mean over checkpoints is at most the mean of theirs, whatever items they share. Without
    standard errors datasets are sorted by their scores alone, and nothing is decided.
    """
    rows = compared(measurements)
    every = [curve for curve in trajectories_of(rows) if curve.kind != "text"]
    curves = [c for c in every if len(c.values) >= settings.min_checkpoints and not np.isnan(c.floor)]
    if not curves:
        return undecided(
            LEARNED,
            f"no dataset is measured at {settings.min_checkpoints} untouched checkpoints, with its chance level or as "
            "generated text",
            caveats=tuple(caveats_of(measurements, settings)),
        )
    details = [learned_row(curve, len(curves), settings) for curve in curves]
    names: dict[str, list[str]] = {}
    several = len({curve.series for curve in curves}) > 1
    for curve, row in zip(curves, details, strict=True):
        names.setdefault(str(row["class"]), []).append(f"{curve.probe} ({curve.series})" if several else curve.probe)
    finding = replace(
        LEARNED,
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
    """The sentence on what is learned; only numbers where there are more names than a sentence holds."""
    if len(details) <= 12:
        return sentence_on_learning(details, names)
    counted = [f"{len(found)} {kind}" for kind, found in sorted(names.items())]
    return (
        f"Of {len(details)} pairs of series and dataset (score of the later untouched checkpoints against what needs "
        f"no skill) {listed(counted)}."
    )


def left_out(every: list[Trajectory], used: list[Trajectory]) -> list[str]:
    """Caveat on trajectories that could not be judged."""
    n = len(every) - len(used)
    why = "too few checkpoints, or no known chance level"
    return [f"{n} of {len(every)} trajectories are not judged: {why}."] if n else []


def from_first_row(details: list[dict]) -> list[str]:
    """Caveat on probes that are high in their first row: what was before it no table says."""
    names = sorted({row["dataset"] for row in details if row["class"] == "high from the start"})
    if not names:
        return []
    return [f"High from the first row of the table on: {listed(names)}; what was learned before it cannot be told."]


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
    chosen = "Datasets are grouped by the scores that the gap compares, which makes the gap a little too large."
    verdict = decide(gap.low, gap.high, smallest=settings.smallest_effect)
    finding = replace(finding, verdict=verdict, caveats=(*finding.caveats, chosen))
    return replace(with_effect(finding, gap, settings), p_value=min(1.0, weakest * len(details)))

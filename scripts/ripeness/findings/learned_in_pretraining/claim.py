"""Which datasets are learned in pre-training, which never? (Amuro and Char, arXiv 2408.06663, section 5)."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from ripeness.findings.caveats import covers, shared_caveats
from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, listed, number, undecided, with_parts
from ripeness.findings.learned_in_pretraining.parts import Class, kinds_apart
from ripeness.findings.learned_in_pretraining.sentence import (
    GROUPED_BY_GAP,
    kind_lacking,
    n_datasets,
    sentence_on_learning,
)
from ripeness.findings.learned_in_pretraining.without_items import judge as judge_without_items
from ripeness.findings.needs import has_items
from ripeness.findings.pairs import floors, measured_blocks, trend, weights_of
from ripeness.findings.scores import Block, Scores
from ripeness.findings.study_tables import Tables
from ripeness.stats.resampling import Estimate, estimate, grouped_means, kendall, weighted_means


@dataclass(frozen=True)
class Curve:
    """Draws of an untouched series' score on a dataset: late half minus floor, and late minus early half."""

    block: Block
    series: str
    floor_name: str
    floor: float
    scores: np.ndarray  # by checkpoint, as measured
    above: np.ndarray
    rise: np.ndarray
    first_tokens: int | None


def judge(tables: Tables, settings: Settings) -> Finding:
    """Sort datasets into learned, never learned and unclear by the untouched checkpoints of the late half.

    Learned: the interval of the late score lies beyond the floor plus the margin, and late minus early beyond
    0. Never: it lies below floor plus margin. Intervals are simultaneous over datasets (Bonferroni). That both kinds
    exist cannot fall to datasets that are of one kind.
    """
    measurements, scores = tables.floors, tables.scores
    curves = [
        curve
        for block in measured_blocks(scores, settings)
        for curve in curves_of(block, measurements, scores=scores, settings=settings)
    ]
    if not curves:
        need = f"{settings.min_checkpoints} untouched checkpoints and {settings.min_items} test items"
        return undecided(Finding(), f"no dataset is measured at {need}")
    classes = [class_of(curve, len(curves), settings) for curve in curves]
    rows = [learned_row(curve, one) for curve, one in zip(curves, classes, strict=True)]
    names: dict[str, list[str]] = {}
    for curve, row in zip(curves, rows, strict=True):
        names.setdefault(str(row["class"]), []).append(label(curve, scores))
    finding = Finding(
        statement=sentence_on_learning(rows, names),
        covers=covers(len(scores.checkpoints), 0),
        n_checkpoints=max(len(curve.scores) for curve in curves),
        n_items=sum(curve.block.n_items for curve in curves),
        caveats=tuple(shared_caveats(scores, [], settings) + learning_caveats(rows, names, scores)),
        details=tuple(rows),
    )
    alone = "one dataset cannot show that there are two kinds" if n_datasets(rows) == 1 else ""
    if lacking := alone or kind_lacking(names):
        return undecided(finding, f"{lacking}. {finding.statement}".rstrip("."))
    gap = gap_of(curves, rows, n_items=finding.n_items, settings=settings)
    finding = replace(finding, caveats=(*finding.caveats, GROUPED_BY_GAP))
    return with_parts(finding, [kinds_apart(classes, gap, settings)], settings)


CLAIM = Claim(
    id="learned-in-pretraining",
    text="Some datasets are learned in pre-training and others never are.",
    source="Amuro and Char, arXiv 2408.06663, section 5",
    unit="score above the floor, learned minus never learned",
    figure="learned-in-pretraining",
    needs=(has_items,),
    judge=judge,
    judge_without_items=judge_without_items,
)


def gap_of(curves: list[Curve], rows: list[dict], *, n_items: int, settings: Settings) -> Estimate:
    """Estimate the gap between learned and never learned datasets."""
    groups = np.array([{"learned": 1, "never": 0}.get(row["class"], 2) for row in rows])
    means = grouped_means(np.stack([curve.above for curve in curves]), np.ones((len(curves), 1)), groups)
    return estimate(means[1] - means[0], n_items=n_items, confidence=settings.confidence)


def curves_of(block: Block, measurements: pl.DataFrame, *, scores: Scores, settings: Settings) -> list[Curve]:
    """Follow a dataset's score over the untouched checkpoints of each series that has enough of them."""
    weights = weights_of(block, settings)
    floor = floors(block, measurements, scores.checkpoints)
    result = []
    for series, points in scores.checkpoints.items():
        keys = [(series, point.checkpoint, block.format) for point in trend(points)]
        found = [block.base[key] for key in keys if key in block.base]
        if len(found) < settings.min_checkpoints or series not in floor:
            continue
        name, level = floor[series]
        draws = weighted_means(np.stack(found), weights)
        half = len(found) // 2
        last = draws[-half:].mean(axis=0)
        base = weighted_means(level, weights)
        result.append(
            Curve(
                block=block,
                series=series,
                floor_name=name,
                floor=float(base[0]),
                scores=draws[:, 0].copy(),  # a view would keep all draws
                above=last - base,
                rise=last - draws[:half].mean(axis=0),
                first_tokens=next(
                    point.tokens for point, key in zip(trend(points), keys, strict=True) if key in block.base
                ),
            )
        )
    return result


def class_of(curve: Curve, n_curves: int, settings: Settings) -> Class:
    """Classify one dataset."""
    confidence, n_items = 1 - (1 - settings.confidence) / n_curves, curve.block.n_items
    above = estimate(curve.above, n_items=n_items, confidence=confidence)
    rise = estimate(curve.rise, n_items=n_items, confidence=confidence)
    if above.low > settings.learned_margin:
        kind = "learned" if rise.low > 0 else "high from the start"
    else:
        kind = "never" if above.high < settings.learned_margin else "unclear"
    return Class(curve.block.probe, kind, above, rise)


def learned_row(curve: Curve, found: Class) -> dict[str, object]:
    """Make the row of `details` of one dataset."""
    return {
        "series": curve.series,
        "dataset": curve.block.probe,
        "kind": curve.block.kind,
        "class": found.kind,
        "late": float(curve.above[0] + curve.floor),
        "floor": curve.floor,
        "floor_name": curve.floor_name,
        "above": found.above.effect,
        "low": found.above.low,
        "high": found.above.high,
        "rise": found.rise.effect,
        "rise_low": found.rise.low,
        "rise_high": found.rise.high,
        "tau": number(kendall(curve.scores[:, None])[0]),
        "first": float(curve.scores[0]),
        "first_tokens": curve.first_tokens,
        "last": float(curve.scores[-1]),
        "n_items": curve.block.n_items,
    }


def label(curve: Curve, scores: Scores) -> str:
    """Name a dataset, with its series where there are several."""
    return curve.block.probe if len(scores.checkpoints) < 2 else f"{curve.block.probe} ({curve.series})"


def learning_caveats(rows: list[dict], names: dict[str, list[str]], scores: Scores) -> list[str]:
    """List caveats on floors and on datasets that fit neither kind."""
    caveats = []
    below = sorted({row["dataset"] for row in rows if row["high"] < 0 and row["kind"] == "choice"})
    if below:
        caveats.append(f"{listed(below)} below the floor: a fixed preference among answers, which is not ignorance.")
    swinging = sorted({row["dataset"] for row in rows if row["class"] == "unclear"})
    if swinging:
        caveats.append(f"{listed(swinging)} unclear: the interval includes the floor plus the margin.")
    started = [points[0] for points in scores.checkpoints.values() if points[0].tokens]
    if started:
        caveats.append(
            f"The first checkpoint of {listed([p.series for p in started])} is pre-trained already: what it "
            "can do counts as the floor of generated answers, and as no rise."
        )
    if "high from the start" in names:
        caveats.append("A dataset high from the start may have been learned before the first checkpoint.")
    return caveats

"""Which datasets are learned in pre-training, which never? (Amuro and Char, arXiv 2408.06663, section 5)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy import special

from ripeness.findings.caveats import covers, shared_caveats
from ripeness.findings.finding import Finding, Settings, listed, number, undecided, with_effect
from ripeness.findings.pairs import floors, measured_blocks, trend, weights_of
from ripeness.findings.scores import Block, Scores
from ripeness.runtime.wording import human
from ripeness.stats.resampling import decide, estimate, grouped_means, kendall, weighted_means

LEARNED = Finding(
    id="learned-in-pretraining",
    claim="Some datasets are learned in pre-training and others never are.",
    source="Amuro and Char, arXiv 2408.06663, section 5",
    figure="learned-in-pretraining",
    verdict="undecided",
    statement="",
    unit="score above the floor, learned minus never learned",
)


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


def learned_in_pretraining(measurements: pl.DataFrame, scores: Scores, settings: Settings) -> Finding:
    """Sort datasets into learned, never learned and unclear by the untouched checkpoints of the late half.

    Learned: the interval of the late score lies beyond the floor plus the margin, and late minus early beyond
    0. Never: it lies below floor plus margin. Intervals are simultaneous over datasets (Bonferroni). The
    claim is supported if there are both kinds and the gap between them is, contradicted if all of several datasets
    are of one kind.
    """
    curves = [
        curve
        for block in measured_blocks(scores, settings)
        for curve in curves_of(block, measurements, scores=scores, settings=settings)
    ]
    if not curves:
        need = f"{settings.min_checkpoints} untouched checkpoints and {settings.min_items} test items"
        return undecided(LEARNED, f"no dataset is measured at {need}")
    rows = [learned_row(curve, len(curves), settings) for curve in curves]
    names: dict[str, list[str]] = {}
    for curve, row in zip(curves, rows, strict=True):
        names.setdefault(row["class"], []).append(label(curve, scores))
    finding = replace(
        LEARNED,
        statement=sentence_on_learning(rows, names),
        covers=covers(len(scores.checkpoints), 0),
        n_checkpoints=max(len(curve.scores) for curve in curves),
        n_items=sum(curve.block.n_items for curve in curves),
        caveats=tuple(shared_caveats(scores, [], settings) + learning_caveats(rows, names, scores)),
        details=tuple(rows),
    )
    if n_datasets(rows) == 1:
        return finding
    if {"learned", "never"} <= names.keys():
        return with_gap(finding, curves, rows=rows, settings=settings)
    return replace(finding, verdict="contradicted" if names.keys() in ({"learned"}, {"never"}) else "undecided")


def n_datasets(rows: list[dict]) -> int:
    """Datasets, each of which may have a row for each of several series."""
    return len({row["dataset"] for row in rows})


def with_gap(finding: Finding, curves: list[Curve], *, rows: list[dict], settings: Settings) -> Finding:
    """Put the gap between learned and never learned datasets into the finding, and the verdict."""
    groups = np.array([{"learned": 1, "never": 0}.get(row["class"], 2) for row in rows])
    means = grouped_means(np.stack([curve.above for curve in curves]), np.ones((len(curves), 1)), groups)
    gap = estimate(means[1] - means[0], n_items=finding.n_items, confidence=settings.confidence)
    verdict = decide(gap.low, gap.high, smallest=settings.smallest_effect)
    # Both kinds must exist, so that the weaker of the two proofs counts, each the best among all datasets.
    weakest = max(min(row[f"p_{kind}"] for row in rows) for kind in ("learned", "never"))
    chosen = "Datasets are grouped by the scores that the gap compares, which makes the gap a little too large."
    finding = replace(finding, verdict=verdict, caveats=(*finding.caveats, chosen))
    return replace(with_effect(finding, gap, settings), p_value=min(1.0, weakest * len(curves)))


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


def learned_row(curve: Curve, n_curves: int, settings: Settings) -> dict[str, object]:
    """Classify one dataset; the row of `details`."""

    confidence, n_items = 1 - (1 - settings.confidence) / n_curves, curve.block.n_items
    above = estimate(curve.above, n_items=n_items, confidence=confidence)
    rise = estimate(curve.rise, n_items=n_items, confidence=confidence)
    distance = (above.effect - settings.learned_margin) / above.se  # se is never 0, see `estimate`
    if above.low > settings.learned_margin:
        kind = "learned" if rise.low > 0 else "high from the start"
    else:
        kind = "never" if above.high < settings.learned_margin else "unclear"
    return {
        "series": curve.series,
        "dataset": curve.block.probe,
        "kind": curve.block.kind,
        "class": kind,
        "late": float(curve.above[0] + curve.floor),
        "floor": curve.floor,
        "floor_name": curve.floor_name,
        "above": above.effect,
        "low": above.low,
        "high": above.high,
        "rise": rise.effect,
        "rise_low": rise.low,
        "rise_high": rise.high,
        "tau": number(kendall(curve.scores[:, None])[0]),
        "first": float(curve.scores[0]),
        "first_tokens": curve.first_tokens,
        "last": float(curve.scores[-1]),
        "p_learned": float(special.stdtr(above.df, -distance)),
        "p_never": float(special.stdtr(above.df, distance)),
        "n_items": curve.block.n_items,
    }


def label(curve: Curve, scores: Scores) -> str:
    """Name a dataset, with its series where there are several."""
    return curve.block.probe if len(scores.checkpoints) < 2 else f"{curve.block.probe} ({curve.series})"


def sentence_on_learning(rows: list[dict], names: dict[str, list[str]]) -> str:
    """Say how many datasets are learned, with their scores against the floors."""
    kinds = {
        "learned": "learned in pre-training",
        "never": "never learned",
        "high from the start": "above the floor from the first checkpoint on",
        "unclear": "unclear",
    }
    parts = []
    for kind, words in kinds.items():
        found = [row for row in rows if row["class"] == kind]
        scored = [
            f"{name} {row['late']:.2f} against {row['floor']:.2f}{first_seen(row)}"
            for name, row in zip(names.get(kind, []), found, strict=True)
        ]
        if found or kind in ("learned", "never"):
            parts.append(f"{len(found)} {words}" + (f" ({listed(scored)})" if found else ""))
    n = n_datasets(rows)
    several = f"{n} dataset{'' if n == 1 else 's'}"
    of = several if len(rows) == n else f"{len(rows)} trajectories of {several}"
    head = f"Of {of} (score of the later untouched checkpoints against what needs no skill) "
    return f"{head}{listed(parts)}."


def first_seen(row: Mapping[str, object]) -> str:
    """Where the first checkpoint of a dataset that is high there already stands; nothing of others."""
    tokens = row["first_tokens"]
    if row["class"] != "high from the start" or tokens is None:
        return ""
    return f", first measured at {human(int(tokens))} tokens"


def learning_caveats(rows: list[dict], names: dict[str, list[str]], scores: Scores) -> list[str]:
    """Caveats on floors and on datasets that fit neither kind."""
    caveats = []
    if n_datasets(rows) == 1:
        caveats.append("One dataset cannot show that there are two kinds.")
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

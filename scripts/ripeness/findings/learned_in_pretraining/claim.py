"""Which datasets are learned in pre-training, which never? (Amuro and Char, arXiv 2408.06663, section 5)."""

from dataclasses import replace

from ripeness.findings.caveats import covers, shared_caveats
from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, listed, number, undecided, with_parts
from ripeness.findings.learned_in_pretraining.curves import Curve, class_of, curves_of, gap_of, scatter_of
from ripeness.findings.learned_in_pretraining.parts import Class, kinds_apart
from ripeness.findings.learned_in_pretraining.sentence import (
    GROUPED_BY_GAP,
    kind_lacking,
    n_datasets,
    sentence_on_learning,
)
from ripeness.findings.learned_in_pretraining.without_items import judge as judge_without_items
from ripeness.findings.needs import has_items
from ripeness.findings.pairs import measured_blocks
from ripeness.findings.scores import Scores
from ripeness.findings.study_tables import Tables
from ripeness.stats.resampling import kendall


def judge(tables: Tables, settings: Settings) -> Finding:
    """Sort datasets into learned, never learned and unclear by the later untouched checkpoints.

    Learned: the interval of the score at the last quarter lies beyond the floor plus the margin, and that minus the
    earlier half beyond 0. Never: it lies below floor plus margin, and that of the later half too, so that what emerges
    late is not taken for what never does. Intervals are simultaneous over datasets (Bonferroni). That both kinds
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
    scatter = scatter_of(curves)
    classes = [class_of(curve, scatter, len(curves), settings) for curve in curves]
    rows = [learned_row(curve, one) for curve, one in zip(curves, classes, strict=True)]
    names: dict[str, list[str]] = {}
    for curve, row in zip(curves, rows, strict=True):
        names.setdefault(str(row["class"]), []).append(label(curve, scores))
    finding = Finding(
        statement=sentence_on_learning(rows, names),
        covers=covers(len(scores.checkpoints), 0),
        n_checkpoints=max(len(curve.points) for curve in curves),
        n_items=sum(curve.block.n_items for curve in curves),
        caveats=tuple(shared_caveats(scores, [], settings) + learning_caveats(rows, names, scores)),
        details=tuple(rows),
    )
    alone = "one dataset cannot show that there are two kinds" if n_datasets(rows) == 1 else ""
    if lacking := alone or kind_lacking(names):
        return undecided(finding, f"{lacking}. {finding.statement}".rstrip("."))
    gap = gap_of(curves, classes, scatter, settings)
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


def learned_row(curve: Curve, found: Class) -> dict[str, object]:
    """Make the row of `details` of one dataset."""
    scores, floor = curve.above[:, 0] + curve.floor[0], float(curve.floor[0])
    return {
        "series": curve.series,
        "dataset": curve.block.probe,
        "kind": curve.block.kind,
        "class": found.kind,
        "late": float(curve.weights("later") @ scores),
        "floor": floor,
        "floor_name": curve.floor_name,
        "is_floor_known": curve.is_floor_known,
        "above": found.above.effect,
        "low": found.above.low,
        "high": found.above.high,
        "rise": found.rise.effect,
        "rise_low": found.rise.low,
        "rise_high": found.rise.high,
        "tau": number(kendall(scores[:, None])[0]),
        "first": float(scores[0]),
        "first_tokens": curve.points[0].tokens,
        "last": float(scores[-1]),
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
    swinging = sorted({row["dataset"] for row in rows if row["class"] == "unclear" and row["is_floor_known"]})
    if swinging:
        caveats.append(f"{listed(swinging)} unclear: the interval includes the floor plus the margin.")
    started = sorted({row["dataset"] for row in rows if row["class"] == "unclear" and not row["is_floor_known"]})
    if started:
        caveats.append(
            f"{listed(started)} without a class: the first checkpoint is pre-trained already, and what generated "
            "answers score without any training is not known."
        )
    if "high from the start" in names:
        caveats.append("A dataset high from the start may have been learned before the first checkpoint.")
    return caveats

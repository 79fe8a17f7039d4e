"""Does a riper checkpoint need fewer examples for its tuning?

LIMA's reading: what tuning teaches is mostly form, for which a model that knows enough needs few examples (Zhou et al.,
arXiv 2305.11206). If so, the dose that gives half of the gain falls over pre-training.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.claim import Claim
from ripeness.findings.doses import dose_caveats, dose_scores, half_doses
from ripeness.findings.finding import Finding, Settings, listed, times, undecided, with_effect
from ripeness.findings.needs import has_doses
from ripeness.findings.over_checkpoints import (
    courses_of,
    covers_checkpoints,
    estimated,
    neighbour_caveats,
    slope_weights,
)
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import curves_of
from ripeness.runtime.wording import human

LEAST_GAIN = 2  # times the smallest effect: below that, half of it is noise


def judge(tables: Tables, settings: Settings) -> Finding:
    """Estimate how the dose for half of the gain falls with tokens, over checkpoints of datasets that are learned."""
    found = half_doses(dose_scores(tables.reported, tables.cells), LEAST_GAIN * settings.smallest_effect)
    if found.is_empty():
        return undecided(Finding(), "no dataset was tuned on in doses, and asked before and after")
    known = found.drop_nulls("log_dose").rename({"log_dose": "value"})
    curves = curves_of(known, ["dataset", "format", "doses_of"], "seed", settings) if known.height else []
    kept = [curve for curve in curves if curve.is_whole and len(curve.tokens) >= settings.min_checkpoints]
    blank = Finding(
        n_checkpoints=sum(len(c.tokens) * len(c.runs) for c in {curve.runs: curve for curve in kept}.values()),
        n_seeds=found["seed"].n_unique(),
        details=tuple(rows(found)),
        caveats=tuple(dose_caveats(found)),
    )
    if not kept:
        least = settings.min_checkpoints
        return undecided(
            blank, f"no dataset gains enough at {least} trained checkpoints. {sentence(found)}".rstrip(".")
        )
    over = estimated(courses_of(kept, np.negative), slope_weights, confidence=settings.confidence)
    if over.estimate is None:
        return undecided(blank, "one seed of one run gives no estimate of variation between seeds")
    runs = {run for curve in kept for run in curve.runs}
    effect = over.estimate
    return replace(
        with_effect(blank, effect, settings, smallest=settings.smallest_slope),
        statement=f"With twice the tokens the dose for half of the gain is "
        f"{times(-effect.effect, -effect.high, -effect.low)} as large. {sentence(found)}",
        covers=covers_checkpoints(over, len(runs), f"{found['seed'].n_unique()} tuning seeds"),
        caveats=(*blank.caveats, *neighbour_caveats(over.neighbours)),
    )


CLAIM = Claim(
    id="riper-needs-fewer",
    text="The longer a model was pre-trained, the fewer examples it needs for half of the gain from tuning.",
    source="after Zhou et al., arXiv 2305.11206 (LIMA), which speaks of one model",
    unit="exponent: 1 if twice the pre-training tokens halve the dose for half of the gain, 0 if it stays",
    figure="dose",
    needs=(has_doses,),
    judge=judge,
)


def sentence(found: pl.DataFrame) -> str:
    """Say the dose for half of the gain at the first and the last checkpoint of each dataset that has one."""
    known = found.drop_nulls("log_dose")
    means = known.group_by("series", "tokens", "dataset").agg(pl.col("log_dose").mean()).sort("tokens")
    said = []
    for (series, dataset), part in sorted(means.group_by("series", "dataset"), key=lambda pair: str(pair[0])):
        name = f"{series}: {dataset}" if means["series"].n_unique() > 1 else str(dataset)
        ends = [part.row(place, named=True) for place in ((0, -1) if part.height > 1 else (0,))]
        said.append(f"{name} {listed([dose_of(**end) for end in ends])}")
    return f"Examples for half of the gain: {'; '.join(said)}." if said else "No dataset gains enough."


def dose_of(*, log_dose: float, tokens: int, **_: object) -> str:
    """Write the dose at a checkpoint: 32 at 4.1M tokens."""
    return f"{2**log_dose:.0f} at {human(tokens)} tokens"


def rows(found: pl.DataFrame) -> Sequence[dict[str, object]]:
    """Make a row of `details` for each checkpoint, dataset and format: the dose, and what the largest one gains."""
    by = ["series", "checkpoint", "tokens", "dataset", "format", "doses_of"]
    means = found.group_by(by).agg(
        dose=2 ** pl.col("log_dose").mean(), gain=pl.col("gain").first(), how=pl.col("how").first()
    )
    return means.sort(by).to_dicts()

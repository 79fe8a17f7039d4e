"""What does the first stage save in forgetting?

Projector and model are tuned together after a first stage that trained the projector, and without one. A model that
starts with a trained projector may need a smaller change. Both are held at the same loss on the answers, by
interpolation over their rates, since each alone may forget less because it also learns less.
"""

from dataclasses import replace

import polars as pl

from ripeness.findings.aligned import with_halves
from ripeness.findings.by_halves import Question, decided_by
from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, undecided
from ripeness.findings.first_stage_saves.paths import pairs_at_equal_loss
from ripeness.findings.late_differences import LATE, MANY_DATASETS, over_late
from ripeness.findings.needs import has_cells, has_no_first_stage, has_tuned_text
from ripeness.findings.over_checkpoints import covers_checkpoints
from ripeness.findings.seeing import Stages, judged_stages, without_first
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import in_trend
from ripeness.findings.two_estimates import shown
from ripeness.stats.resampling import Estimate
from ripeness.tables.single_numbers import as_number


def judge(tables: Tables, settings: Settings) -> Finding:
    """Average what a first stage keeps of the loss on text over late checkpoints, datasets, formats and seeds."""
    stages = judged_stages(tables.cells, settings)
    without = without_first(tables.cells, stages) if stages else None
    if stages is None or without is None:
        return undecided(Finding(), "no training was done with a first stage and without one")
    pairs = pairs_at_equal_loss(tables.measurements, stages, without)
    known = pairs.drop_nulls("change")
    blank = Finding(n_seeds=pairs["seed"].n_unique(), caveats=tuple(caveats(pairs, stages)))
    if known.is_empty():
        return undecided(blank, "no model reaches an equal loss on the answers with a first stage and without one")
    trend = with_halves(in_trend(known))
    over, late = over_late(trend, settings.confidence), trend.filter("is_late")
    blank = replace(blank, details=tuple({"tokens": tokens, **row} for tokens, row in by_checkpoint(trend)))
    covers = covers_checkpoints(over, late["series"].n_unique(), f"{late['seed'].n_unique()} tuning seeds")
    question = Question(LATE, settings.smallest_loss, lambda saved: sentence(late, saved, stages, without))
    return decided_by(over, trend, question, blank, settings, covers=covers)


CLAIM = Claim(
    id="first-stage-saves",
    text="A first stage that trains the projector alone saves the model from forgetting text.",
    source="after Liu et al., arXiv 2304.08485 (two stages), held at an equal loss as arXiv 2405.09673 does",
    unit="nats a token of pre-training text: without a first stage minus with one, at an equal loss on the answers",
    figure="seeing",
    needs=(has_cells, has_tuned_text, has_no_first_stage),
    judge=judge,
)


def sentence(late: pl.DataFrame, saved: Estimate, stages: Stages, without: Stages) -> str:
    """Say what a first stage saves, and what is lost with one and without one."""
    lost = [as_number(late[name].mean()) for name in ("with", "without")]
    return (
        f"At an equal loss on answers about pictures, over the later half of the checkpoints, the text loss rises by "
        f"{lost[0]:.3f} nats a token after a first stage ({stages.second}) and by {lost[1]:.3f} without one "
        f"({without.second}): the first stage saves {shown(saved)}."
    )


def by_checkpoint(pairs: pl.DataFrame) -> list[tuple[int, dict[str, float]]]:
    """Average what is lost with a first stage and without one, by tokens."""
    means = pairs.group_by("tokens").agg(pl.col("with", "without", "change").mean()).sort("tokens")
    return [(row.pop("tokens"), row) for row in means.to_dicts()]


def caveats(pairs: pl.DataFrame, stages: Stages) -> list[str]:
    """List caveats: cells that cannot be matched, few datasets, and what the first stage costs."""
    notes = [f"The first stage takes {stages.steps:.0f} steps of its own, in which the model does not change."]
    lost = pairs.filter(pl.col("change").is_null()).height
    if lost:
        notes.append(f"{lost} of {pairs.height} pairs are left out: a model does not get below where it started.")
    if pairs["dataset"].n_unique() < MANY_DATASETS:
        notes.append("Fewer than three datasets, which are taken as they are.")
    return notes

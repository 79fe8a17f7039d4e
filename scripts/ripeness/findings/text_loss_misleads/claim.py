"""Does the loss on text of an untouched checkpoint mislead about its tuned score?

Zeng et al. compare models of one size that differ in their pre-training; here they are checkpoints of a run, of which
late ones are as alike as those.
"""

import polars as pl

from ripeness.findings.claim import Claim
from ripeness.findings.indicators.judging import UNIT, has_tuned_scores, judge_of
from ripeness.findings.indicators.readings import TEXT_LOSS
from ripeness.findings.study_tables import Tables
from ripeness.stats.verdicts import NO_HARM


def has_untouched_text(tables: Tables) -> bool:
    """Say whether untouched checkpoints were measured on running text."""
    is_text = (pl.col("method") == "base") & (pl.col("probe_kind") == "text")
    return not tables.measurements.filter(is_text).is_empty()


CLAIM = Claim(
    id="text-loss-misleads",
    text="The loss on text of a checkpoint misleads: it does not tell which of two scores higher after tuning.",
    source="Zeng et al., arXiv 2504.12491, abstract",
    unit=UNIT,
    figure="indicators",
    needs=(has_tuned_scores, has_untouched_text),
    judge=judge_of(lambda indicator: indicator.name == TEXT_LOSS),
    expects=NO_HARM,
)

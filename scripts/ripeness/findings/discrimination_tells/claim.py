"""Does telling right from wrong answers before tuning tell the score after it?

The paper has pairs of answers of its own, and finds a correlation above 0.9 over models; here it is the margin between
right and wrong options, over checkpoints.
"""

import polars as pl

from ripeness.findings.claim import Claim
from ripeness.findings.indicators.judging import UNIT, has_tuned_scores, judge_of
from ripeness.findings.indicators.readings import MARGIN
from ripeness.findings.study_tables import Tables


def has_margin(tables: Tables) -> bool:
    """Say whether the margin of untouched checkpoints was measured."""
    return not tables.measurements.filter(pl.col("method") == "base", pl.col("metric") == "margin").is_empty()


CLAIM = Claim(
    id="discrimination-tells",
    text="How well a checkpoint tells right from wrong answers tells its score after tuning.",
    source="RuDE, arXiv 2605.11978, abstract",
    unit=UNIT,
    figure="indicators",
    needs=(has_tuned_scores, has_margin),
    judge=judge_of(lambda indicator: indicator.name == MARGIN),
)

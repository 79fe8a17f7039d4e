"""Does a short tuning run predict the score after the full one?

The paper predicts runs on one model over data and settings; here the same tuning is predicted over checkpoints. A
method is short if it costs a third of the tuning that is predicted, or less.
"""

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.indicators.judging import UNIT, judge_indicator
from ripeness.findings.needs import has_short_tuning, has_tuned_scores
from ripeness.findings.study_tables import Tables


def judge(tables: Tables, settings: Settings) -> Finding:
    """Hold the share of pairs of checkpoints that it orders right against chance."""
    return judge_indicator(tables, settings, lambda indicator: indicator.is_short_tuning)


CLAIM = Claim(
    id="short-tuning-tells",
    text="A short tuning run predicts which of two checkpoints scores higher after the full one.",
    source="TuneAhead, arXiv 2606.17660, abstract",
    unit=UNIT,
    figure="indicators",
    needs=(has_tuned_scores, has_short_tuning),
    judge=judge,
)

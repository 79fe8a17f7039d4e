"""Does the margin between right and wrong answers before tuning predict the score after it?

The paper has pairs of answers of its own, and finds a correlation above 0.9 over models; here it is the margin between
right and wrong options, over checkpoints.
"""

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.indicators.judging import UNIT, judge_indicator
from ripeness.findings.indicators.readings import MARGIN
from ripeness.findings.needs import has_margin, has_tuned_scores
from ripeness.findings.study_tables import Tables


def judge(tables: Tables, settings: Settings) -> Finding:
    """Hold the share of pairs of checkpoints that it orders right against chance."""
    return judge_indicator(tables, settings, lambda indicator: indicator.name == MARGIN)


CLAIM = Claim(
    id="discrimination-tells",
    text="The margin of a checkpoint between right and wrong answers predicts its score after tuning.",
    source="RuDE, arXiv 2605.11978, abstract",
    unit=UNIT,
    figure="indicators",
    needs=(has_tuned_scores, has_margin),
    judge=judge,
)

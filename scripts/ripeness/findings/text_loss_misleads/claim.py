"""Does the loss on text of an untouched checkpoint mislead about its tuned score?

Zeng et al. compare models of one size that differ in their pre-training; here they are checkpoints of a run, of which
late ones are as alike as those.
"""

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.indicators.judging import UNIT, judge_indicator
from ripeness.findings.indicators.readings import TEXT_LOSS
from ripeness.findings.needs import has_tuned_scores, has_untouched_text
from ripeness.findings.study_tables import Tables
from ripeness.stats.verdicts import NO_HARM


def judge(tables: Tables, settings: Settings) -> Finding:
    """Hold the share of pairs of checkpoints that it orders right against chance."""
    return judge_indicator(tables, settings, lambda indicator: indicator.name == TEXT_LOSS)


CLAIM = Claim(
    id="text-loss-misleads",
    text="The loss on text misleads: it does not predict which of two checkpoints scores higher after tuning.",
    source="Zeng et al., arXiv 2504.12491, abstract",
    unit=UNIT,
    figure="indicators",
    needs=(has_tuned_scores, has_untouched_text),
    judge=judge,
    expects=NO_HARM,
)

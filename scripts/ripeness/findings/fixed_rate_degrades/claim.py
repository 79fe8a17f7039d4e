"""Does the pre-training loss after fine-tuning at a fixed rate rise past a point?"""

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.needs import has_networks
from ripeness.findings.network_tuning import RISE, rise_after_best
from ripeness.findings.networks import SOURCE
from ripeness.findings.study_tables import Tables


def judge(tables: Tables, settings: Settings) -> Finding:
    """Judge the pre-training loss after fine-tuning at each fixed rate, without a pull."""
    rows = tables.simulated["tuned_networks"].filter("is_fixed", pull=0.0)
    return rise_after_best(rows, settings, key=["target", "rate"], value="loss")


CLAIM = Claim(
    id="fixed-rate-degrades",
    text="At a fixed rate, pre-training loss after tuning rises past a point",
    source=SOURCE,
    unit=f"pre-training loss: {RISE}",
    figure="theory-fixed-rate",
    needs=(has_networks,),
    judge=judge,
)

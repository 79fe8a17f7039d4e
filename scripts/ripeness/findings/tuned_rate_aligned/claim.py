"""Does a rate that is tuned for each checkpoint remove the degradation for aligned tasks?"""

from dataclasses import replace

import polars as pl

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.needs import has_networks
from ripeness.findings.network_tuning import RISE, at_ends, rise_after_best, tuned_rows_of
from ripeness.findings.networks import SOURCE
from ripeness.findings.study_tables import Tables
from ripeness.stats.verdicts import NO_HARM


def judge(tables: Tables, settings: Settings) -> Finding:
    """Judge targets with the directions of pre-training and the same signs."""
    networks = tables.simulated["tuned_networks"]
    rows = tuned_rows_of(networks, (pl.col("rotation") == 0) & ~pl.col("is_opposed"))
    finding = rise_after_best(rows, settings, key=["target"], value="task_loss")
    return replace(finding, caveats=(*finding.caveats, *at_ends(rows, networks["rate"])))


CLAIM = Claim(
    id="tuned-rate-aligned",
    text="A tuned rate removes the degradation for aligned tasks",
    source=SOURCE,
    unit=f"loss on the task: {RISE}",
    figure="theory-tuned-rate",
    needs=(has_networks,),
    judge=judge,
    expects=NO_HARM,
)

"""Does a rate that is tuned for each checkpoint leave the degradation of rotated tasks?"""

from dataclasses import replace

import polars as pl

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, signed
from ripeness.findings.needs import has_networks
from ripeness.findings.network_tuning import (
    RISE,
    at_ends,
    rise_after_best,
    rises,
    series_of,
    tuned_rows_of,
)
from ripeness.findings.networks import SOURCE, grid
from ripeness.findings.study_tables import Tables


def judge(tables: Tables, settings: Settings) -> Finding:
    """Judge targets with rotated directions and the same signs; opposed targets are reported and not counted."""
    networks = tables.simulated["tuned_networks"]
    rows = tuned_rows_of(networks, (pl.col("rotation") > 0) & ~pl.col("is_opposed"))
    finding = rise_after_best(rows, settings, key=["target"], value="task_loss")
    opposed = series_of(tuned_rows_of(networks, pl.col("is_opposed")), ["target"])
    more = [f"{name} {signed(float(rises(grid(part, 'task_loss')).mean()))}" for (name,), part in opposed.items()]
    note = (f"Targets of opposite strengths are not counted; their rise at tuned rates: {', '.join(more)}.",)
    ends = at_ends(rows, networks["rate"])
    return replace(finding, caveats=(*finding.caveats, *ends, *(note if more else ())))


CLAIM = Claim(
    id="tuned-rate-rotated",
    text="A tuned rate does not remove the degradation for rotated tasks",
    source=SOURCE,
    unit=f"loss on the task: {RISE}",
    figure="theory-tuned-rate",
    needs=(has_networks,),
    judge=judge,
)

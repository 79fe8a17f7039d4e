"""Do policies of riper checkpoints lose less truth to a reward model?"""

import polars as pl

from ripeness.findings.aligned import NO_CONTROL, balanced, proxy_gaps
from ripeness.findings.by_halves import Question, concluded, diverged, left_out, mean_by
from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, undecided
from ripeness.findings.late_differences import Halves
from ripeness.findings.needs import has_cells, has_control
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import PLACE
from ripeness.findings.two_estimates import shown
from ripeness.stats.resampling import Estimate
from ripeness.study.methods.settings import POLICY

FALL = Halves(-1.0, 1.0)


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare the gap between both rewards at earlier and at later checkpoints."""
    rows, lost = balanced(proxy_gaps(tables.cells))
    blank = Finding(caveats=(*diverged(tables.cells, pl.col("learns") == POLICY), *left_out(lost)))
    if rows.is_empty():
        return undecided(blank, NO_CONTROL)
    blank = Finding(caveats=blank.caveats, details=mean_by(rows, [*PLACE, "dataset", "method"], "change"))

    def sentence(effect: Estimate) -> str:
        return (
            "What texts are worth less by the rule where a reward model rewards them, instead of the rule, is "
            f"{shown(effect)} more at the earlier half of the checkpoints than at the later half."
        )

    return concluded(rows, Question(FALL, settings.smallest_effect, sentence), blank, settings)


CLAIM = Claim(
    id="ripe-overoptimises-less",
    text="The riper a model, the less truth it loses if a reward model rewards it in place of the rule.",
    source="a question of this project",
    unit="worth by the rule lost to a reward model, earlier minus later half of the checkpoints",
    figure="proxy-and-truth",
    needs=(has_cells, has_control),
    judge=judge,
)

"""Does a policy that a reward model rewards end with less truth than one that the rule rewards?

The gap between proxy and gold reward (Gao et al., arXiv 2210.10760), with the rule itself as the control arm.
"""

import polars as pl

from ripeness.findings.aligned import NO_CONTROL, proxy_gaps
from ripeness.findings.by_halves import Question, concluded, diverged, mean_by
from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, undecided
from ripeness.findings.late_differences import LATE
from ripeness.findings.needs import has_cells, has_control
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import PLACE
from ripeness.findings.two_estimates import shown
from ripeness.stats.resampling import Estimate
from ripeness.study.methods.settings import POLICY
from ripeness.tables.single_numbers import as_number


def judge(tables: Tables, settings: Settings) -> Finding:
    """Average the truth that the rule's policies have more, over the later half of the checkpoints."""
    rows, notes = proxy_gaps(tables.cells), tuple(diverged(tables.cells, pl.col("learns") == POLICY))
    if rows.is_empty():
        return undecided(Finding(caveats=notes), NO_CONTROL)
    blank = Finding(caveats=notes, details=mean_by(rows, [*PLACE, "dataset", "method"], *SHOWN))
    before, ours, control = (as_number(rows[name].mean()) for name in ("truth_before", "truth", "truth_of_rule"))
    n_up = rows.filter(pl.col("reward") > pl.col("reward_before")).height
    n_apart = rows.filter(pl.col("reward") > pl.col("reward_before"), pl.col("gain") < 0).height

    def sentence(effect: Estimate) -> str:
        return (
            f"Over the later half of the checkpoints texts of policies that the rule rewards are worth {shown(effect)} "
            f"more by the rule than those of policies that a reward model rewards. Over all checkpoints: {before:.2f} "
            f"before, {control:.2f} by the rule, {ours:.2f} by the reward model, whose reward rose in {n_up} of "
            f"{rows.height} trainings, in {n_apart} of them while the truth fell."
        )

    return concluded(rows, Question(LATE, settings.smallest_effect, sentence), blank, settings)


SHOWN = ("change", "truth_before", "truth", "truth_of_rule", "reward_before", "reward")
CLAIM = Claim(
    id="proxy-overoptimised",
    text="A policy that a reward model rewards writes texts that are worth less by the rule than one rewarded by it.",
    source="Gao et al., arXiv 2210.10760 (over-optimisation of a reward model)",
    unit="worth by the rule, 0 to 1: rewarded by the rule minus rewarded by a model",
    figure="proxy-and-truth",
    needs=(has_cells, has_control),
    judge=judge,
)

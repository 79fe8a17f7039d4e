"""Does forgetting add up along the chain of supervised tuning, preferences and reinforcement?

The loss on text after the last stages, less that after the supervised tuning that they all follow. What stays at the
loss of supervised tuning adds nothing; what is below it has won back what supervised tuning lost.
"""

import polars as pl

from ripeness.findings.aligned import ALIGNED, stages, with_text
from ripeness.findings.by_halves import Question, concluded, diverged, mean_by
from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, listed, signed, undecided
from ripeness.findings.late_differences import LATE
from ripeness.findings.needs import has_cells, has_stages, has_tuned_text
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import PLACE
from ripeness.findings.two_estimates import shown
from ripeness.stats.resampling import Estimate
from ripeness.tables.single_numbers import as_number


def judge(tables: Tables, settings: Settings) -> Finding:
    """Average what later stages add to the loss on text after the first, over the later half of the checkpoints."""
    found = stages(tables.cells)
    is_later = pl.col("learns").is_in(ALIGNED), pl.col("start").is_not_null()
    later, notes = found.filter(*is_later), tuple(diverged(tables.cells, *is_later))
    rows = with_text(later, tables.reported)
    rows = rows.with_columns(
        change=pl.col("text") - pl.col("text_root"), first_stage=pl.col("text_root") - pl.col("text_untouched")
    )
    if rows.is_empty():
        return undecided(Finding(caveats=notes), "no later stage of a chain and its first one were measured on text")
    details = mean_by(rows, [*PLACE, "dataset", "method", "learns"], "change", "first_stage")
    blank = Finding(caveats=notes, details=details)
    of_methods = rows.group_by("method").agg(pl.col("change").mean()).sort("method")

    def sentence(effect: Estimate) -> str:
        each = [f"{name} {signed(change)}" for name, change in of_methods.iter_rows()]
        return (
            f"Over the later half of the checkpoints later stages add {shown(effect)} nats a token to the loss on text "
            f"after the first stage, which adds {signed(as_number(rows['first_stage'].mean()))} to that of the "
            f"checkpoint. Over all checkpoints: {listed(each)}."
        )

    return concluded(rows, Question(LATE, settings.smallest_loss, sentence), blank, settings)


CLAIM = Claim(
    id="stages-add-forgetting",
    text="Forgetting adds up along the chain: later stages lose more text than the supervised tuning that they follow.",
    source="a question of this project",
    unit="nats a token of text that later stages add to the first stage of their chain",
    figure="chain",
    needs=(has_cells, has_tuned_text, has_stages),
    judge=judge,
)

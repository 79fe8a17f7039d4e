"""Does alignment forget more from later checkpoints?

What a stage of preferences or of a policy adds to the loss on text, less what it adds at earlier checkpoints. Later
checkpoints have more to forget; whether they do is the question of overtraining, asked of alignment.
"""

import polars as pl

from ripeness.findings.aligned import ALIGNED, balanced, stages, with_text
from ripeness.findings.by_halves import Question, concluded, diverged, left_out, mean_by
from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, signed, undecided
from ripeness.findings.late_differences import RISE
from ripeness.findings.needs import has_alignment, has_cells, has_tuned_text
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import PLACE
from ripeness.findings.two_estimates import shown
from ripeness.stats.resampling import Estimate
from ripeness.tables.single_numbers import as_number


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare what alignment adds to the loss on text in both halves of the checkpoints."""
    found = stages(tables.cells)
    rows = with_text(found.filter(pl.col("learns").is_in(ALIGNED)), tables.reported)
    rows, lost = balanced(rows.with_columns(change=pl.col("text") - pl.col("text_start")))
    notes = (*diverged(tables.cells, pl.col("learns").is_in(ALIGNED)), *left_out(lost))
    if rows.is_empty():
        return undecided(Finding(caveats=notes), "no alignment and its start were measured on text")
    by = [*PLACE, "dataset", "method", "learns"]
    blank = Finding(caveats=notes, details=mean_by(rows, by, "change", "text", "text_start"))
    added = rows.group_by("tokens").agg(pl.col("change").mean()).sort("tokens")["change"]
    first, last = as_number(added.first()), as_number(added.last())

    def sentence(effect: Estimate) -> str:
        return (
            f"At the later half of the checkpoints alignment adds {shown(effect)} nats a token more to the loss on "
            f"text of its start than at the earlier half ({signed(first)} at the first, {signed(last)} at the last)."
        )

    return concluded(rows, Question(RISE, settings.smallest_loss, sentence), blank, settings)


CLAIM = Claim(
    id="alignment-forgets-later",
    text="Alignment forgets more of the pre-training text from later checkpoints than from earlier ones.",
    source="a question of this project, after Springer et al., arXiv 2503.19206, who ask it of supervised tuning",
    unit="nats a token of text that alignment adds, later minus earlier half of the checkpoints",
    figure="chain",
    needs=(has_cells, has_tuned_text, has_alignment),
    judge=judge,
)

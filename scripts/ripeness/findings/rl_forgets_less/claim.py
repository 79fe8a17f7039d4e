"""Does reinforcement forget less than supervised tuning of the same start?

Both start from the checkpoint, learn the same dataset, and are read on the same text. They do not gain as much: the
sentence says what each gains.
"""

from dataclasses import replace

import polars as pl

from ripeness.findings.aligned import CELL, OF_MODEL, stages, with_text
from ripeness.findings.by_halves import Question, concluded, diverged, mean_by
from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, undecided
from ripeness.findings.late_differences import LATE
from ripeness.findings.needs import has_cells, has_policy_alone, has_tuned_text
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import PLACE
from ripeness.findings.two_estimates import shown
from ripeness.stats.resampling import Estimate
from ripeness.study.methods.settings import ANSWERS, POLICY
from ripeness.tables.single_numbers import as_number

UNEQUAL = "Both are compared as they were trained, and not at an equal gain."


def judge(tables: Tables, settings: Settings) -> Finding:
    """Average the text that supervised tuning loses, less what reinforcement does, over the later checkpoints."""
    found = stages(tables.cells)
    rows = with_text(found.filter(pl.col("start").is_null()), tables.reported)
    rows = rows.with_columns(lost=pl.col("text") - pl.col("text_untouched"))
    tuned = rows.filter(pl.col("learns") == ANSWERS).group_by(OF_MODEL).agg(lost_by_tuning=pl.col("lost").mean())
    pairs = rows.filter(pl.col("learns") == POLICY).join(tuned, on=OF_MODEL)
    pairs = pairs.with_columns(change=pl.col("lost_by_tuning") - pl.col("lost"))
    alone = pl.col("start").is_null(), pl.col("learns").is_in([ANSWERS, POLICY])
    blank = Finding(caveats=(UNEQUAL, *diverged(tables.cells, *alone)))
    if pairs.is_empty():
        return undecided(blank, "no policy and no supervised tuning of the same checkpoint were measured on text")
    blank = replace(blank, details=mean_by(pairs, [*PLACE, "dataset", "method"], "change", "lost", "lost_by_tuning"))

    def sentence(effect: Estimate) -> str:
        return (
            f"Over the later half of the checkpoints reinforcement from the checkpoint loses less text than supervised "
            f"tuning by {shown(effect)} nats a token (less than 0: more).{gains(found, pairs)}"
        )

    return concluded(pairs, Question(LATE, settings.smallest_loss, sentence), blank, settings)


def gains(found: pl.DataFrame, pairs: pl.DataFrame) -> str:
    """Say what the rule gives to texts of the checkpoint, after supervised tuning and after reinforcement alone.

    That after supervised tuning is known of a policy that follows it. Means over datasets, of the same checkpoints.
    """
    at = ["series", "checkpoint", "dataset"]
    alone = found.join(pairs.select(CELL), on=CELL).drop_nulls(["truth", "truth_before"])
    after = found.filter(pl.col("learns") == POLICY, pl.col("start") == pl.col("root")).drop_nulls("truth_before")
    means = alone.group_by(at).agg(pl.col("truth", "truth_before").mean())
    both = means.join(after.group_by(at).agg(tuned=pl.col("truth_before").mean()), on=at)
    if both.is_empty():
        return ""
    each = both.group_by("dataset").agg(pl.col("truth_before", "tuned", "truth").mean())
    before, tuned, now = (f"{as_number(each[name].mean()):.2f}" for name in ("truth_before", "tuned", "truth"))
    return f" The rule gives {before} to texts of the checkpoint, {tuned} after supervised tuning, {now} after this."


CLAIM = Claim(
    id="rl-forgets-less",
    text="Reinforcement from the checkpoint forgets less of the pre-training text than supervised tuning of it.",
    source="Bansal et al., arXiv 2606.04272, abstract (of general skills)",
    unit="nats a token of text: what supervised tuning loses minus what reinforcement loses",
    figure="chain",
    needs=(has_cells, has_tuned_text, has_policy_alone),
    judge=judge,
)

"""The table of metrics. A metric is one entry of METRICS: its name, what its numbers mean, and how it is computed.

Everything else follows from the table: the column of the items, the values that `metric` may have in a task file, the
metric that is primary for a kind of probe, and the bounds and other names under which published tables have it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ripeness.study.scoring.answers import Choice, Text

CHOICE, PREFERENCE, GENERATION, TEXT = "choice", "preference", "generation", "text"
KINDS = (CHOICE, PREFERENCE, GENERATION, TEXT)  # kinds of probes whose metrics are computed here, and not by lm-eval


class Ratio(NamedTuple):
    """A ratio of the sums of two columns over all items, times a factor that gives the unit."""

    above: str
    below: str
    factor: float = 1.0


@dataclass(frozen=True)
class Metric:
    """One metric.

    It is the mean over items of what `of_item` makes of an answer (None: no number), kept in `column` of the items; or
    it is a `ratio` of columns that every prediction of its kind has.
    """

    name: str
    kinds: tuple[str, ...]  # of the probes that have it
    better: str | None  # "higher", "lower", or None where neither is
    lowest: float = -math.inf
    highest: float = math.inf
    primary_of: tuple[str, ...] = ()  # kinds of which it can be the primary metric; the first in the table is the usual
    column: str | None = None
    of_item: Callable[[Any], bool | float | None] | None = None
    is_flag: bool = False  # whether `of_item` gives true or false
    has_floor: bool = False  # whether a blind choice and the commonest answer (`chance`, `majority`) are floors of it
    normalisation: str | None = None  # of options, that a prediction must allow
    ratio: Ratio | None = None
    other_names: tuple[str, ...] = ()  # in published tables


def rouge_l(answer: Text) -> float | None:
    """Compute ROUGE-L with the nearest right text."""
    from ripeness.study.scoring.rouge import rouge_l as nearest  # late, as planning needs no numeric library

    return None if answer.text is None else nearest(answer.text, answer.references, answer.words)


def accuracy(suffix: str, normalisation: str | None, *other_names: str) -> Metric:
    """Make the entry of an accuracy by one normalisation, or by that of the task (None)."""
    return Metric(
        f"accuracy{suffix}", (CHOICE,), better="higher", lowest=0, highest=1, column=f"is_correct{suffix}",
        of_item=partial(Choice.is_right, normalisation=normalisation), is_flag=True, has_floor=True,
        primary_of=(CHOICE,) if normalisation is None else (), normalisation=normalisation, other_names=other_names,
    )  # fmt: skip


def preferred(suffix: str, normalisation: str) -> Metric:
    """Make the entry of the share of pairs whose better answer is more probable, by one normalisation."""
    return Metric(
        f"preferred{suffix}", (PREFERENCE,), better="higher", lowest=0, highest=1, column=f"is_preferred{suffix}",
        of_item=partial(Choice.is_right, normalisation=normalisation), is_flag=True, has_floor=True,
        primary_of=() if suffix else (PREFERENCE,), normalisation=normalisation,
    )  # fmt: skip


# Normalisations are named as in OLMES (arXiv 2406.08446). `primary_of` accuracies by a fixed one is empty: the task's
# key `normalisation` says by which `accuracy` counts.
METRICS = (
    accuracy("", None, "acc"),
    accuracy("_raw", "none"),
    accuracy("_char", "character", "acc_norm"),
    accuracy("_byte", "byte", "acc_bytes"),
    accuracy("_token", "token"),
    accuracy("_pmi", "pmi"),
    preferred("", "none"),
    preferred("_token", "token"),
    Metric("logp_gold", (CHOICE, PREFERENCE), better="higher", highest=0, column="logp_gold",
           of_item=lambda answer: answer.logps[answer.row["gold"]]),
    Metric("margin", (CHOICE, PREFERENCE), better="higher", column="margin", of_item=lambda answer: answer.margin),
    Metric("ties", (CHOICE, PREFERENCE), better=None, lowest=0, highest=1, column="is_tie", is_flag=True,
           of_item=lambda answer: answer.is_tie),
    Metric("rouge_l", (GENERATION,), better="higher", lowest=0, highest=1, column="rouge_l", of_item=rouge_l,
           primary_of=(GENERATION,), other_names=("rougeL", "rouge-l")),
    Metric("exact_match", (GENERATION,), better="higher", lowest=0, highest=1, column="exact_match", is_flag=True,
           of_item=lambda answer: answer.is_exact, primary_of=(GENERATION,)),
    Metric("answer_loss", (CHOICE, PREFERENCE, GENERATION), better="lower", lowest=0, ratio=Ratio("nll", "n_tokens")),
    Metric("bits_per_byte", (TEXT,), better="lower", lowest=0, ratio=Ratio("nll", "n_bytes", 1 / math.log(2)),
           primary_of=(TEXT,), other_names=("bpb",)),
    Metric("loss", (TEXT,), better="lower", lowest=0, ratio=Ratio("nll", "n_tokens")),
)  # fmt: skip
BY_NAME = {metric.name: metric for metric in METRICS}
NORMALISATIONS = [metric.normalisation for metric in METRICS if metric.normalisation and CHOICE in metric.kinds]


def metrics_of(kind: str) -> list[Metric]:
    """List the metrics of a kind of probe; none for tasks of lm-eval, which has its own."""
    return [metric for metric in METRICS if kind in metric.kinds]


def primary_metrics(kind: str) -> list[str]:
    """Name the metrics that can be primary for a kind of probe, the usual one first."""
    return [metric.name for metric in METRICS if kind in metric.primary_of]

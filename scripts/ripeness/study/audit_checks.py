"""The audit: what is checked of a study by itself, how grave it is, and what the study acknowledges.

Light, since the Snakefile reads it: the checks themselves are in grid.py, items.py, prompts.py and results.py of
`ripeness.audit`. Where a check has a source, it is in what Amuro and Char (arXiv 2408.06663) published.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from ripeness.runtime.errors import UserError
from ripeness.study.schema import hint

SEVERITIES = ("fatal", "warning", "note", "passed")
INPUT_STAGES, RESULT_STAGES = ("grid", "items", "prompts"), ("results",)
MOST_PLACES = 5  # that an error lists of one check


class Check(NamedTuple):
    """What a check looks at, how grave it is if something is seen, and why it matters."""

    stage: str
    severity: str
    why: str


@dataclass(frozen=True)
class Remark:
    """One thing that a check has seen; with severity `passed`, that it has seen nothing."""

    check: str
    severity: str
    where: str
    seen: str
    why: str
    is_acknowledged: bool = False
    reason: str = ""


CHECKS = {
    # the grid, from the plan alone
    "uneven-tokens": Check(
        "grid", "warning", "a trend over uneven checkpoints rests on few of them, and what lies in a gap is not seen"
    ),
    "near-identical-checkpoints": Check(
        "grid", "warning", "such checkpoints are one point twice; what differs between them is noise of tuning"
    ),
    "same-weights": Check(
        "grid",
        "fatal",
        "a label is wrong: these are one point of a trend, whatever step and tokens they are said to have",
    ),
    "single-seed": Check(
        "grid", "warning", "seeds of tuning differ by as much as many effects, and one does not show by how much"
    ),
    "single-pretraining-run": Check(
        "grid", "note", "all checkpoints share a seed of pre-training: statements are about this run, not its kind"
    ),
    "mixed-rates": Check(
        "grid", "warning", "datasets tuned at different learning rates differ by that too, not only by what they are"
    ),
    "rate-not-chosen": Check(
        "grid", "note", "one learning rate for all checkpoints suits some better, which reads as an effect of tokens"
    ),
    "test-is-trained-on": Check(
        "grid", "warning", "a model tuned on the very rows that another dataset asks has seen its questions"
    ),
    "tests-share-rows": Check(
        "grid", "note", "datasets that ask the same rows are no independent evidence; an average counts them twice"
    ),
    "no-stop": Check(
        "grid", "warning", "untouched models write on to the last token, so that part of a gain is learning to end"
    ),
    # items as they were drawn
    "unlabelled-gold": Check(
        "items",
        "fatal",
        "the mark of an unlabelled split is taken for an answer: the score says how often that is given",
    ),
    "constant-gold": Check(
        "items", "fatal", "where all test items have one answer, a model that always gives it is perfect"
    ),
    "constant-place": Check(
        "items", "warning", "where the right option always comes first, the place gives it away to who sees a list"
    ),
    "label-without-gold": Check(
        "items", "fatal", "models are scored against a label that no item can have; to choose it is always wrong"
    ),
    "label-not-in-test": Check(
        "items", "warning", "what is tuned on has a label that is never asked; the test measures another task"
    ),
    "skewed-gold": Check("items", "note", "an accuracy near the share of one answer can be had without reading"),
    "shots-scored": Check(
        "items", "fatal", "who is shown the answers of test items and then asked them is not tested on them"
    ),
    "overlap": Check("items", "fatal", "test items that are also trained on or chosen by measure memory"),
    "near-duplicates": Check(
        "items", "warning", "test items that differ from trained ones by case or signs alone may be remembered"
    ),
    "duplicates": Check("items", "warning", "items that are there twice count twice, and errors are understated"),
    "contradictory-gold": Check("items", "warning", "one question with two right answers: no model can be perfect"),
    "asked-elsewhere": Check(
        "items", "warning", "a model tuned on one dataset is measured on another whose questions it has trained on"
    ),
    "equal-options": Check(
        "items", "warning", "options of one text are one option: each copy of the right one counts as right"
    ),
    "words-unseen": Check(
        "items",
        "warning",
        "ROUGE-L of English words sees nothing of them: an exact copy has 0; `rouge_words: any` does",
    ),
    "fewer-items": Check("items", "warning", "intervals are wider, and tunings shorter, than the study says"),
    # prompts as models read them
    "constant-prompt": Check(
        "prompts", "fatal", "whoever reads the same words before every answer learns and shows nothing but their shares"
    ),
    "glued-prompt": Check(
        "prompts", "warning", "nothing says where the question ends: the format is confounded with the lack of a sign"
    ),
    "glued-fields": Check("prompts", "warning", "texts run into each other without white space, as no reader writes"),
    "glued-shots": Check("prompts", "warning", "nothing but a space or less stands between the examples of a prompt"),
    "item-too-long": Check("prompts", "fatal", "the item does not fit into the model even alone; its job would fail"),
    "context-overflow": Check(
        "prompts", "warning", "prompts outgrow the window: whole shots are left out, more of long items than of short"
    ),
    "shared-first-token": Check(
        "prompts", "note", "by the first token alone these answers could not be told apart; whole answers are scored"
    ),
    "trailing-space": Check(
        "prompts", "note", "a space at the end of a prompt belongs to the answer's first token, and is moved there"
    ),
    # results
    "diverged-cells": Check("results", "warning", "what is left of a method are the cells that went well"),
    "missing-cells": Check("results", "warning", "an average over what is there compares different sets of cells"),
    "tiny-base": Check(
        "results", "warning", "a ratio to almost nothing is as large as one likes, and carries any mean of ratios"
    ),
    "no-forgetting-at-chance": Check(
        "results", "warning", "who knew no more than chance had nothing to forget: no loss is no evidence"
    ),
    "below-majority": Check(
        "results",
        "warning",
        "worse than guessing: a label it cannot have, answers read wrongly, or a task learned upside down",
    ),
    "perhaps-one-label": Check(
        "results",
        "warning",
        "where all answers are one label, who always gives it is perfect: such a probe says nothing of what is learned",
    ),
    "no-number": Check(
        "results",
        "warning",
        "what is NaN or infinite is neither right nor wrong: the measurement is null as a whole",
    ),
    "tied-options": Check("results", "warning", "of equal options the first counts, whatever the model thinks"),
    "one-answer": Check("results", "note", "the model says the same to every item: its accuracy is a share of labels"),
}


def remark(check: str, where: str, seen: str, *, severity: str | None = None) -> Remark:
    """A remark of a check; `severity` where it is not the check's own."""
    return Remark(check, severity or CHECKS[check].severity, where, seen, CHECKS[check].why)


def check_acknowledged(acknowledged: Mapping[str, str]) -> None:
    """Refuse an acknowledgement that names no check."""
    for name in acknowledged:
        if name not in CHECKS:
            near = hint(name, list(CHECKS), otherwise="the report's section Audit shows the names")
            raise UserError(f"audit.acknowledge: there is no check {name!r}; there are {', '.join(CHECKS)}\n{near}")


def with_passed(remarks: Iterable[Remark], ran: Iterable[str], acknowledged: Mapping[str, str]) -> list[Remark]:
    """The remarks with what the study says of them, a row for each check that saw nothing, the gravest first.

    An acknowledgement that nothing needs is a note.
    """
    rows = [
        replace(row, is_acknowledged=row.check in acknowledged, reason=acknowledged.get(row.check, ""))
        for row in remarks
    ]
    seen = {row.check for row in rows}
    for name in ran:
        if name in seen:
            continue
        if name in acknowledged:
            said = f"acknowledged ({acknowledged[name]}), but nothing was seen: no longer needed"
            rows.append(Remark(name, "note", "audit.acknowledge", said, CHECKS[name].why))
        else:
            rows.append(Remark(name, "passed", "", "", CHECKS[name].why))
    order = list(CHECKS)
    return sorted(rows, key=lambda row: (SEVERITIES.index(row.severity), order.index(row.check), row.where))


def refusal(rows: Iterable[Remark]) -> UserError | None:
    """The error that ends a study with fatal remarks that it does not acknowledge: one for each check; None without."""
    found: dict[str, list[Remark]] = {}
    for row in rows:
        if row.severity == "fatal" and not row.is_acknowledged:
            found.setdefault(row.check, []).append(row)
    errors = []
    for check, remarks in found.items():
        places = [f"{row.where}: {row.seen}" for row in remarks[:MOST_PLACES]]
        if len(remarks) > MOST_PLACES:
            places.append(f"and {len(remarks) - MOST_PLACES} more")
        errors.append(
            f"the audit stops the study at {check!r}: {'; '.join(places)}; {CHECKS[check].why}\n"
            f'hint: mend it, or say why it is meant: audit: {{acknowledge: {{{check}: "the reason"}}}}'
        )
    # each further error begins like the first, before which the program puts the word
    return UserError("\nerror: ".join(errors)) if errors else None


def as_rows(rows: Iterable[Remark]) -> list[dict[str, object]]:
    """Remarks as rows of ripeness.tables.columns.AUDIT."""
    return [asdict(row) | {"stage": CHECKS[row.check].stage} for row in rows]


def counted(n: int, noun: str) -> str:
    """A number with its noun: 1 item, 2 items."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"

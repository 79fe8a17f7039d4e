"""Define the checks of the audit: their severity, their reason, and what a study acknowledges.

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
    """What a check looks at, how grave it is if something is seen, why it matters, and what to do where it is fatal."""

    stage: str
    severity: str
    why: str
    way: str = "fix it"


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
        "grid",
        "warning",
        "a trend over uneven checkpoints rests on few of them, and changes within a gap are not visible",
    ),
    "near-identical-checkpoints": Check(
        "grid", "warning", "such checkpoints are nearly the same point; differences between them are noise of tuning"
    ),
    "same-weights": Check(
        "grid",
        "fatal",
        "a label is wrong: these checkpoints are one point of a trend, whatever their steps and tokens",
    ),
    "single-seed": Check(
        "grid", "warning", "tuning seeds differ by as much as many effects, and a single seed does not show by how much"
    ),
    "single-pretraining-run": Check(
        "grid",
        "note",
        "all checkpoints share one pre-training seed: results are about this run, not about such runs in general",
    ),
    "mixed-rates": Check(
        "grid",
        "warning",
        "datasets tuned at different learning rates also differ by the rate, not only by their content",
    ),
    "rate-not-chosen": Check(
        "grid",
        "note",
        "one learning rate for all checkpoints suits some better than others, which looks like an effect of tokens",
    ),
    "model-stays": Check(
        "grid",
        "note",
        "on other datasets and on text such a model is the untouched checkpoint: these cells are not made (n/a)",
    ),
    "test-is-trained-on": Check(
        "grid", "warning", "a model tuned on the very rows that another dataset tests has seen the questions"
    ),
    "tests-share-rows": Check(
        "grid", "note", "datasets with the same test rows are not independent evidence; an average counts them twice"
    ),
    "no-stop": Check(
        "grid", "warning", "untouched models generate up to the token limit, so that part of a gain is learning to stop"
    ),
    # items as they were drawn
    "unlabelled-gold": Check(
        "items",
        "fatal",
        "the mark of an unlabelled split is used as an answer: the score is only the share of that answer",
    ),
    "constant-gold": Check(
        "items", "fatal", "all test items have the same answer, so that a model which always gives it is perfect"
    ),
    "constant-place": Check(
        "items", "warning", "the right option is always at the same position, which gives it away in a list"
    ),
    "label-without-gold": Check(
        "items", "fatal", "models are scored against a label that no item has; choosing it is always wrong"
    ),
    "label-not-in-test": Check(
        "items", "warning", "the training data have a label that the test never uses; the test measures another task"
    ),
    "skewed-gold": Check("items", "note", "an accuracy near the share of one answer needs no reading"),
    "shots-scored": Check("items", "fatal", "a model that is shown the answers of test items is not tested on them"),
    "overlap": Check("items", "fatal", "test items that are also used for training or selection measure memory"),
    "near-duplicates": Check(
        "items", "warning", "test items that differ from training items only by case or punctuation may be remembered"
    ),
    "duplicates": Check("items", "warning", "duplicate items count twice, and errors are underestimated"),
    "contradictory-gold": Check("items", "warning", "one question has two right answers: no model can be perfect"),
    "asked-elsewhere": Check(
        "items", "warning", "a model tuned on one dataset is tested on another with questions from its training data"
    ),
    "equal-options": Check(
        "items", "warning", "options with the same text are one option: each copy of the right one counts as right"
    ),
    "words-unseen": Check(
        "items",
        "warning",
        "ROUGE-L of English words ignores these texts: even an exact copy scores 0; use `rouge_words: any`",
    ),
    "fewer-items": Check(
        "items",
        "warning",
        "intervals are wider, and trainings shorter, than the study says",
        way="give it more rows, ask for fewer with `items`",
    ),
    # prompts as models read them
    "constant-prompt": Check(
        "prompts",
        "fatal",
        "with the same prompt before every answer, a model learns and shows only the shares of the answers",
    ),
    "glued-prompt": Check(
        "prompts",
        "warning",
        "nothing separates question and answer: the effect of the format is mixed with that of a missing separator",
    ),
    "glued-fields": Check("prompts", "warning", "texts run into each other without white space, unlike natural text"),
    "glued-shots": Check("prompts", "warning", "at most a space separates the examples of a prompt"),
    "item-too-long": Check(
        "prompts", "fatal", "the item alone does not fit into the context window; its job would fail"
    ),
    "context-overflow": Check(
        "prompts",
        "warning",
        "prompts exceed the context window: whole shots are dropped, more of long items than of short ones",
    ),
    "shared-first-token": Check(
        "prompts", "note", "these answers share their first token; whole answers are scored, which tells them apart"
    ),
    "merged-prompt": Check(
        "prompts",
        "warning",
        "the end-of-text token is read before some answers to a prompt and not before others: they do not compare",
    ),
    "unread-signs": Check(
        "prompts",
        "warning",
        "signs that the tokenizer does not know vanish or are all alike for the model: texts that differ are the same",
    ),
    "trailing-space": Check(
        "prompts", "note", "a space at the end of a prompt belongs to the first token of the answer, and is moved there"
    ),
    # results
    "diverged-cells": Check("results", "warning", "only cells that did not diverge represent the method"),
    "not-tuned": Check(
        "results",
        "warning",
        "a training of a single step, which warm-up takes at rate 0, leaves the untouched model: its gains say nothing",
    ),
    "doubtful-preferences": Check(
        "results",
        "warning",
        "what a start hardly ever says can hardly be preferred, and a model for which both answers are improbable "
        "says something else: a mean over such cells hides both",
    ),
    "doubtful-policies": Check(
        "results",
        "warning",
        "what a start hardly ever draws can hardly be rewarded, and a reward that rises while its truth falls is that "
        "of wrong texts: a mean over such cells hides both",
    ),
    "reward-at-chance": Check(
        "results", "warning", "a reward that does not tell better from worse answers teaches nothing"
    ),
    "missing-cells": Check(
        "results", "warning", "an average over the available cells compares different sets of cells"
    ),
    "tiny-base": Check(
        "results", "warning", "a ratio to almost zero is arbitrarily large, and dominates any mean of ratios"
    ),
    "no-forgetting-at-chance": Check(
        "results", "warning", "a model at chance level has nothing to forget: no loss is not evidence"
    ),
    "below-majority": Check(
        "results",
        "warning",
        "worse than guessing: a label that cannot occur, answers parsed wrongly, or a task learned inverted",
    ),
    "perhaps-one-label": Check(
        "results",
        "warning",
        "if all answers are one label, always giving it is perfect: such a probe does not show what is learned",
    ),
    "no-number": Check(
        "results",
        "warning",
        "NaN or infinite values are neither right nor wrong: the whole measurement is null",
    ),
    "tied-options": Check("results", "warning", "of equal options the first counts, regardless of the model"),
    "one-answer": Check(
        "results", "note", "the model gives the same answer to every item: its accuracy is the share of one label"
    ),
}


def remark(check: str, where: str, seen: str, *, severity: str | None = None) -> Remark:
    """Return a remark of a check; `severity` where it is not the check's own."""
    return Remark(check, severity or CHECKS[check].severity, where, seen, CHECKS[check].why)


def check_acknowledged(acknowledged: Mapping[str, str]) -> None:
    """Refuse an acknowledgement that names no check."""
    for name in acknowledged:
        if name not in CHECKS:
            near = hint(name, list(CHECKS), otherwise="the report's section Audit shows the names")
            raise UserError(f"audit.acknowledge: unknown check {name!r}; known are {', '.join(CHECKS)}\n{near}")


def with_passed(remarks: Iterable[Remark], ran: Iterable[str], acknowledged: Mapping[str, str]) -> list[Remark]:
    """Return the remarks with what the study says of them, a row for each check that saw nothing, the gravest first.

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
            said = f"acknowledged ({acknowledged[name]}), but nothing was found: no longer needed"
            rows.append(Remark(name, "note", "audit.acknowledge", said, CHECKS[name].why))
        else:
            rows.append(Remark(name, "passed", "", "", CHECKS[name].why))
    order = list(CHECKS)
    return sorted(rows, key=lambda row: (SEVERITIES.index(row.severity), order.index(row.check), row.where))


def refusal(rows: Iterable[Remark]) -> UserError | None:
    """Make the error that ends a study with fatal remarks that it does not acknowledge: one for each check.

    None without.
    """
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
            f"hint: {CHECKS[check].way}, or acknowledge it with a reason: "
            f'audit: {{acknowledge: {{{check}: "the reason"}}}}'
        )
    # each further error begins like the first, before which the program puts the word
    return UserError("\nerror: ".join(errors)) if errors else None


def as_rows(rows: Iterable[Remark]) -> list[dict[str, object]]:
    """Return remarks as rows of ripeness.tables.columns.AUDIT."""
    return [asdict(row) | {"stage": CHECKS[row.check].stage} for row in rows]


def counted(n: int, noun: str) -> str:
    """Return a number with its noun: 1 item, 2 items."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"

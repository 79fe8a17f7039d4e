"""Say how a task reads the right answer of a user's rows: an option of the row, one of a few labels, or a text."""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from ripeness.data.row_values import asked_for
from ripeness.runtime.errors import UserError
from ripeness.study.tasks import value_text

MOST_LABELS = 20
ROWS_A_LABEL = 5  # at least, on average; fewer are answers of their own
LONG_WORDS = 5  # of a typical answer; longer ones are compared by their words
MOST_NEW_TOKENS = 256
BY_LETTER = "write the right answers as letters, A for the first option"
Rows = Sequence[Mapping[str, Any]]


def answered(rows: Rows, answer: str, options: str | None) -> dict[str, Any]:
    """Return the keys of a task on the answer; UserError for rows without one, or one that cannot be told."""
    values = [row.get(answer) for row in rows]
    if n := sum(value is None or value == [] for value in values):
        raise UserError(f"{answer}: {n} of {len(rows)} rows have no answer\nhint: leave them out of the file")
    if odd := [value for value in values if isinstance(value[0] if isinstance(value, list) else value, dict | list)]:
        raise UserError(
            f"{answer}: {odd[0]!r:.80} is no answer\n"
            "hint: save the rows with a text, a number or a list of right texts in this column"
        )
    if options is not None:
        place = place_in(answer, values, [[value_text(one) for one in row[options]] for row in rows])
        return {"kind": "choice", "options": options, "answer": place, "metric": "accuracy"}
    if (labels := labels_in(answer, values)) is not None:
        return {"kind": "choice", "label": answer, "labels": labels, "metric": "accuracy"}
    return {"kind": "generation", "target": answer, **length_of(values)}


def place_in(answer: str, values: Sequence[Any], options: Sequence[Sequence[str]]) -> str:
    """Return the column, or the expression, that gives the place of the right option among those of its row.

    The answers may be options, letters, or places from 0 or from 1. UserError where two of these can be meant.
    """
    texts, asked = [value_text(value).strip() for value in values], asked_for(answer)
    both = list(zip(texts, options, strict=True))
    is_option = all(text in map(str.strip, among) for text, among in both)
    places = [int(text) for text in texts] if all(text.isdecimal() for text in texts) else None
    n_options = [len(among) for among in options]
    from_0 = places is not None and all(place < n for place, n in zip(places, n_options, strict=True))
    from_1 = places is not None and all(0 < place <= n for place, n in zip(places, n_options, strict=True))
    if is_option and (from_0 or from_1):
        raise UserError(f"{answer}: {texts[0]!r} is an option, and can be the place of one\nhint: {BY_LETTER}")
    if from_0 and from_1:
        raise UserError(
            f"{answer}: from 0, the first option is never right, and from 1, the last one never is\nhint: {BY_LETTER}"
        )
    if is_option:
        return f"{{{{ options.index({asked}{'' if all(isinstance(one, str) for one in values) else ' | string'}) }}}}"
    if from_0:
        return f"{{{{ {asked} | int }}}}" if any(isinstance(value, float) for value in values) else answer
    if from_1:
        return f"{{{{ {asked} | int - 1 }}}}"
    if all(text in ascii_uppercase[:n] and len(text) == 1 for text, n in zip(texts, n_options, strict=True)):
        return f"{{{{ '{ascii_uppercase}'.index({asked}) }}}}"
    wrong = next(text for text, among in both if text not in map(str.strip, among))
    raise UserError(
        f"{answer}: {wrong!r:.60} is not one of the options of its row, and not always a place or a letter\n"
        f"hint: {BY_LETTER}"
    )


def labels_in(answer: str, values: Sequence[Any]) -> dict[str, str] | None:
    """Return the labels with their words; None for answers that are no labels. UserError for two that are alike."""
    if any(isinstance(value, list) for value in values):
        return None
    labels = sorted({value_text(value) for value in values})
    if not 2 <= len(labels) <= MOST_LABELS or len(values) < ROWS_A_LABEL * len(labels):
        return None
    seen: dict[str, str] = {}
    for label in labels:
        if (other := seen.setdefault(plain_label(label), label)) != label:
            raise UserError(
                f"{answer}: {other!r} and {label!r} are two labels, and look like one\n"
                "hint: write them alike in the file, or give them words that differ"
            )
    return {label: f" {label.strip()}" for label in labels}


def plain_label(label: str) -> str:
    """Write a label without what people write in several ways: capitals, white space, and 1.0 for 1."""
    word = label.strip().casefold()
    try:
        return f"{float(word):g}"
    except ValueError:
        return word


def length_of(values: Sequence[Any]) -> dict[str, Any]:
    """Return how generated answers are compared, how long they are, and what ends them."""
    answers = [value_text(value[0] if isinstance(value, list) else value) for value in values]
    typical = sorted(len(text.split()) for text in answers)[len(answers) // 2]
    n_tokens = min(MOST_NEW_TOKENS, max(16, max(map(len, answers)) // 2))
    metric = "rouge_l" if typical > LONG_WORDS else "exact_match"
    stop = "" if any("\n" in text.strip() for text in answers) else "\n"
    return {"metric": metric, "max_new_tokens": n_tokens, "stop": stop}

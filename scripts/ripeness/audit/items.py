"""Checks of items as they were drawn, and of the rows that they come from (see audit.py)."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from ripeness.audit.drawn_items import Drawing
from ripeness.audit.sizes import fewer_items
from ripeness.data.items import ROLES, label_of
from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.study.audit_checks import Remark, counted, remark
from ripeness.study.equal_options import plain, same_text
from ripeness.study.scoring.words import is_unseen
from ripeness.study.tasks import Task

UNLABELLED = {"-1", "-1.0", "", "null", "none", "nan", "?", "hidden"}  # what stands where the answer is kept back
BY_CHANCE = 0.01  # what labels drawn blindly would show more often than this is no remark
SKEWED = 0.8  # share of the commonest answer
UNSEEN = 0.05  # share of items; a few may quote another script


def asked(item: dict[str, Any]) -> str:
    """Return the question of an item (fields and own options) without case, diacritics, punctuation and layout.

    The same words about another picture are another question.
    """
    return normalised(" ".join([*texts_of(item["fields"]), item.get("picture", "")]))


def texts_of(value: Any) -> list[str]:
    """List all texts in a field's value, in order."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts_of(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts_of(part)]
    return [] if value is None else [str(value)]


def normalised(text: str) -> str:
    """Reduce a text to small letters, digits and signs of arithmetic, with single spaces."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"[^\w\s+*/=<>%$€-]", " ", text).split()) or text.strip()


def exact(item: dict[str, Any]) -> str:
    """Return the exact question and answer of an item."""
    return repr((item["fields"], item["choices"], item["target"], *filter(None, [item.get("picture")])))


def answer(item: dict[str, Any]) -> str:
    """Return the right answer of an item."""
    return item["target"] or ""


def share(n: int, total: int) -> str:
    """Write a count with its share."""
    return f"{n:,} of {total:,} ({n / total:.0%})"


def unlabelled_gold(drawing: Drawing) -> Iterator[Remark]:
    """Test rows whose answer is the mark of an unlabelled split, taken for the label of other rows or for all."""
    counts = {value: n for value, (n, _) in drawing.published.items()}
    total = sum(counts.values())
    labels = {value: label_or_none(row, drawing.task) for value, (_, row) in drawing.published.items()}
    for value in counts:
        if value.strip().lower() not in UNLABELLED:
            continue
        alike = [other for other in spoken_for(drawing.task, labels, value) if other != value]
        if counts[value] == total or alike or not (value.strip() or drawing.task.labels):
            becomes = f" and is taken for {labels[value]!r}" if labels[value] is not None else ""
            seen = f"{value!r} is in {share(counts[value], total)} test rows{becomes}"
            yield remark("unlabelled-gold", drawing.dataset, seen)


def label_or_none(row: dict[str, Any], task: Task) -> str | None:
    """Read the label of a published row; None if it has none, or the task has no labels."""
    try:
        return label_of(Row(row, ""), task, task.labels) if task.labels else None
    except UserError:
        return None


def spoken_for(task: Task, labels: dict[str, str | None], value: str) -> list[str]:
    """Find the published or mapped values that have the same label as this one."""
    label = labels[value]
    mapped = [spelled for spelled, name in (task.values or {}).items() if name == label]
    return [*mapped, *(other for other, name in labels.items() if name == label)] if label is not None else []


def constant_gold(drawing: Drawing) -> Iterator[Remark]:
    """Find one right answer for all test items, where several are expected."""
    test = drawing.items["test"]
    golds = Counter(answer(item) for item in test)
    n_labels = len(drawing.task.labels or {}) or 2
    if len(golds) == 1 and n_labels ** (1 - len(test)) < BY_CHANCE:
        seen = f"the right answer of all {counted(len(test), 'test item')} is {next(iter(golds))!r}"
        yield remark("constant-gold", drawing.dataset, seen)


def constant_place(drawing: Drawing) -> Iterator[Remark]:
    """Find one place of the right option in all test items with options of their own."""
    test = drawing.items["test"]
    if drawing.task.labels or drawing.task.kind != "choice" or any(len(item["choices"]) < 2 for item in test):
        return
    places = {item["gold"] for item in test}
    if len(places) == 1 and 2 ** (1 - len(test)) < BY_CHANCE:
        seen = f"the right option of all {counted(len(test), 'test item')} is number {places.pop() + 1}"
        yield remark("constant-place", drawing.dataset, seen)


def gold_labels(drawing: Drawing, roles: tuple[str, ...]) -> Counter:
    """Count how often each label is the right one in these roles; an item counts once."""
    return Counter({item["id"]: item["target"] for role in roles for item in drawing.items[role]}.values())


def label_without_gold(drawing: Drawing) -> Iterator[Remark]:
    """Find labels that no item of any role has."""
    golds, labels = gold_labels(drawing, ROLES), drawing.task.labels or {}
    for label in labels:
        if not golds[label] and by_chance(len(labels), golds.total()) < BY_CHANCE:
            others = ", ".join(f"{name!r} {golds[name]:,}" for name in labels if golds[name])
            seen = f"{label!r} is offered and never right in {counted(golds.total(), 'item')} ({others})"
            yield remark("label-without-gold", drawing.dataset, seen)


def label_not_in_test(drawing: Drawing) -> Iterator[Remark]:
    """Find labels of training items that no test item has."""
    everywhere, test = gold_labels(drawing, ROLES), gold_labels(drawing, ("test",))
    labels = drawing.task.labels or {}
    for label in labels:
        expected = everywhere[label] / max(everywhere.total(), 1)
        if everywhere[label] and not test[label] and (1 - expected) ** test.total() < BY_CHANCE:
            seen = f"{label!r} is right in {everywhere[label]:,} items, and in none of {test.total():,} test items"
            yield remark("label-not-in-test", drawing.dataset, seen)


def by_chance(n_labels: int, n_items: int) -> float:
    """Compute the probability that one of so many equal labels is absent from so many items."""
    return (1 - 1 / n_labels) ** n_items


def skewed_gold(drawing: Drawing) -> Iterator[Remark]:
    """Find one label that most test items have."""
    golds = gold_labels(drawing, ("test",)) if drawing.task.labels else Counter()
    for label, n in golds.most_common(1):
        if SKEWED < n / golds.total() < 1:
            yield remark("skewed-gold", drawing.dataset, f"{label!r} is right in {share(n, golds.total())} test items")


def shots_scored(drawing: Drawing) -> Iterator[Remark]:
    """Find shots that are test items."""
    test = {exact(item) for item in drawing.items["test"]}
    shots = drawing.items["shots"]
    n = sum(exact(item) in test for item in shots)
    if n and drawing.n_shots:
        seen = f"{share(n, len(shots))} items to draw shots from are test items and scored"
        yield remark("shots-scored", drawing.dataset, seen)


def overlap(drawing: Drawing) -> Iterator[Remark]:
    """Find training or validation items that are test items too."""
    test = {exact(item) for item in drawing.items["test"]}
    for role in ("train", "validation"):
        n = sum(exact(item) in test for item in drawing.items[role])
        if n:
            seen = f"{share(n, len(drawing.items[role]))} {role} items are also test items"
            yield remark("overlap", drawing.dataset, seen)


def near_duplicates(drawing: Drawing) -> Iterator[Remark]:
    """Test items that ask the same as an item of another role but for case, signs and layout."""
    test = drawing.items["test"]
    for role, noun in (("train", "training"), ("validation", "validation")):
        others = {asked(item) for item in drawing.items[role]}
        known = {exact(item) for item in drawing.items[role]}
        found = [item for item in test if asked(item) in others and exact(item) not in known]
        if found:
            seen = (
                f"{share(len(found), len(test))} test items have the question of a {noun} item, e.g. {found[0]['id']}"
            )
            yield remark("near-duplicates", drawing.dataset, seen)


def duplicates(drawing: Drawing) -> Iterator[Remark]:
    """Test items that are there more than once, but for case, signs and layout."""
    test = drawing.items["test"]
    times = Counter((asked(item), answer(item)) for item in test)
    n = sum(n - 1 for n in times.values())
    if n:
        yield remark("duplicates", drawing.dataset, f"{share(n, len(test))} test items repeat another one")


def contradictory_gold(drawing: Drawing) -> Iterator[Remark]:
    """Find test questions with different right answers."""
    if drawing.task.kind != "choice":
        return
    golds: dict[str, set[str]] = {}
    for item in drawing.items["test"]:
        golds.setdefault(asked(item), set()).add(answer(item))
    if n := sum(len(found) > 1 for found in golds.values()):
        yield remark("contradictory-gold", drawing.dataset, f"{counted(n, 'question')} of the test with two answers")


def equal_options(drawing: Drawing) -> Iterator[Remark]:
    """Test items of which options have the same text, but for white space and Unicode's forms."""
    if drawing.task.kind != "choice" or drawing.task.labels:
        return
    test = drawing.items["test"]
    groups = {item["id"]: same_text(item["choices"]) for item in test}
    found = [item for item in test if len(set(groups[item["id"]])) < len(item["choices"])]
    if found:
        n_right = sum(groups[item["id"]].count(groups[item["id"]][item["gold"]]) > 1 for item in found)
        text, n = Counter(map(plain, found[0]["choices"])).most_common(1)[0]
        seen = (
            f"{share(len(found), len(test))} test items have options of the same text, in {n_right:,} of them that of "
            f"the right one, e.g. {found[0]['id']} has {text!r} {n} times"
        )
        yield remark("equal-options", drawing.dataset, seen)


def words_unseen(drawing: Drawing) -> Iterator[Remark]:
    """Find right texts in which the tokenizer of ROUGE-L sees almost no words, in more than a few test items."""
    if drawing.task.kind != "generation" or drawing.task.rouge_words != "english":
        return
    test = drawing.items["test"]
    found = [item for item in test if all(map(is_unseen, item.get("references") or [item["target"]]))]
    if len(found) > UNSEEN * len(test):
        seen = (
            f"the right texts of {share(len(found), len(test))} test items are mostly of words without a letter from a "
            f"to z or a digit, e.g. of {found[0]['id']}"
        )
        yield remark("words-unseen", drawing.dataset, seen)


def asked_elsewhere(drawings: list[Drawing], tuned: list[str]) -> Iterator[Remark]:
    """Test items of one dataset whose questions another dataset, that is tuned on, trains on."""
    tests = {drawing.dataset: [asked(item) for item in drawing.items["test"]] for drawing in drawings}
    for drawing in drawings:
        if drawing.dataset not in tuned:
            continue
        trained = {asked(item) for item in drawing.items["train"]}
        for other, questions in tests.items():
            n = sum(question in trained for question in questions)
            if n and other != drawing.dataset:
                seen = (
                    f"{share(n, len(questions))} test items of {other} are questions that {drawing.dataset} trains on"
                )
                yield remark("asked-elsewhere", f"{drawing.dataset}, {other}", seen)


ITEM_CHECKS: dict[str, Callable[[Drawing], Iterator[Remark]]] = {
    "unlabelled-gold": unlabelled_gold,
    "constant-gold": constant_gold,
    "constant-place": constant_place,
    "label-without-gold": label_without_gold,
    "label-not-in-test": label_not_in_test,
    "skewed-gold": skewed_gold,
    "shots-scored": shots_scored,
    "overlap": overlap,
    "near-duplicates": near_duplicates,
    "duplicates": duplicates,
    "contradictory-gold": contradictory_gold,
    "equal-options": equal_options,
    "words-unseen": words_unseen,
    "fewer-items": fewer_items,
}
# over all datasets: those that are tuned on are named
ACROSS_CHECKS: dict[str, Callable[[list[Drawing], list[str]], Iterator[Remark]]] = {"asked-elsewhere": asked_elsewhere}

"""Checks of items: each on a drawing that raises it, and on one that nearly does."""

from dataclasses import replace
from pathlib import Path

import pytest

from ripeness.audit.items import ITEM_CHECKS, Drawing, asked_elsewhere, normalised
from ripeness.study.audit_checks import refusal, with_passed
from ripeness.study.tasks import load_task

ROOT = Path(__file__).parents[3]
ROLES = {"train": 20, "validation": 5, "test": 12, "shots": 4}


def task(name="qqp", **change):
    return replace(load_task(name, ROOT / "tasks", overrides={}), **change)


def item(role, number, **change):
    """A question with the label `same` or `different` in turn."""
    target = ["same", "different"][number % 2]
    fields = {"first": f"{role} asks {number}", "second": f"what is {number}?"}
    choices = ["same", "different"]
    made = {"id": f"{role}:{number}", "fields": fields, "choices": choices, "gold": number % 2, "target": target}
    return made | change


def drawing(qqp=None, *, published=None, n_shots=4, sizes=ROLES, **roles):
    """A drawing that no check has anything to say of; `roles` replaces or adds items of a role by number."""
    items = {role: [item(role, number) for number in range(n)] for role, n in ROLES.items()}
    for role, changed in roles.items():
        for number, made in changed.items():
            items[role][number : number + 1] = [made] if made else []
    rows = {value: (6, {"question1": "a", "question2": "b", "label": int(value)}) for value in ("0", "1")}
    return Drawing("qqp", qqp or task(), items, sizes, rows if published is None else published, n_shots)


def relabelled(role, target, n=12):
    return {role: {number: item(role, number, target=target) for number in range(n)}}


def values(**counts):
    return {text: (n, {"label": float(text)}) for text, n in counts.items()}


# the test splits of SetFit/qqp and SetFit/stsb hold -1; both were scored as "no" (Amuro and Char, arXiv 2408.06663)
MAPPED = task(values={"-1": "different", "0": "different", "1": "same"})
SIMILAR = task("stsb", label="{{ 'similar' if label > 3.5 else 'different' }}")
# a review may well be of the sentiment -1
SENTIMENT = task(values={"-1": "different", "1": "same"})
OWN = task("arc-easy")
THREE = task(labels={"entailment": "yes", "neutral": "perhaps", "contradiction": "no"})
GENERATED = task("xsum")
TEST_0 = item("test", 0)


def in_capitals(made):
    return made | {"fields": {name: text.upper() + " !" for name, text in made["fields"].items()}}


def of_options(place):
    """Test items with options of their own, of which the one at a place is right."""
    made = {n: item("test", n, choices=["a", "b"], gold=place(n), target=f"{n}") for n in range(12)}
    return drawing(OWN, test=made, published={})


def of_labels(labels):
    """Items of all roles with these labels in turn."""
    made = {
        role: {n: item(role, n, target=labels[n % len(labels)]) for n in range(size)} for role, size in ROLES.items()
    }
    return drawing(THREE, **made, published={})


# check -> (a drawing that raises it, words of the remark, one that nearly does)
CASES = {
    "unlabelled-gold": [
        (drawing(MAPPED, published=values(**{"-1": 12})), "'-1' is in 12 of 12 (100%)", drawing(MAPPED)),
        (
            drawing(MAPPED, published=values(**{"-1": 3, "0": 9})),
            "'-1' is in 3 of 12 (25%) test rows and is taken for 'different'",
            drawing(SENTIMENT, published=values(**{"-1": 6, "1": 6})),
        ),
        (
            drawing(SIMILAR, published=values(**{"-1.0": 12})),
            "taken for 'different'",
            drawing(SIMILAR, published=values(**{"0.0": 6, "5.0": 6})),
        ),
        (
            drawing(GENERATED, published={"": (2, {}), "a summary": (10, {})}),
            "'' is in 2 of 12",
            drawing(GENERATED, published={"-1": (1, {}), "none": (1, {}), "a summary": (10, {})}),
        ),
    ],
    "constant-gold": [
        (drawing(**relabelled("test", "same")), "all 12 test items", drawing(**relabelled("test", "same", 11))),
        (
            drawing(GENERATED, **relabelled("test", "a cat")),
            "'a cat'",
            drawing(test={0: item("test", 0), **dict.fromkeys(range(11, 0, -1))}),  # one item has one answer
        ),
    ],
    "constant-place": [(of_options(lambda n: 0), "number 1", of_options(lambda n: n % 2))],
    "label-without-gold": [
        (
            of_labels(["entailment", "neutral"]),
            "'contradiction' is offered and never right in 41 items ('entailment' 21, 'neutral' 20)",
            of_labels(["entailment", "neutral", "contradiction"]),
        ),
    ],
    "label-not-in-test": [
        (drawing(**relabelled("test", "same")), "'different' is right in 14 items, and in none of 12", drawing()),
    ],
    "skewed-gold": [
        (drawing(**relabelled("test", "same", 11)), "11 of 12 (92%)", drawing(**relabelled("test", "same", 6))),
    ],
    "shots-scored": [
        (
            drawing(shots={0: TEST_0}),
            "1 of 4 (25%)",
            drawing(shots={0: TEST_0}, n_shots=0),
        ),
    ],
    "overlap": [
        (drawing(train={3: TEST_0}), "1 of 20 (5%) train items", drawing(train={3: in_capitals(TEST_0)})),
        (drawing(validation={3: TEST_0}), "1 of 5 (20%) validation", drawing(shots={3: TEST_0})),
    ],
    "near-duplicates": [
        (
            drawing(train={3: in_capitals(TEST_0)}),
            "1 of 12 (8%) test items have the question of a training item",
            drawing(),
        ),
        (drawing(validation={3: in_capitals(TEST_0)}), "a validation item", drawing(validation={3: TEST_0})),
    ],
    "duplicates": [
        (drawing(test={2: in_capitals(TEST_0)}), "1 of 12 (8%)", drawing(train={2: in_capitals(item("train", 0))})),
    ],
    "contradictory-gold": [
        (
            drawing(test={2: in_capitals(TEST_0) | {"target": "different"}}),
            "1 question",
            drawing(test={2: in_capitals(TEST_0)}),
        ),
    ],
    "equal-options": [
        (
            drawing(OWN, test={1: item("test", 1, choices=["a", " b", "b"], gold=1)}, published={}),
            "1 of 12 (8%) test items have options of the same text, in 1 of them that of the right one, e.g. test:1 "
            "has 'b' 2 times",
            drawing(OWN, test={1: item("test", 1, choices=["a", "b", "B"], gold=1)}, published={}),
        ),
        (
            drawing(OWN, test={1: item("test", 1, choices=["caf\u00e9", "b", "cafe\u0301"], gold=1)}, published={}),
            "in 0 of them that of the right one",
            drawing(OWN, train={1: item("train", 1, choices=["a", "a"], gold=1)}, published={}),
        ),
    ],
    "words-unseen": [
        (
            drawing(GENERATED, **relabelled("test", "хорошая погода 2020"), published={}),
            "the right texts of 12 of 12 (100%) test items are mostly of words without a letter",
            drawing(replace(GENERATED, rouge_words="any"), **relabelled("test", "хорошая погода"), published={}),
        ),
        (
            drawing(GENERATED, **relabelled("test", "天气很好", n=1), published={}),
            "1 of 12 (8%)",
            drawing(GENERATED, **relabelled("test", "über den Ärger"), published={}),
        ),
        (
            drawing(GENERATED, **relabelled("test", "天气很好", n=1), published={}),
            "e.g. of test:0",
            drawing(GENERATED, test={0: item("test", 0, references=["天气很好", "good weather"])}, published={}),
        ),
    ],
    "fewer-items": [
        (
            drawing(sizes=ROLES | {"test": 200, "train": 21}),
            "12 of 200 test items, 20 of 21 train items",
            drawing(sizes=ROLES | {"test": 1_000_000}),
        ),
    ],
}  # fmt: skip


@pytest.mark.parametrize("check", ITEM_CHECKS)
def test_a_check_sees_what_it_should_and_not_what_is_nearly_so(check):
    assert list(ITEM_CHECKS[check](drawing())) == []
    for raising, words, near in CASES[check]:
        found = list(ITEM_CHECKS[check](raising))
        assert len(found) == 1 and words in found[0].seen, found
        assert (found[0].check, found[0].where) == (check, "qqp")
        assert list(ITEM_CHECKS[check](near)) == []


@pytest.mark.parametrize(
    ("sizes", "n_shots", "severity"),
    [
        (ROLES | {"train": 40}, 4, "warning"),  # half of them
        (ROLES | {"train": 41}, 4, "fatal"),
        (ROLES | {"validation": 11}, 4, "fatal"),
        (ROLES | {"shots": 9}, 4, "fatal"),
        (ROLES | {"shots": 5}, 4, "warning"),
        (ROLES | {"shots": 5}, 5, "fatal"),  # prompts cannot have so many
    ],
)
def test_less_than_half_of_the_items_of_a_role_is_fatal(sizes, n_shots, severity):
    [seen] = ITEM_CHECKS["fewer-items"](drawing(sizes=sizes, n_shots=n_shots))
    assert seen.severity == severity
    [said] = with_passed([seen], ["fewer-items"], {"fewer-items": "a pilot"})
    assert refusal([said]) is None and (refusal([seen]) is not None) == (severity == "fatal")


def test_roles_that_the_study_does_not_use_may_be_small():
    asked_only = replace(drawing(sizes=ROLES | {"train": 100, "validation": 100}), is_tuned=False)
    without_shots = drawing(sizes=ROLES | {"shots": 100}, n_shots=0)
    for one in (asked_only, without_shots):
        [seen] = ITEM_CHECKS["fewer-items"](one)
        assert seen.severity == "warning"
    [seen] = ITEM_CHECKS["fewer-items"](replace(asked_only, sizes=ROLES | {"test": 25}))
    assert seen.severity == "fatal"


def test_a_part_of_another_tasks_items_is_smaller_by_its_nature():
    part = drawing(task(view_of="paws", keep="{{ asked == 'colour' }}"), sizes=ROLES | {"test": 200})
    assert list(ITEM_CHECKS["fewer-items"](part)) == []
    for other in (
        replace(part, task=task(view_of="paws", keep=None)),
        replace(part, items={role: [] for role in ROLES}),
    ):
        assert [seen.severity for seen in ITEM_CHECKS["fewer-items"](other)] == ["fatal"]


def test_that_one_file_was_split_among_roles_is_said():
    one = task(source={"train": "a.jsonl", "validation": "b.jsonl", "test": "a.jsonl"})
    [seen] = ITEM_CHECKS["fewer-items"](drawing(one, sizes=ROLES | {"train": 30}))
    assert seen.seen == (
        "20 of 30 train items; a.jsonl serves test, shots and train, and its 36 usable rows are split in proportion"
    )
    apart = task(source={"train": "a.jsonl", "validation": "b.jsonl", "test": "c.jsonl"})
    [seen] = ITEM_CHECKS["fewer-items"](drawing(apart, sizes=ROLES | {"validation": 6}))
    assert seen.seen == "5 of 6 validation items"


def test_what_one_dataset_asks_and_another_trains_on_is_seen_where_the_other_is_tuned_on():
    other = replace(drawing(test={0: in_capitals(item("train", 0))}), dataset="paws")
    qqp = replace(drawing(), items=drawing().items | {"test": []})
    found = list(asked_elsewhere([qqp, other], ["qqp"]))
    assert [(row.check, row.where) for row in found] == [("asked-elsewhere", "qqp, paws")]
    assert "1 of 12 (8%) test items of paws are questions that qqp trains on" in found[0].seen
    assert list(asked_elsewhere([qqp, other], [])) == []
    assert list(asked_elsewhere([qqp], ["qqp"])) == []


def test_texts_are_the_same_but_for_case_signs_and_layout_but_sums_are_not():
    assert normalised("The  “Ferry”, he said:\nleft!") == normalised("the ferry he said left")
    assert normalised("2 + 2") != normalised("2 - 2") and normalised("ﬁne") == "fine"

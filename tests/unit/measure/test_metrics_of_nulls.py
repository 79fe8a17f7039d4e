"""Metrics of answers without a number are null with the reason, and are never taken from the others alone."""

import math

import pytest
from scored_answers import by_metric, choice

from ripeness.measure.metrics import (
    measure,
    score_choice,
    score_generation,
    score_harness,
    score_text,
    whole_or_none,
)

NONE = [math.nan, math.inf, -math.inf, None]


@pytest.mark.parametrize("lost", NONE)
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("gold", [0, 1])
def test_an_option_without_a_finite_log_likelihood_makes_its_item_neither_right_nor_wrong(lost, place, gold):
    logps = [-1.0, -1.0]
    logps[place] = lost
    scored = score_choice(choice(logps, gold, [" a", " b"]) | {"n_option_tokens": [1, 2]})
    flags = [value for key, value in scored.items() if key.startswith(("is_", "margin", "prediction"))]
    assert flags == [None] * len(flags)
    assert scored["logp_gold"] == (None if place == gold else -1.0)
    assert scored["reason"] == "no finite log-likelihood of 1 of 2 options"


def with_nulls(kind, items, rows):
    found = measure(kind, items, rows)
    return by_metric(found), whole_or_none(kind, items, found)


@pytest.mark.parametrize("lost", NONE)
def test_one_such_item_makes_the_whole_measurement_null_with_the_reason_and_no_score_of_the_others_is_left(lost):
    rows = [choice([-1.0, -2.0], 0, [" a", " b"]) | {"n_option_tokens": [1, 2]} for _ in range(4)]
    rows[2] |= {"logps": [-1.0, lost]}
    scored = [score_choice(row) | {"cluster": str(n)} for n, row in enumerate(rows)]
    found, items = with_nulls("choice", scored, rows)
    reason = "1 of 4 items without a number: no finite log-likelihood of 1 of 2 options"
    names = ["accuracy", *(f"accuracy_{name}" for name in ("raw", "char", "byte", "token")), "margin", "ties"]
    assert found.keys() == {*names, "logp_gold", "answer_loss"}  # no pmi, which was not asked for
    for name in names:
        assert (found[name]["value"], found[name]["se"], found[name]["n_items"]) == (None, None, 4), name
        assert found[name]["reason"] == reason
    assert (found["logp_gold"]["value"], found["answer_loss"]["value"]) == (-1.0, 1.0)  # all right answers have one
    assert [item["is_correct"] for item in items] == [item["margin"] for item in items] == [None] * 4
    assert [item["logp_gold"] for item in items] == [-1.0] * 4
    assert items[0]["reason"] == f"its measurement is null: {reason}" and "of 1 of 2 options" in items[2]["reason"]


def test_what_needs_the_unconditional_prompt_alone_is_null_alone():
    rows = [choice([-1.0, -2.0], 0, [" a", " b"]) | {"logps_unconditional": [-1.0, -3.0]} for _ in range(2)]
    rows[1]["logps_unconditional"] = [-1.0, -math.inf]
    scored = [score_choice(row) | {"cluster": str(n)} for n, row in enumerate(rows)]
    found, items = with_nulls("choice", scored, rows)
    assert (found["accuracy"]["value"], found["accuracy_pmi"]["value"]) == (1.0, None)
    assert [(item["is_correct"], item["is_correct_pmi"]) for item in items] == [(True, None)] * 2
    by_pmi = [score_choice(row, normalisation="pmi") | {"cluster": str(n)} for n, row in enumerate(rows)]
    assert with_nulls("choice", by_pmi, rows)[0]["accuracy"]["value"] is None


@pytest.mark.parametrize("lost", NONE)
def test_texts_and_losses_without_a_number_make_theirs_null(lost):
    passages = [{"nll": value, "n_tokens": 2, "n_bytes": 4} for value in (1.0, lost)]
    items = [score_text(row) | {"cluster": str(n)} for n, row in enumerate(passages)]
    found = by_metric(measure("text", items, passages))
    assert [found[name]["value"] for name in ("bits_per_byte", "loss")] == [None, None]
    assert found["loss"]["n_items"] == 2 and found["loss"]["reason"].startswith("1 of 2 items without a number")
    written = [{"target": " a", "text": "a", "nll": value, "n_tokens": 1} for value in (1.0, lost)]
    items = [score_generation(row) | {"cluster": str(n)} for n, row in enumerate(written)]
    found = by_metric(measure("generation", items, written))
    assert (found["rouge_l"]["value"], found["answer_loss"]["value"]) == (1.0, None)


def test_a_text_that_was_written_from_what_is_no_number_has_no_score():
    rows = [{"target": " a", "text": text} for text in ("a", None)]
    scored = [score_generation(row) | {"cluster": str(n)} for n, row in enumerate(rows)]
    found, items = with_nulls("generation", scored, rows)
    assert [found[name]["value"] for name in ("rouge_l", "exact_match")] == [None, None]
    assert "no text that was written from finite logits" in found["rouge_l"]["reason"]
    assert [item["rouge_l"] for item in items] == [None, None]


@pytest.mark.parametrize("is_mean", [True, False])
def test_a_metric_of_the_harness_that_is_no_number_is_null(is_mean):
    rows = [{"harness": [{"metric": "acc,none", "value": value, "is_mean": is_mean}]} for value in (1.0, math.nan)]
    items = [score_harness(row) | {"cluster": str(n)} for n, row in enumerate(rows)]
    (found,) = measure("harness", items, rows)
    assert (found["value"], found["se"], found["n_items"]) == (None, None, 2)
    assert found["reason"] == "1 of 2 items without a number: no finite acc,none"

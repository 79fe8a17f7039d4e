"""Metrics: golden values worked out by hand or by the tool that defines them."""

import math
import statistics

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer
from scored_answers import by_metric, choice

from ripeness.measure.metrics import (
    measure,
    ratio_with_error,
    score_choice,
    score_generation,
    score_text,
)
from ripeness.runtime.errors import UserError


def harness_accuracies(choices, lls, gold):
    """Compute acc, acc_norm and acc_bytes as lm_eval/api/task.py (0.4.13, process_results) does, from bare choices."""
    lls = np.array(lls)
    lengths = np.array([float(len(i)) for i in choices])
    n_bytes = np.array([float(len(i.encode("utf-8"))) for i in choices])
    return tuple(bool(np.argmax(x) == gold) for x in (lls, lls / lengths, lls / n_bytes))


def accuracies(scored):
    return scored["is_correct"], scored["is_correct_char"], scored["is_correct_byte"]


@pytest.mark.parametrize(
    ("logps", "gold", "expected"),
    [
        # "no" has 2 characters and bytes, "perhaps" 7, "é" one character of two bytes
        ([-1.0, -3.0, -2.0], 0, (True, False, False)),  # per character -0.50, -0.43, -2.00
        ([-1.0, -3.0, -2.0], 1, (False, True, True)),
        ([-4.0, -9.0, -1.2], 2, (True, True, True)),  # per byte -2.00, -1.29, -0.60
        ([-4.0, -7.0, -1.8], 2, (True, False, True)),  # per character -1.80 loses against -1.00, per byte -0.90 wins
        ([-4.0, -7.0, -2.2], 1, (False, True, True)),
    ],
)
def test_accuracies_are_those_of_the_harness_the_space_before_an_option_not_counted(logps, gold, expected):
    assert accuracies(score_choice(choice(logps, gold))) == expected
    assert harness_accuracies(["no", "perhaps", "é"], logps, gold) == expected


def test_a_tie_goes_to_the_first_option_and_is_counted():
    first, second = (score_choice(choice([-1.0, -1.0], gold, [" a", " b"])) for gold in (0, 1))
    assert (first["is_correct"], second["is_correct"]) == (True, False)
    assert first["prediction"] == second["prediction"] == "a"
    assert first["is_tie"] and second["is_tie"]
    assert not score_choice(choice([-1.0, -2.0, -2.0], 0))["is_tie"]  # only the best count


def test_margin_is_the_lead_over_the_best_other_option():
    scored = score_choice(choice([-1.0, -3.0, -1.5], 1))
    assert (scored["logp_gold"], scored["margin"]) == (-3.0, -2.0)
    assert (scored["gold"], scored["prediction"]) == ("perhaps", "no")
    assert score_choice(choice([-1.0, -3.0, -1.5], 0))["margin"] == 0.5


def test_the_tasks_normalisation_decides_and_all_others_are_recorded():
    # raw -1 is best; per character -0.5, -0.43, -2; per token -1, -0.75, -2; less the unconditional 0, -1, 0.5
    row = choice([-1.0, -3.0, -2.0], 2) | {"n_option_tokens": [1, 4, 1], "logps_unconditional": [-1.0, -2.0, -2.5]}
    predicted = {"none": "no", "character": "perhaps", "byte": "perhaps", "token": "perhaps", "pmi": "é"}
    for name, prediction in predicted.items():
        scored = score_choice(row, normalisation=name)
        assert (scored["prediction"], scored["is_correct"]) == (prediction, prediction == "é")
        assert {key: scored[key] for key in scored if key.startswith("is_correct_")} == {
            "is_correct_raw": False,
            "is_correct_char": False,
            "is_correct_byte": False,
            "is_correct_token": False,
            "is_correct_pmi": True,
        }
        assert (scored["logp_gold"], scored["margin"]) == (-2.0, -1.0)  # of log-likelihoods as they are
    rows = by_metric(measure("choice", [scored | {"cluster": "a"}], [row]))
    assert {name: found["value"] for name, found in rows.items() if name.startswith("accuracy")} == {
        "accuracy": 1.0,
        "accuracy_raw": 0.0,
        "accuracy_char": 0.0,
        "accuracy_byte": 0.0,
        "accuracy_token": 0.0,
        "accuracy_pmi": 1.0,
    }


def test_a_normalisation_that_was_not_predicted_for_is_refused():
    with pytest.raises(UserError, match=r"by 'pmi'; it has none, character, byte\nhint: `pmi` needs"):
        score_choice(choice([-1.0, -3.0, -2.0], 2), normalisation="pmi")


def test_text_is_compared_with_the_nearest_of_the_right_answers():
    row = {"target": " four hours", "references": ["four hours", "4 hours"], "text": "4 hours"}
    scored = score_generation(row)
    assert (scored["rouge_l"], scored["exact_match"], scored["gold"]) == (1.0, True, "four hours")
    assert score_generation(row | {"references": ["four hours"]})["rouge_l"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("target", "text", "expected"),
    [
        (" the cat sat on the mat", "the cat sat on the mat", 1.0),
        ("the cat sat on the mat", "the cat on a mat", 8 / 11),  # lcs 4: precision 4/5, recall 4/6
        ("police killed the gunman", "the gunman killed police", 0.5),  # lcs 2 of 4 and 4 (Lin 2004, section 3.1)
        ("running dogs", "run dog", 0.0),  # words are not stemmed
        ("the cat", "", 0.0),
    ],
)
def test_rouge_l_is_that_of_rouge_score(target, text, expected):
    scored = score_generation({"target": target, "text": text})
    assert scored["rouge_l"] == pytest.approx(expected)
    assert scored["rouge_l"] == RougeScorer(["rougeL"]).score(target, text)["rougeL"].fmeasure


def test_exact_match_ignores_white_space_around_the_target_only():
    assert score_generation({"target": " a cat\n", "text": "a cat"})["exact_match"]
    assert not score_generation({"target": "a cat", "text": "a  cat"})["exact_match"]
    assert not score_generation({"target": "a cat", "text": "A cat"})["exact_match"]


def test_error_without_clusters_is_deviation_over_the_root_of_n():
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]
    value, se = ratio_with_error(values, [1.0] * 7, list("abcdefg"))
    assert value == pytest.approx(5 / 7)
    assert se == pytest.approx(statistics.stdev(values) / math.sqrt(7))


def test_error_of_clusters_is_that_worked_out_by_hand():
    # mean 1/2; residuals summed by cluster: a 1/2+1/2 = 1, b -1/2-1/2 = -1, c 1/2-1/2 = 0; sqrt((1+1+0) * 3/2) / 6
    values, clusters = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0], list("aabbcc")
    assert ratio_with_error(values, [1.0] * 6, clusters) == (0.5, pytest.approx(math.sqrt(3) / 6))
    mixed = [values[i] for i in (0, 2, 4, 1, 3, 5)], [clusters[i] for i in (0, 2, 4, 1, 3, 5)]
    assert ratio_with_error(mixed[0], [1.0] * 6, mixed[1])[1] == pytest.approx(math.sqrt(3) / 6)


def test_error_of_a_ratio_is_that_worked_out_by_hand():
    # ratio 6/4 = 1.5; residuals 2 - 1.5 = 0.5 and 4 - 4.5 = -0.5; sqrt((0.25 + 0.25) * 2) / 4
    assert ratio_with_error([2.0, 4.0], [1.0, 3.0], ["a", "b"]) == (1.5, pytest.approx(0.25))


def test_one_cluster_says_nothing_of_the_error():
    assert ratio_with_error([1.0, 0.0], [1.0, 1.0], ["a", "a"]) == (0.5, None)


def test_choice_probes_are_measured_against_chance_and_the_commonest_answer():
    predictions = [
        choice([-1.0, -2.0], 0, [" a", " b"]),
        choice([-1.0, -1.0], 1, [" a", " b"]),
        choice([-3.0, -2.0, -4.0, -5.0], 1, [" a", " b", " c", " d"]),
    ]
    items = [score_choice(row) | {"cluster": str(n)} for n, row in enumerate(predictions)]
    rows = by_metric(measure("choice", items, predictions))
    accuracies = ["accuracy", "accuracy_raw", "accuracy_char", "accuracy_byte"]
    assert list(rows) == [*accuracies, "logp_gold", "margin", "ties"]
    assert all(rows[name]["chance"] == rows["accuracy"]["chance"] for name in accuracies)
    accuracy = rows["accuracy"]
    assert accuracy["value"] == pytest.approx(2 / 3)
    assert accuracy["chance"] == pytest.approx((1 / 2 + 1 / 2 + 1 / 4) / 3)
    assert accuracy["majority"] == pytest.approx(2 / 3)
    assert (accuracy["n_items"], accuracy["n_seeds"], accuracy["source"]) == (3, 1, "measured")
    assert rows["ties"]["value"] == pytest.approx(1 / 3)
    assert rows["logp_gold"]["value"] == pytest.approx(-4 / 3)
    assert rows["margin"]["value"] == pytest.approx((1 + 0 + 1) / 3)
    assert "chance" not in rows["margin"]


def test_items_of_one_passage_count_as_one_cluster():
    predictions = [choice([-1.0, -2.0], n % 2, [" a", " b"]) for n in range(4)]
    apart = [score_choice(row) | {"cluster": str(n)} for n, row in enumerate(predictions)]
    pairs = [score_choice(row) | {"cluster": str(n % 2)} for n, row in enumerate(predictions)]
    errors = [by_metric(measure("choice", items, predictions))["accuracy"]["se"] for items in (apart, pairs)]
    assert errors == pytest.approx([math.sqrt(1 / 12), 0.5])


def test_generation_probes_are_measured_by_overlap_and_exact_match():
    predictions = [{"target": "a cat", "text": "a cat"}, {"target": "a cat", "text": "a dog"}]
    items = [score_generation(row) | {"cluster": str(n)} for n, row in enumerate(predictions)]
    rows = by_metric(measure("generation", items, predictions))
    assert {name: rows[name]["value"] for name in ("rouge_l", "exact_match")} == {"rouge_l": 0.75, "exact_match": 0.5}
    assert not rows.keys() & {"accuracy", "margin", "loss", "bits_per_byte"}  # of other kinds of probes
    assert "answer_loss" not in rows  # the rows have no log-likelihood


def test_running_text_is_measured_in_bits_per_byte_and_nats_per_token():
    passages = [{"nll": 8 * math.log(2), "n_tokens": 2, "n_bytes": 4}, {"nll": 0.0, "n_tokens": 2, "n_bytes": 12}]
    items = [score_text(row) | {"cluster": str(n)} for n, row in enumerate(passages)]
    rows = by_metric(measure("text", items, passages))
    assert rows["bits_per_byte"]["value"] == pytest.approx(0.5)  # of all bytes, not the mean of 2 and 0
    assert rows["loss"]["value"] == pytest.approx(2 * math.log(2))
    # residuals in bits: 8 - 4/2 = 6 and 0 - 12/2 = -6
    assert rows["bits_per_byte"]["se"] == pytest.approx(math.sqrt(72 * 2) / 16)


def test_measures_without_variation_have_an_error_of_zero():
    passages = [{"nll": 2.0, "n_tokens": 1, "n_bytes": 1}] * 2
    items = [score_text(row) | {"cluster": str(n)} for n, row in enumerate(passages)]
    assert [row["se"] for row in measure("text", items, passages)] == [0.0, 0.0]


def test_the_loss_of_right_answers_is_their_nats_over_their_tokens():
    rows = [choice([-1.0, -3.0, -2.0], gold) | {"n_option_tokens": [1, 4, 2]} for gold in (1, 2)]
    scored = [score_choice(row) | {"cluster": str(n)} for n, row in enumerate(rows)]
    found = by_metric(measure("choice", scored, rows))["answer_loss"]
    assert (found["value"], found["n_items"]) == (pytest.approx((3 + 2) / (4 + 2)), 2)
    written = [
        {"target": " a", "text": "a", "nll": nll, "n_tokens": n} for nll, n in [(2.0, 4), (None, None), (3.0, 1)]
    ]
    scored = [score_generation(row) | {"cluster": str(n)} for n, row in enumerate(written)]
    found = by_metric(measure("generation", scored, written))
    assert (found["answer_loss"]["value"], found["answer_loss"]["n_items"]) == (1.0, 2)  # of one item it is unknown
    assert found["rouge_l"]["n_items"] == 3
    assert "answer_loss" not in by_metric(measure("generation", scored[1:2], written[1:2]))


def floors(rows):
    items = [score_choice(row) | {"cluster": str(n)} for n, row in enumerate(rows)]
    accuracy = by_metric(measure("choice", items, rows))["accuracy"]
    return accuracy["chance"], accuracy["majority"]


def test_the_place_of_the_right_option_is_a_floor_of_letters_alone():
    places = [0] * 13 + [1, 2, 3, 4] * 6 + [1, 2, 3]  # the first of five options is right in 13 of 40 items
    letters = [choice([0.0] * 5, gold, [f" {letter}" for letter in "ABCDE"]) for gold in places]
    own = [choice([0.0] * 5, gold, [f" {n} {option}" for option in "abcde"]) for n, gold in enumerate(places)]
    assert floors(letters) == (pytest.approx(0.2), pytest.approx(13 / 40))
    assert floors(own) == (pytest.approx(0.2), pytest.approx(0.2))
    uneven = [choice([0.0] * n, 0, [f" {k} {n} {option}" for option in range(n)]) for k, n in enumerate([2, 4, 4, 2])]
    assert floors(uneven) == (pytest.approx(0.375), pytest.approx(0.375))


def test_an_answer_that_is_common_among_options_of_their_own_is_a_floor_wherever_it_stands():
    rows = [choice([0.0] * 2, n % 2, [" yes", " no"] if n % 2 == 0 else [" no", " yes"]) for n in range(8)]
    assert floors(rows) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("target", "text"), [("caf\u00e9", "cafe\u0301"), ("cafe\u0301", "caf\u00e9"), ("\uac00", "\u1100\u1161")]
)
def test_composed_and_decomposed_forms_of_a_text_are_equal(target, text):
    assert score_generation({"target": target, "text": text})["exact_match"]
    assert score_generation({"target": "x", "references": ["x", target], "text": text})["exact_match"]

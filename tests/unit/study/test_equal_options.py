"""Options that say the same: by text, by tokens, and what is right, tied and chance among them."""

import pytest

from ripeness.measure.metrics import measure, score_choice
from ripeness.study.equal_options import chance, right_places, same_text, same_tokens, says

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def row(choices, logps, gold, **more):
    return {"choices": choices, "logps": logps, "gold": gold} | more


def test_texts_are_the_same_but_for_white_space_and_unicode_s_form_and_not_for_case():
    assert same_text([" yes", "no", "yes ", "Yes", "no\n"]) == [0, 1, 0, 3, 1]
    assert same_text([COMPOSED, DECOMPOSED, "a  b", "a b"]) == [0, 0, 2, 2]
    assert same_tokens([[1, 2], [3], [1, 2]]) == [0, 1, 0]


def test_what_is_the_same_by_text_or_by_tokens_says_the_same():
    assert says(row(["a", "b", "A", "b "], None, 0, same_tokens=[0, 1, 0, 3])) == [0, 1, 0, 1]
    assert says(row([" A", " B", " C"], None, 0, same_text=[0, 1, 0])) == [0, 1, 0]
    assert says(row([" A", " B", " C"], None, 0)) == [0, 1, 2]


@pytest.mark.parametrize("gold", [0, 1])
@pytest.mark.parametrize("options", [[" yes", " yes", " no"], [COMPOSED, DECOMPOSED, " no"]])
def test_the_copy_of_the_right_option_is_right(options, gold):
    # of copies the first is best, or by the rounding of a batch the second
    for logps in ([-1.0, -1.0, -3.0], [-1.0, -1.000001, -3.0], [-1.000001, -1.0, -3.0]):
        scored = score_choice(row(options, logps, gold) | {"logps_unconditional": [-2.0, -2.0, -2.0]})
        found = {key: value for key, value in scored.items() if key.startswith("is_correct") and value is not None}
        assert len(found) == 5 and all(found.values()), found
        assert scored["is_tie"] is False
        assert scored["margin"] == pytest.approx(2.0, abs=1e-5)
    wrong = score_choice(row(options, [-1.0, -1.0, -0.5], gold))
    assert not wrong["is_correct"] and wrong["margin"] == pytest.approx(-0.5)


def test_copies_of_a_wrong_option_are_no_tie_and_stay_wrong():
    scored = score_choice(row([" no", " no", " yes"], [-1.0, -1.0, -1.5], 2))
    assert (scored["is_correct"], scored["is_tie"], scored["prediction"]) == (False, False, "no")
    assert scored["margin"] == pytest.approx(-0.5)
    tied = score_choice(row([" no", " yes", " no"], [-1.0, -1.0, -1.0], 1))
    assert (tied["is_correct"], tied["is_tie"]) == (False, True)  # ties of others go to the first, as ever


def test_options_that_a_model_reads_alike_say_the_same():
    small = row([" Yes", " yes", " no"], [-1.0, -1.0, -3.0], 1)
    assert not score_choice(small)["is_correct"]
    assert score_choice(small | {"same_tokens": [0, 0, 2]})["is_correct"]


def test_the_letter_of_a_copy_is_right_where_letters_are_scored():
    lettered = row([" A", " B", " C"], [-0.5, -1.0, -2.0], 2, same_text=[0, 1, 0], same_tokens=[0, 1, 2])
    scored = score_choice(lettered)
    assert scored["is_correct"] and (scored["gold"], scored["prediction"]) == ("C", "A")
    assert scored["margin"] == pytest.approx(0.5) and scored["logp_gold"] == -2.0
    assert right_places(lettered) == [0, 2] and chance(lettered) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("choices", "gold", "more", "share"),
    [
        ([" a", " b", " c"], 1, {}, 1 / 3),
        ([" a", " b", " a"], 2, {}, 1 / 2),  # a and b are scored, and a is right
        ([" a", " b", " b"], 0, {}, 1 / 2),
        ([" a", " A", " b"], 0, {"same_tokens": [0, 0, 2]}, 1 / 2),
        ([" a", " a"], 0, {}, 1.0),
    ],
)
def test_chance_is_the_share_of_right_options_among_those_scored_apart(choices, gold, more, share):
    assert chance(row(choices, [-1.0] * len(choices), gold, **more)) == pytest.approx(share)


def test_measurements_of_items_with_copies_have_their_own_chance_and_majority():
    rows = [row([" a", " b", " a"], [-1.0, -2.0, -1.0], 2), row([" c", " d"], [-1.0, -2.0], 0)]
    items = [score_choice(one) | {"cluster": str(n)} for n, one in enumerate(rows)]
    found = {one["metric"]: one for one in measure("choice", items, rows)}
    assert found["accuracy"]["value"] == 1.0 and found["ties"]["value"] == 0.0
    assert found["accuracy"]["chance"] == pytest.approx(1 / 2)
    assert found["accuracy"]["majority"] == pytest.approx(1 / 2)  # always to say `a`


def test_an_item_whose_options_all_say_the_same_has_no_margin():
    rows = [row([" a", " a"], [-1.0, -1.0], 1), row([" a", " b"], [-1.0, -2.0], 0)]
    items = [score_choice(one) | {"cluster": str(n)} for n, one in enumerate(rows)]
    assert [(one["is_correct"], one["margin"]) for one in items] == [(True, None), (True, 1.0)]
    found = {one["metric"]: one for one in measure("choice", items, rows)}
    assert found["accuracy"]["value"] == 1.0 and found["margin"]["value"] is None
    assert found["margin"]["reason"].startswith("1 of 2 items without a number: all options say the same")

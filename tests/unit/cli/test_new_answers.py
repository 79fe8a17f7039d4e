"""The right answer of a row is read as it was meant, and asked for where it can be meant in two ways."""

import pytest

from ripeness.cli.new_answers import answered
from ripeness.data.items import item_of
from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.study.tasks import load_task

WORDS = ["x", "y", "z"]
TASK = "name: mine\ntitle: t\nsource: {train: a.csv, validation: a.csv, test: a.csv}\nfields: {q: q}\nlicence: x\n"


def targets(rows, folder):
    """The right answers, as a study reads them by the task that is written."""
    keys = answered(rows, "answer", "options" if "options" in rows[0] else None)
    (folder / "mine.yaml").write_text(TASK + 'formats: {default: "{{ q }}"}\n')
    task = load_task("mine", folder, overrides=keys)
    return [item_of(Row(row, "a"), task, "1").target for row in rows]


def rows_with(answers, options=None):
    found = [{"q": "?", "answer": answer} for answer in answers]
    return [row | {"options": options or WORDS} for row in found] if options is not False else found


@pytest.mark.parametrize(
    "answers",
    [[0, 1, 2], ["0", "1", "2"], [0.0, 1.0, 2.0], [1, 2, 3], ["1", "2", "3"], ["A", "B", "C"], ["x", "y", "z"]],
    ids=str,
)
def test_places_letters_and_texts_mean_an_option(tmp_path, answers):
    assert targets(rows_with(answers), tmp_path) == WORDS


@pytest.mark.parametrize("kind", [int, str, float])
def test_numbers_among_the_options_are_options(tmp_path, kind):
    options = [kind(value) for value in (10, 20, 30)]
    assert targets(rows_with([kind(20), kind(30)], options), tmp_path) == [str(kind(20)), str(kind(30))]


@pytest.mark.parametrize(
    ("answers", "options", "said"),
    [
        ([2, 0, 1], [1, 0, 2], "'2' is an option, and can be the place of one"),
        (["2", "0"], ["1", "0", "2"], "'2' is an option, and can be the place of one"),
        ([1, 2], WORDS, "from 0, the first option is never right, and from 1, the last one never is"),
        ([0, 3], WORDS, "'0' is not one of the options of its row"),
        ([True, False], WORDS, "'true' is not one of the options of its row"),
        (["A", "x"], WORDS, "'A' is not one of the options of its row"),
        (["A", None], WORDS, "1 of 2 rows have no answer"),
        (["A", []], False, "1 of 2 rows have no answer"),
        ([{"text": ["a"]}] * 9, False, "{'text': \\['a'\\]} is no answer"),
        (["Yes", "yes ", "no"] * 9, False, "'Yes' and 'yes ' are two labels, and look like one"),
        (["1", "1.0", "2"] * 9, False, "'1' and '1.0' are two labels, and look like one"),
    ],
    ids=str,
)
def test_what_can_be_meant_in_two_ways_is_refused(answers, options, said):
    with pytest.raises(UserError, match=f"answer: {said}.*\nhint: "):
        answered(rows_with(answers, options), "answer", None if options is False else "options")


def test_the_space_before_a_label_is_one(tmp_path):
    keys = answered(rows_with([" a", " b"] * 9, False), "answer", None)
    assert keys["labels"] == {" a": " a", " b": " b"}

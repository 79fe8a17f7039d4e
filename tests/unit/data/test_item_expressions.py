"""Labels, options and answers of items, read from columns or by expressions over them."""

import re
from dataclasses import replace

import pytest
from drawn_items import ROOT

from ripeness.data.items import item_of
from ripeness.data.kept_rows import kept_rows
from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.study.tasks import load_task


@pytest.mark.parametrize(
    ("in_task", "in_row"),
    [(1, 1), (1, "1"), ("1", 1), (1, 1.0), (True, True), (False, False), (True, "true"), (True, "True")],
)
def test_labels_are_known_by_value_or_by_name(in_task, in_row):
    task = load_task("nursery-sentiment", ROOT / "tasks", overrides={"values": {in_task: "negative"}})
    for value, label in [(in_row, "negative"), ("positive", "positive")]:
        assert item_of(Row({"id": 1, "text": "a", "sentiment": value}, "a:1"), task, "1").target == label
    with pytest.raises(
        UserError, match=r"^a:7: no answer text is defined for label '0.5'; .* positive, negative\nhint: "
    ):
        item_of(Row({"id": 1, "text": "a", "sentiment": 0.5}, "a:7"), task, "1")


@pytest.mark.parametrize("values", [{}, {"caf\u00e9": "positive"}])
@pytest.mark.parametrize("spelled", ["caf\u00e9", "cafe\u0301"])
def test_labels_are_known_in_either_form_of_unicode(values, spelled):
    name = "positive" if values else "caf\u00e9"
    change = {"labels": {name: " good", "negative": " bad"}, "values": values}
    task = load_task("nursery-sentiment", ROOT / "tasks", overrides=change)
    assert item_of(Row({"id": 1, "text": "a", "sentiment": spelled}, "a:1"), task, "1").target == name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["a", ""], "has an empty option"),
        ([" \n", "a"], "has an empty option"),
        (["a", None], "has an empty option"),
        (["a"], "not a list of two or more options"),
        ("ab", "not a list of two or more options"),
    ],
)
def test_options_that_could_not_be_distinguished_are_refused_with_file_and_line(options, message):
    task = replace(load_task("nursery-questions", ROOT / "tasks", overrides={}), id=None, cluster=None)
    fields = {"passage": "a", "question": "b", "answer": 1}
    assert item_of(Row(fields | {"options": ["a", 0]}, "a.jsonl:1"), task, "1").choices == ["a", "0"]
    with pytest.raises(UserError, match=rf"^a\.jsonl:3: options .*{message}.*\nhint: "):
        item_of(Row(fields | {"options": options}, "a.jsonl:3"), task, "3")


def test_a_key_may_be_an_expression_over_columns(task):
    texts = {"text": "{{ title ~ ': ' ~ parts[1] }}"}
    task = replace(task, fields=texts, label="{{ names[mood] }}", cluster="{{ 1 + mood }}")
    row = Row({"title": "Play", "parts": ["a", "not dull"], "names": ["negative", "positive"], "mood": 1}, "a:4")
    item = item_of(row, task, "4")
    assert (item.fields, item.target, item.cluster) == ({"text": "Play: not dull"}, "positive", "2")
    with pytest.raises(UserError, match=r"^a:5: mood is null\nhint: .*keep: '{{ mood is not none }}'"):
        item_of(Row({**row.values, "mood": None}, "a:5"), task, "5")
    with pytest.raises(UserError, match=r"^a:5: the row has no 'mood'; it has .*parts, title\nhint: fix the row"):
        item_of(Row({name: value for name, value in row.values.items() if name != "mood"}, "a:5"), task, "5")
    with pytest.raises(UserError, match=r"^a:6: the expression '1 \+ mood' has no value: .*\nhint: fix the row"):
        item_of(Row({**row.values, "mood": "x"}, "a:6"), task, "6")
    with pytest.raises(
        UserError, match=r"^a:7: the expression '{{ names\[mood\] }}' evaluates to an empty value\nhint: fix the row"
    ):
        item_of(Row({**row.values, "mood": 5}, "a:7"), task, "7")


def test_an_expression_asks_for_a_column_whose_name_is_no_word_by_row(task):
    task = replace(task, label="{{ row['Best Answer'] | lower }}", keep="{{ row['Is it good?'] is not none }}")
    asked = {"text": "a", "Best Answer": "Positive", "Is it good?": 0}
    assert item_of(Row(asked, "a:1"), task, "1").target == "positive"
    assert kept_rows([Row(asked, "a:1")], task.keep)
    assert not kept_rows([Row(asked | {"Is it good?": None}, "a:1")], task.keep)
    assert not kept_rows([Row({"text": "a", "Best Answer": "Positive"}, "a:1")], task.keep)
    with pytest.raises(UserError, match=r"^a:2: 'Best Answer' is null\nhint: .* row\[\"Best Answer\"\] is not none }}"):
        item_of(Row(asked | {"Best Answer": None}, "a:2"), task, "2")
    with pytest.raises(UserError, match=r"^a:3: the row has no 'Best Answer'; it has Best, text\n"):
        item_of(Row({"text": "a", "Best": "positive"}, "a:3"), task, "3")
    with pytest.raises(UserError, match=r"the row has no 'Best'; it has .*\nhint: .* as {{ row\['Best Answer'\] }}"):
        item_of(Row(asked, "a:4"), replace(task, label="{{ Best }}"), "4")
    # a column of that name is itself
    own = Row({"text": "a", "row": {"Best Answer": "negative"}}, "a:5")
    assert item_of(own, replace(task, label="{{ row['Best Answer'] }}"), "5").target == "negative"
    with pytest.raises(UserError, match=r"hint: .*{{ row\['Best Answer'\] }}"):
        load_task("nursery-sentiment", ROOT / "tasks", overrides={"label": "{{ Best Answer }}"})


@pytest.mark.parametrize(
    ("column", "text", "way"),
    [
        ("options", "a; b; c", """{{ options.split("; ") }}"""),
        ("All options", "a|b", """{{ row["All options"].split("|") }}"""),
        ("options", "abc", None),
    ],
)
def test_options_in_one_text_are_taken_apart_by_an_expression_that_the_error_says(column, text, way):
    task = replace(load_task("nursery-questions", ROOT / "tasks", overrides={}), id=None, cluster=None, options=column)
    row = Row({"passage": "a", "question": "b", "answer": 1, column: text}, "a.csv:2")
    with pytest.raises(UserError, match=rf"^a\.csv:2: {column} is .*, not a list of two or more options\n") as refused:
        item_of(row, task, "1")
    assert str(refused.value).endswith(f"options: '{way}'" if way else "hint: fix the row")
    if way:
        assert item_of(row, replace(task, options=way), "1").choices == re.split(r"; |\|", text)


OWN = {"options": "{{ [wrong, right, other] | shuffled }}", "answer": "{{ options.index(right) }}"}


def test_options_may_stand_in_columns_and_be_shuffled_the_same_everywhere():
    task = replace(load_task("nursery-questions", ROOT / "tasks", overrides=OWN), id=None, cluster=None)
    golds = []
    for number in range(60):
        row = {"passage": "a", "question": "b"}
        row |= {"right": f"cat {number}", "wrong": f"dog {number}", "other": f"{number}"}
        item, again = (item_of(Row(r, "a:1"), task, "1") for r in (row, dict(reversed(row.items()))))
        assert item == again and item.choices[item.gold] == item.target == row["right"]
        assert sorted(item.choices) == sorted([row["right"], row["wrong"], row["other"]])
        golds.append(item.gold)
    assert all(10 < golds.count(place) < 30 for place in range(3))


@pytest.mark.parametrize(("answer", "gold"), [(1, 1), ("1", 1), ("0", 0)])
def test_the_place_of_the_right_option_may_be_text(answer, gold):
    task = replace(load_task("nursery-questions", ROOT / "tasks", overrides={}), id=None, cluster=None)
    row = {"passage": "a", "question": "b", "options": ["a", "c"], "answer": answer}
    assert item_of(Row(row, "a:1"), task, "1").gold == gold
    for wrong in ("", "-1", "2", 2, True, "B"):
        with pytest.raises(UserError, match=r"^a:1: answer is .*, but there are 2 options, numbered from 0\nhint: "):
            item_of(Row(row | {"answer": wrong}, "a:1"), task, "1")


def test_of_several_right_answers_the_first_is_learned():
    task = replace(load_task("nursery-summary", ROOT / "tasks", overrides={}), id=None)
    several = item_of(Row({"text": "a", "summary": ["b c", "c b"]}, "a:1"), task, "1")
    assert (several.target, several.references) == ("b c", ["b c", "c b"])
    one = item_of(Row({"text": "a", "summary": "b c"}, "a:1"), task, "1")
    assert (one.target, one.references) == ("b c", ["b c"])
    for none in ([], ["b", " "]):
        with pytest.raises(UserError, match=r"^a:1: summary is \[.*\], not one or more texts\nhint: "):
            item_of(Row({"text": "a", "summary": none}, "a:1"), task, "1")

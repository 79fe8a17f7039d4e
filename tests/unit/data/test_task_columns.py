"""What a task file says of columns is refused where it cannot be meant of the rows at hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from ripeness.data.items import draw_items
from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.study.tasks import load_task

ROOT = Path(__file__).parents[3]
SIZES = {"train": 4, "validation": 2, "test": 2, "shots": 1, "seed": 0}
SOURCE = {"train": "a", "validation": "a", "test": "a"}


@pytest.fixture
def draw():
    """Give a function that draws the items of a task with other keys, of rows with the values of a column in turn."""

    def drawn(kind, *values, column="ok", **keys):
        task = load_task(
            {"choice": "nursery-mood", "generation": "nursery-summary"}[kind], ROOT / "tasks", overrides={}
        )
        rows = [
            Row({"text": f"t{n}", "mood": "good", "summary": f"s{n}"} | {column: values[n % len(values)]}, f"a.csv:{n}")
            for n in range(20)
        ]
        return draw_items({"a": rows}, replace(task, id=None, source=SOURCE, **keys), sizes=SIZES)

    return drawn


@pytest.mark.parametrize(
    "keep",
    ["okk", "{{ not okk }}", "{{ okk != '1' }}", "{{ okk is none }}", "{{ row['okk'] != '1' }}", "{{ okk or ok }}"],
)
def test_a_column_that_no_row_has_is_refused_in_keep_and_leaves_nothing_in_or_out(draw, keep):
    with pytest.raises(UserError, match=r"^keep: no row has a column 'okk'; there are .*\nhint: did you mean 'ok'\?"):
        draw("choice", "1", "0", keep=keep)


def test_an_expression_without_braces_is_not_taken_for_a_column(draw):
    with pytest.raises(UserError, match=r"has a column \"ok == '1'\".*\nhint: .* in braces: '\{\{ ok == '1' \}\}'"):
        draw("choice", "1", "0", keep="ok == '1'")


def test_a_column_that_some_rows_lack_or_that_is_asked_whether_it_is_there_is_fine(draw):
    rows = {"a": [Row({"text": f"t{n}", "mood": "good"} | ({"skip": 1} if n == 3 else {}), "a:1") for n in range(20)]}
    task = replace(load_task("nursery-mood", ROOT / "tasks", overrides={}), id=None, source=SOURCE)
    drawn = draw_items(rows, replace(task, keep="{{ not skip }}"), sizes=SIZES)
    assert "t3" not in {item.fields["text"] for items in drawn.values() for item in items}
    for keep in ("{{ skip is not defined }}", "{{ skip is undefined }}"):
        assert sum(map(len, draw_items(rows, replace(task, keep=keep), sizes=SIZES).values())) == 9
    with pytest.raises(UserError, match="no rows are left for validation in a, which has 20"):
        draw_items(rows, replace(task, keep="{{ skip is defined }}"), sizes=SIZES)
    assert draw("choice", "1", keep="{{ okk is undefined }}")["test"]


@pytest.mark.parametrize("words", [("1", "0"), ("true", "false")])
@pytest.mark.parametrize(
    "keys",
    [
        {"label": "{{ 'good' if ok == 1 else 'bad' }}"},
        {"label": "{{ 'good' if ok == true else 'bad' }}"},
        {"label": "{{ 'good' if ok in [1, 2] else 'bad' }}"},
        {"fields": {"text": "{{ text ~ ('!' if ok != 0 else '?') }}"}},
        {"fields": {"text": "text", "ok": "ok"}, "formats": {"io": "{{ text }}{% if ok == 1 %}!{% endif %}"}},
    ],
)
def test_a_text_is_not_compared_with_a_number_anywhere(draw, keys, words):
    with pytest.raises(UserError, match=r"^(label|fields.text|formats.io): ok is always a text, .*\nhint: a text"):
        draw("choice", *words, **keys)


def test_a_number_is_not_compared_with_a_text_anywhere(draw):
    with pytest.raises(UserError, match=r"^label: ok is always a number, such as 1, and never the text '1'"):
        draw("choice", 1, 0, label="{{ 'good' if ok == '1' else 'bad' }}")
    drawn = draw("choice", 1, 0, label="{{ 'good' if ok == 1 else 'bad' }}")
    assert {item.target for items in drawn.values() for item in items} == {"good", "bad"}


@pytest.mark.parametrize("words", [("1", "0"), ("True", "False"), ("yes", "no"), ("3", "0.0")])
@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("choice", {"label": "{{ 'good' if ok else 'bad' }}"}),
        ("choice", {"label": "{{ 'bad' if not ok else 'good' }}"}),
        ("generation", {"target": "{{ 'yes' if ok and text else 'no' }}"}),
        ("generation", {"fields": {"text": "{{ text if ok else '-' }}"}}),
        (
            "generation",
            {"fields": {"text": "text", "ok": "ok"}, "formats": {"io": "{{ text }}{% if ok %}!{% endif %}"}},
        ),
    ],
)
def test_a_text_that_says_false_is_not_tested_for_truth(draw, kind, keys, words):
    with pytest.raises(UserError, match=r"^[\w.]+: ok is tested for truth, but the text '.*' counts as .*\nhint: comp"):
        draw(kind, *words, **keys)


def test_what_may_be_tested_for_truth_still_is(draw):
    choose = "{{ 'good' if ok else 'bad' }}"
    for values in ((True, False), (1, 0), ("some", "text"), ("1", "2")):
        assert draw("choice", *values, label=choose)["test"]
    drawn = draw("generation", "0", "12", target="{{ ok or text }}")  # a number as a text is a text
    assert {item.target for items in drawn.values() for item in items} == {"0", "12"}


@pytest.mark.parametrize("value", [[None, "b"], ["b", None], {"x": 1}, [["b"]], True, [False], [{"text": "b"}]])
def test_an_answer_without_a_text_of_its_own_is_refused(draw, value):
    with pytest.raises(UserError, match=r"^a.csv:0: ok has .*, which is no text\nhint: fix the row; "):
        draw("generation", value, target="ok")


@pytest.mark.parametrize("value", ["", "  ", "\n", [""], []])
def test_an_answer_without_a_word_is_refused(draw, value):
    with pytest.raises(UserError, match=r"^a.csv:0: ok is .*, not one or more texts\nhint: fix the row"):
        draw("generation", value, target="ok")


@pytest.mark.parametrize("values", [[True, False], [["a"], ["b"]], [{"t": 1}, {"t": 2}]])
def test_options_without_a_text_of_their_own_are_refused(draw, values):
    with pytest.raises(UserError, match=r"^a.csv:0: ok has .*, which is no text\nhint: fix the row; "):
        draw("choice", values, options="ok", answer="{{ 0 }}", labels=None, label=None)


def test_numbers_are_options_and_answers(draw):
    drawn = draw("choice", [1, 2.5], options="ok", answer="{{ 0 }}", labels=None, label=None)
    assert drawn["test"][0].choices == ["1", "2.5"]
    assert draw("generation", 42, target="ok")["test"][0].target == "42"


def test_where_all_rows_are_left_out_the_keys_that_do_so_are_named(draw):
    for keys, named in ((dict(keep="ok"), "keep"), (dict(keep="ok", max_characters=1), "keep and max_characters")):
        with pytest.raises(UserError, match=rf"left for test in a, which has 20\nhint: .* {named} of the task file"):
            draw("choice", "0", **keys)

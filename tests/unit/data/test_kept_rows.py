"""`keep`: which rows are kept, and which words and numbers are refused because they might not mean what they say."""

import math
from dataclasses import replace

import pytest
from drawn_items import ROOT

from ripeness.data.items import read_items
from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.study.tasks import load_task


def kept(keep, *values, column="ok"):
    """The places of the rows that are kept, of rows with these values in a column."""
    task = replace(load_task("nursery-mood", ROOT / "tasks", overrides={"values": {"1": "good"}}), id=None, keep=keep)
    rows = [Row({"text": f"t{n}", "mood": "1", column: value}, f"a.csv:{n}") for n, value in enumerate(values)]
    return [int(item.fields["text"][1:]) for item in read_items(rows, task, "a")]


WAYS = ["ok", "{{ ok }}", "{{ ok and text }}", "{{ not not ok }}", "{{ text if ok else none }}", "{{ ok and 1 }}"]

WAYS += ["{{ row.ok }}", "{{ row['ok'] }}", "{{ row.get('ok') }}", "{{ row.ok and 1 }}", "{{ 2 if row.ok else 0 }}"]

WAYS += ["{{ (row | list) and row.ok }}", "{{ row.values() | list and row.ok }}", "{{ 1 and ok }}"]


@pytest.mark.parametrize("keep", WAYS)
@pytest.mark.parametrize(
    ("true", "false"),
    [
        ("true", "false"),
        ("True", "FALSE"),
        ("yes", "no"),
        ("1", "0"),
        ("Y", "n"),
        (" on", "off "),
        ("1.0", "0.0"),
        ("t", "f"),
        ("1.00", "0.00"),
        ("2", "0"),
        ("-1e3", "+0.0e5"),
        ("yes", "0.000"),
    ],
)
def test_words_for_false_are_false(keep, true, false):
    assert kept(keep, true, false, true, None, false) == [0, 2]


def test_a_column_of_false_alone_keeps_nothing_and_the_contrary_of_it_all():
    assert kept("ok", "false", "no", "") == [] and kept("{{ not ok }}", "false", "true", "no") == [0, 2]


def test_values_of_other_types_and_texts_count_as_before():
    assert kept("ok", True, False, 1, 0, None) == [0, 2]
    assert kept("ok", "some", "", "text", None) == [0, 2]
    assert kept("{{ ok and text }}", "no", "what?", "0") == [0, 1, 2]  # questions, of which one is "no"
    assert kept("{{ ok == 'true' }}", "true", "false") == [0]
    assert kept("{{ ok|trim }}", "no", "0", "1 ") == [2]
    assert kept("{{ [ok, 'x'][0] }}", "no", "yes") == [1] and kept("{{ ok|trim }}", "no", "some text") == [0, 1]
    assert kept("ok", 0.5, math.nan, 0.0) == [0]


@pytest.mark.parametrize("keep", ["ok", "{{ ok }}"])
def test_a_word_for_false_among_other_texts_is_refused(keep):
    with pytest.raises(UserError, match=r"^keep: the column ok has 'no' and also 'perhaps'.*\nhint: .* ok != \"no\" "):
        kept(keep, "yes, of course", "no", "perhaps")


@pytest.mark.parametrize("keep", WAYS)
@pytest.mark.parametrize(("true", "false"), [("Ja", "Nein"), ("да", "нет"), ("good", "bad"), ("oui", "no")])
def test_flags_in_other_words_are_refused_with_the_ways_to_say_what_is_meant(keep, true, false):
    with pytest.raises(UserError, match=rf"^keep: the column ok has .*'{true}'.*\nhint: .* ok == .*ok is not none"):
        kept(keep, true, false, true, None, false)
    assert kept(f"{{{{ ok == '{true}' }}}}", true, false, true, None, false) == [0, 2]
    assert kept("{{ ok is not none }}", true, false, true, None, false) == [0, 1, 2, 4]


@pytest.mark.parametrize(
    "keep",
    ["ok != 0", "ok == 1", "ok == true", "0 != ok", "row.ok != 0.0", "ok|trim != 0", "text and ok != false"]
    + ["ok in [0, 1]", "ok not in (0, 2)", "ok is ne(0)", "ok is sameas true", "not ok == 0", "row.get('ok') == 1"],
)
@pytest.mark.parametrize("words", [("1", "0"), ("true", "false"), ("1.00", "0.00"), ("a text", "0")])
def test_a_text_is_not_compared_with_a_number(keep, words):
    with pytest.raises(UserError, match=r"^keep: ok is always a text, .* never (the num|true|false).*\nhint: a"):
        kept("{{ " + keep + " }}", *words, None)


@pytest.mark.parametrize("keep", ["ok != '0'", 'ok == "1"', "ok in ['1']", "ok == 'true'"])
@pytest.mark.parametrize("values", [(1, 0), (True, False), (1.0, 0.0)])
def test_a_number_is_not_compared_with_a_text(keep, values):
    with pytest.raises(UserError, match=r"^keep: ok is always a number, .* never the text .*\nhint: numbers"):
        kept("{{ " + keep + " }}", *values, None)


def test_comparisons_that_can_be_true_stay():
    assert kept("{{ ok|int != 0 }}", "1", "0", "0.00") == [0] and kept("{{ ok|float > 0.5 }}", "1.0", "0.5") == [0]
    assert kept("{{ ok == 1 }}", True, False, 1, None) == [0, 2] and kept("{{ ok != 0 }}", None, None) == [0, 1]
    assert kept("{{ ok in [0, '1'] }}", "1", "0") == [0] and kept("{{ ok == 1 or ok == 'x' }}", 1, "x", "0") == [0, 1]
    assert kept("{{ ok | length == 2 }}", "ab", "a") == [0] and kept("{{ ok[0] == 1 }}", [1], [0]) == [0]
    assert kept("{{ 'a' in ok }}", "ab", "b") == [0] and kept("{{ 1 in ok }}", [1], [2]) == [0]


def test_words_that_an_expression_gives_are_refused_where_every_text_is_true():
    with pytest.raises(UserError, match=r"^keep: the expression .* gives the texts 'no', 'yes', and every text counts"):
        kept("{{ 'yes' if ok == 'Ja' else 'no' }}", "Ja", "Nein", "Ja")
    assert kept("{{ 'yes' if ok == 'Ja' else '' }}", "Ja", "Nein", "Ja") == [0, 2]


def test_what_every_table_of_python_has_is_no_column():
    with pytest.raises(UserError, match=r"^a.csv:0: the expression 'row.items' gives no .*\nhint: .*row\['items'\]"):
        kept("{{ row.items }}", "no", "yes", column="items")
    assert kept("{{ row['items'] }}", "no", "yes", column="items") == [1]

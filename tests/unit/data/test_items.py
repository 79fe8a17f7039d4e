"""Items: disjoint, drawn by seed, the same for every format."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from ripeness.data.examples import examples
from ripeness.data.items import draw_items, item_of, read_items
from ripeness.data.kept_rows import kept_rows
from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.study.tasks import load_task

ROOT = Path(__file__).parents[3]
SIZES = {"train": 20, "validation": 5, "test": 8, "shots": 4, "seed": 0}


def rows(n, name="all.jsonl", **more):
    return [
        Row({"text": f"{name} {i}", "sentiment": ["positive", "negative"][i % 2]} | more, f"{name}:{i + 1}")
        for i in range(n)
    ]


@pytest.fixture
def task():
    loaded = load_task("nursery-sentiment", ROOT / "tasks", overrides={})
    return replace(loaded, id=None, source={"train": "all.jsonl", "validation": "all.jsonl", "test": "all.jsonl"})


def ids(items):
    return [item.id for item in items]


def test_roles_that_share_a_file_get_disjoint_rows(task):
    drawn = draw_items({"all.jsonl": rows(100)}, task, sizes=SIZES)
    assert {role: len(items) for role, items in drawn.items()} == {"test": 8, "validation": 5, "shots": 4, "train": 20}
    everything = [i for items in drawn.values() for i in ids(items)]
    assert len(set(everything)) == len(everything)


def test_the_draw_is_a_function_of_its_seed(task):
    again = [draw_items({"all.jsonl": rows(100)}, task, sizes=SIZES | {"seed": seed}) for seed in (0, 0, 1)]
    assert again[0] == again[1] and ids(again[0]["test"]) != ids(again[2]["test"])


def test_more_test_items_keep_those_there_were(task):
    small = draw_items({"all.jsonl": rows(100)}, task, sizes=SIZES)
    large = draw_items({"all.jsonl": rows(100)}, task, sizes=SIZES | {"test": 30})
    assert ids(large["test"])[:8] == ids(small["test"])


def test_shots_may_be_the_first_test_rows_which_are_then_scored_too(task):
    sizes = SIZES | {"test": 100, "train": 1, "validation": 1, "shots_from": "test"}
    sources = {role: rows(100 if role == "test" else 5, role) for role in ("train", "validation", "test")}
    apart = replace(task, source={role: role for role in sources})
    drawn = draw_items(sources, apart, sizes=sizes)
    assert ids(drawn["shots"]) == ["test:1", "test:2", "test:3", "test:4"]
    assert set(ids(drawn["shots"])) < set(ids(drawn["test"])) and len(drawn["test"]) == 100


def test_rows_of_training_that_are_held_out_are_refused_or_dropped(task):
    task = replace(task, source={"train": "a", "validation": "b", "test": "c"})
    sources = {"a": rows(50, "a"), "b": rows(10, "b"), "c": rows(5, "a")}
    with pytest.raises(UserError, match="training rows are also among"):
        draw_items(sources, task, sizes=SIZES | {"train": 50})
    drawn = draw_items(sources, replace(task, overlap="drop"), sizes=SIZES | {"train": 50})
    held = {item.fields["text"] for item in drawn["test"]}
    assert drawn["train"] and not held & {item.fields["text"] for item in drawn["train"]}


def test_rows_that_are_too_long_are_left_out_of_every_role(task):
    mixed = rows(60) + rows(60, "a much longer text that does not fit anywhere.jsonl")
    drawn = draw_items({"all.jsonl": mixed}, replace(task, max_characters=30), sizes=SIZES)
    assert all(item.fields["text"].startswith("all") for items in drawn.values() for item in items)


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
def test_options_that_could_not_be_told_apart_are_refused_with_file_and_line(options, message):
    task = replace(load_task("nursery-questions", ROOT / "tasks", overrides={}), id=None, cluster=None)
    fields = {"passage": "a", "question": "b", "answer": 1}
    assert item_of(Row(fields | {"options": ["a", 0]}, "a.jsonl:1"), task, "1").choices == ["a", "0"]
    with pytest.raises(UserError, match=rf"^a\.jsonl:3: options .*{message}.*\nhint: "):
        item_of(Row(fields | {"options": options}, "a.jsonl:3"), task, "3")


@pytest.mark.parametrize("role", ["shots", "validation"])
def test_what_is_asked_in_the_test_is_neither_shown_as_a_shot_nor_chosen_by(task, role):
    task = replace(task, source={"train": "a", "validation": "b", "test": "c"})
    sources = {"a": rows(30, "a"), "b": rows(30, "b"), "c": rows(8, "c")}
    sources["a" if role == "shots" else "b"][::2] = rows(30, "c")[:8] + rows(7, "d")
    sizes, named = SIZES | {"train": 1, role: 12}, "training" if role == "shots" else "validation"
    with pytest.raises(UserError, match=f"{named} rows are also among .* of test\nhint: "):
        draw_items(sources, task, sizes=sizes)
    drawn = draw_items(sources, replace(task, overlap="drop"), sizes=sizes)
    assert len(drawn[role]) == 12
    assert not {item.fields["text"] for item in drawn[role]} & {item.fields["text"] for item in drawn["test"]}


def test_files_of_the_same_name_in_different_folders_have_items_of_their_own(task):
    sources = {f"{split}/rows.jsonl": rows(40, split) for split in ("train", "validation", "test")}
    task = replace(task, source={name.partition("/")[0]: name for name in sources})
    drawn = draw_items(sources, task, sizes=SIZES)
    assert all(item.id.startswith("test/rows.jsonl:") for item in drawn["test"])


def test_formats_ask_the_same_items_with_the_same_answers(task):
    items = draw_items({"all.jsonl": rows(100)}, task, sizes=SIZES)["test"]
    made = {name: list(examples(items, task, name)) for name in task.formats}
    words = {name: [[word.strip() for word in row["choices"]] for row in some] for name, some in made.items()}
    letters = words.pop("lettered")
    assert all(some == [["good", "bad"]] * 8 for some in words.values()) and letters == [["A", "B"]] * 8
    assert len({str([(row["item"], row["gold"]) for row in some]) for some in made.values()}) == 1
    assert len({some[0]["prompt"] for some in made.values()}) == len(task.formats)
    assert all(row["target"] == row["choices"][row["gold"]] for some in made.values() for row in some)


@pytest.mark.parametrize(
    ("n", "drawn"),
    [  # of 824 wanted: 512, 80, 200 and 32
        (824, {"test": 200, "validation": 80, "shots": 32, "train": 512}),
        (412, {"test": 100, "validation": 40, "shots": 16, "train": 256}),
        (200, {"test": 49, "validation": 19, "shots": 8, "train": 124}),
        (40, {"test": 8, "validation": 3, "shots": 8, "train": 21}),
        (5, {"test": 1, "validation": 1, "shots": 2, "train": 1}),
        (4, {"test": 1, "validation": 1, "shots": 1, "train": 1}),
    ],
)
def test_a_source_too_small_for_its_roles_is_split_in_proportion_to_what_is_wanted(task, n, drawn):
    sizes = {"train": 512, "validation": 80, "test": 200, "shots": 32, "seed": 0}
    items = draw_items({"all.jsonl": rows(n)}, task, sizes=sizes)
    assert {role: len(some) for role, some in items.items()} == drawn
    assert len({i for some in items.values() for i in ids(some)}) == n
    with pytest.raises(UserError, match="no rows are left for train"):
        draw_items({"all.jsonl": rows(3)}, task, sizes=SIZES)


def test_only_the_roles_of_the_small_source_get_less(task):
    apart = replace(task, source={"train": "a", "validation": "a", "test": "b"})
    sizes = {"train": 30, "validation": 30, "test": 30, "shots": 1, "seed": 0}
    for n_test, left in [(90, 30), (20, 20)]:
        drawn = draw_items({"a": rows(31, "a"), "b": rows(n_test, "b")}, apart, sizes=sizes)
        assert {role: len(some) for role, some in drawn.items()} == {
            "test": left, "validation": 15, "shots": 1, "train": 15,
        }  # fmt: skip


def test_rows_that_are_dropped_or_too_long_do_not_count_where_a_source_is_split(task):
    sizes = {"train": 40, "validation": 10, "test": 10, "shots": 2, "seed": 0}
    long = rows(100, "a much longer text that does not fit anywhere.jsonl")
    drawn = draw_items({"all.jsonl": rows(31) + long}, replace(task, max_characters=30), sizes=sizes)
    assert {role: len(some) for role, some in drawn.items()} == {"test": 5, "validation": 5, "shots": 2, "train": 19}
    twice = replace(task, overlap="drop")
    drawn = draw_items({"all.jsonl": rows(31) + rows(31)}, twice, sizes=sizes)
    assert len(drawn["train"]) >= 19 and len(drawn["validation"]) == len(drawn["test"]) == 5
    texts = {role: {item.fields["text"] for item in some} for role, some in drawn.items()}
    assert not texts["train"] & (texts["test"] | texts["validation"] | texts["shots"])


@pytest.mark.parametrize(("n", "test", "train"), [(320, 200, 112), (210, 133, 69), (5000, 200, 4792)])
def test_who_wants_all_there_are_leaves_the_others_theirs_but_not_everything(task, n, test, train):
    apart = replace(task, source={"train": "a", "validation": "b", "test": "a"})
    sizes = {"train": 1_000_000, "validation": 2, "test": 200, "shots": 8, "seed": 0}
    drawn = draw_items({"a": rows(n, "a"), "b": rows(5, "b")}, apart, sizes=sizes)
    assert (len(drawn["test"]), len(drawn["shots"]), len(drawn["train"])) == (test, 8, train)


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


def test_rows_that_are_not_kept_are_left_out_of_every_role(task):
    mixed = [Row(row.values | {"more": i % 3 or None}, row.where) for i, row in enumerate(rows(60))]
    for keep in ("more", "{{ more }}", "{{ more is not none }}"):
        drawn = draw_items({"all.jsonl": mixed}, replace(task, keep=keep), sizes=SIZES)
        assert {(int(id_.split(":")[1]) - 1) % 3 for items in drawn.values() for id_ in ids(items)} == {1, 2}


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

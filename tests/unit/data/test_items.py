"""Items: disjoint, drawn by seed, the same for every format."""

from dataclasses import replace

import pytest
from drawn_items import SIZES, ids, rows

from ripeness.data.examples import examples
from ripeness.data.items import draw_items
from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError


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


def test_rows_that_are_not_kept_are_left_out_of_every_role(task):
    mixed = [Row(row.values | {"more": i % 3 or None}, row.where) for i, row in enumerate(rows(60))]
    for keep in ("more", "{{ more }}", "{{ more is not none }}"):
        drawn = draw_items({"all.jsonl": mixed}, replace(task, keep=keep), sizes=SIZES)
        assert {(int(id_.split(":")[1]) - 1) % 3 for items in drawn.values() for id_ in ids(items)} == {1, 2}

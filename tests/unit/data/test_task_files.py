"""Every task file against a dozen rows in the published shape, and against real rows where they are at hand.

tests/rows/<task>.yaml has the invented rows, the columns and types of the dataset on the hub, and the prompts that are
expected of some rows, written out by hand (tests/dataset_rows.py explains the keys).
"""

import json
import os
from pathlib import Path

import pytest
from dataset_rows import FOLDER, file_with_rows, read

from ripeness.data.examples import examples
from ripeness.data.items import draw_items, item_of, read_items
from ripeness.data.nursery import scenes, world
from ripeness.data.nursery.facts import FACT_TASKS, fact_rows
from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.study.scoring.extraction import extracted
from ripeness.study.tasks import load_task

ROOT = Path(__file__).parents[3]
TASKS = ROOT / "tasks"
DATA = Path(os.environ.get("RIPENESS_TEST_DATA", ROOT.parent / "shared")).resolve() / "data"
NAMES = sorted(path.stem for path in TASKS.glob("*.yaml"))
PUBLISHED = [name for name in NAMES if not name.startswith("nursery-")]
WITH_ROWS = [name for name in PUBLISHED if "rows" in read(name)]
FORMATS = {"choice": ["default", "io", "instruct", "chat", "lettered"]}
FORMATS["generation"] = FORMATS["preference"] = FORMATS["choice"][:-1]
APART = ("statement", "question")  # two ways to ask for a fact, of which a format has one
SIZES = {"train": 4, "validation": 2, "test": 3, "shots": 1, "seed": 0}


def published(name):
    """Read the dozen rows that a task reads; tasks on one dataset share them."""
    task = load_task(name, TASKS, overrides={})
    made = rows_of_world(task.source["world"]) if "world" in task.source else file_with_rows(name)["rows"]
    return [Row(values, f"{name}:{place}") for place, values in enumerate(made)]


def rows_of_world(name):
    if name == scenes.TASK:
        return scenes.scene_rows(n=12, split="test", seed=0)
    return (fact_rows if name in FACT_TASKS else world.rows)(name, n=12, split="test", seed=0)


def example(name, place, format_):
    """Word one row in a format."""
    task = load_task(name, TASKS, overrides={})
    return next(examples([item_of(published(name)[place], task, "1")], task, format_))


@pytest.mark.parametrize("name", WITH_ROWS)
def test_rows_have_the_columns_and_types_as_published(name):
    rows = read(name)["rows"]
    assert len(rows) == 12
    for row in rows:
        assert {column: type(value).__name__ for column, value in row.items()} == read(name)["columns"]


def test_every_task_has_its_file_and_no_other_is_there():
    assert sorted(path.stem for path in FOLDER.iterdir()) == PUBLISHED


@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_read_and_every_label_is_reached(name):
    task = load_task(name, TASKS, overrides={})
    items = read_items(published(name), task, "rows")
    left_out = read(name).get("left_out", []) if name in PUBLISHED else []
    kept = [place for place in range(12) if place not in left_out]
    assert [item.id for item in items] == [f"rows:{place + 1}" for place in kept] or task.id
    golds = {item.gold for item in items}
    if task.kind == "generation":
        assert golds == {-1} and all(item.target == item.references[0] for item in items)
    else:
        known = set(range(len(task.labels) if task.labels else max(golds) + 1))
        assert golds <= known if task.view_of else golds == known  # a view may have some of a dozen rows alone
        assert len(golds) > 1
        assert all(item.choices[item.gold] == item.target for item in items)
    if task.cluster and task.source.get("world") != "category":
        assert len({item.cluster for item in items}) <= len(items)


@pytest.mark.parametrize("name", NAMES)
def test_every_format_words_every_item_and_no_two_alike(name):
    task = load_task(name, TASKS, overrides={"source": dict.fromkeys(("train", "validation", "test"), "a")})
    assert list(task.formats) == FORMATS[task.kind]
    drawn = draw_items({"a": published(name)}, task, sizes=SIZES)
    for item in [item for items in drawn.values() for item in items]:
        made = {format_: next(examples([item], task, format_)) for format_ in task.formats}
        assert len({(row["prompt"], str(row["turns"])) for row in made.values()}) == len(made)
        for format_, row in made.items():
            read = row["prompt"] + "".join(turn["content"] for turn in row["turns"])
            texts = [value for name, value in item.fields.items() if isinstance(value, str) and name not in APART]
            assert read.strip() and "{{" not in read and all(text in read for text in texts)
            ways = [item.fields[name] for name in APART if name in item.fields]
            assert not ways or any(way in read for way in ways)
            assert (format_ == "chat") == bool(row["turns"])
            assert row["target"] == (row["choices"][row["gold"]] if item.choices else row["target"])
            assert row["target"][0].isspace() != (format_ == "chat" or row["prompt"][-1].isspace())
            # what io lacked in Amuro & Char: a mark where the input ends
            assert format_ != "io" or row["prompt"].endswith(("\nOutput:", "\noutput :"))


@pytest.mark.parametrize("name", [name for name in PUBLISHED if "unlabelled" in read(name)])
def test_a_row_without_a_label_is_refused_and_has_no_gold(name):
    task, row = load_task(name, TASKS, overrides={}), published(name)[0]
    ((column, value),) = read(name)["unlabelled"].items()
    assert item_of(row, task, "1").target
    with pytest.raises(UserError, match=rf"^{name}:0: .*\nhint: "):
        item_of(Row(row.values | {column: value}, row.where), task, "1")


@pytest.mark.parametrize(
    ("name", "example_"), [(name, example_) for name in PUBLISHED for example_ in read(name)["expected"]]
)
def test_a_row_is_worded_as_written_out_by_hand(name, example_):
    made, right = example(name, example_["row"], example_["format"]), example_.get("right", 0)
    if example_["format"] == "chat":
        assert [{turn["role"]: turn["content"]} for turn in made["turns"]] == example_["turns"]
    else:
        assert (made["prompt"], made["turns"]) == (example_["prompt"], [])
    assert (made["choices"] or [made["target"]]) == example_["answers"]
    assert made["target"] == example_["answers"][right] and made["gold"] == (right if made["choices"] else -1)


def test_a_key_of_openbookqa_is_read_with_white_space_around_it():
    task, row = load_task("openbookqa", TASKS, overrides={}), published("openbookqa")[0]
    spaced = Row(row.values | {"answerKey": f" {row.values['answerKey']} "}, row.where)
    assert item_of(spaced, task, "1") == item_of(row, task, "1")


def test_every_right_answer_of_gsm8k_has_the_number_that_is_compared():
    task = load_task("gsm8k", TASKS, overrides={})
    found = [extracted(row.values["answer"], task.extract) for row in published("gsm8k")]
    assert found[:4] == ["126", "17", "10", "8"] and all(number and number.isdigit() for number in found)


def test_a_tweet_has_all_its_answers():
    assert example("tweetqa", 8, "default")["references"] == ["four hours", "4 hours"]


# Where rows at hand name other columns than those on the hub: the keys that say so.
LISTED = {"options": "choices", "answer": "gold"}
REAL = {
    "arc_easy": ("arc-easy", LISTED),
    "boolq": ("boolq", {}),
    "gpt3_nli": ("gpt3nli", {}),
    "gsm8k": ("gsm8k", {}),
    "mnli": ("mnli", {}),
    "openbookqa": ("openbookqa", LISTED | {"fields": {"question": "question"}}),
    "paws": ("paws", {}),
    "rte": ("rte", {"fields": {"premise": "premise", "hypothesis": "hypothesis"}}),
    "stsb": ("stsb", {"label": "{{ 'similar' if similarity_score > 3.5 else 'different' }}"}),
}


PAIRS = {
    "fields": {"turns": "{{ conversations }}"},
    "chosen": "{{ chosen.value }}",
    "rejected": "{{ rejected.value }}",
    "keep": "{{ chosen.value.split() != rejected.value.split() }}",
    "formats": {"default": "{% for turn in turns %}{{ turn.value }}\n\n{% endfor %}Answer:"},
}


@pytest.mark.real_data
def test_real_pairs_of_answers_are_read():
    file = DATA / "dpo_en_demo/train.jsonl"
    if not file.is_file():
        pytest.skip(f"there is no {file}; RIPENESS_TEST_DATA names another folder")
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    task = load_task("ultrafeedback", TASKS, overrides=PAIRS)
    items = read_items([Row(line, f"line {n}") for n, line in enumerate(lines)], task, "rows")
    assert len(items) > 100 and 40 < sum(item.gold for item in items) < len(items) - 40
    by_chosen = {line["chosen"]["value"].strip(): line for line in lines}
    for item, row in zip(items, examples(items, task, "default"), strict=True):
        line = by_chosen[item.target]
        assert {answer.strip() for answer in row["choices"]} == {
            line[key]["value"].strip() for key in ("chosen", "rejected")
        }
        assert row["target"].strip() == line["chosen"]["value"].strip()
        assert all(turn["value"] in row["prompt"] for turn in line["conversations"])


@pytest.mark.real_data
@pytest.mark.parametrize("folder", REAL)
def test_real_rows_are_drawn_and_worded_in_every_format(folder):
    name, keys = REAL[folder]
    files = {role: DATA / folder / f"{role}.jsonl" for role in ("train", "validation", "test")}
    if not files["test"].is_file():
        pytest.skip(f"there is no {files['test']}; RIPENESS_TEST_DATA names another folder than {DATA.parent}")
    task = load_task(name, TASKS, overrides=keys | {"source": {role: str(path) for role, path in files.items()}})
    rows = {
        str(path): [Row(json.loads(line), f"{path}:{n}") for n, line in enumerate(path.open(encoding="utf-8"), 1)]
        for path in files.values()
    }
    drawn = draw_items(rows, task, sizes={"train": 200, "validation": 100, "test": 200, "shots": 20, "seed": 0})
    assert len(drawn["test"]) == 200
    golds = [item.gold for item in drawn["test"]]
    for format_ in task.formats:
        made = list(examples(drawn["test"], task, format_))
        assert len({row["prompt"] for row in made}) > 100 and all(row["target"].strip() for row in made)
        assert [row["gold"] for row in made] == golds
    if task.kind == "choice":
        places = range(len(task.labels) if task.labels else 3)
        assert all(golds.count(place) > 20 for place in places)

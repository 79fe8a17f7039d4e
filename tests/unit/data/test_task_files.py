"""Every task file against a dozen rows in the published shape, and against real rows where they are at hand.

The rows of tests/rows/ are invented; their columns and types are those of the dataset on the hub. How prompts made from
them must read is written out by hand.
"""

import json
import os
from pathlib import Path

import pytest
from task_rows import shape_of
from worded import EXPECTED

from ripeness.data.examples import examples
from ripeness.data.items import draw_items, item_of, read_items
from ripeness.data.nursery import world
from ripeness.data.rows import Row
from ripeness.measure.extraction import extracted
from ripeness.runtime.errors import UserError
from ripeness.study.tasks import load_task

ROOT = Path(__file__).parents[3]
TASKS, ROWS = ROOT / "tasks", ROOT / "tests/rows"
DATA = Path(os.environ.get("RIPENESS_TEST_DATA", ROOT.parent / "shared")).resolve() / "data"
NAMES = sorted(path.stem for path in TASKS.glob("*.yaml"))
PUBLISHED = [name for name in NAMES if not name.startswith("nursery-")]
FORMATS = {"choice": ["default", "io", "instruct", "chat", "lettered"]}
FORMATS["generation"] = FORMATS["choice"][:-1]
SIZES = {"train": 4, "validation": 2, "test": 3, "shots": 1, "seed": 0}

# columns and types as published; datasets of one shape stand together
PAIR = {"label": int, "idx": int}
ARC = {"id": str, "question": str, "choices": dict, "answerKey": str}
LLMBAR = {"input": str, "output_1": str, "output_2": str, "label": int}
MNLI = {"premise": str, "hypothesis": str} | PAIR
COLUMNS = {
    "anthropic-hh": {"chosen": str, "rejected": str},
    "arc-challenge": ARC,
    "arc-easy": ARC,
    "boolq": {"question": str, "answer": bool, "passage": str},
    "cnn-dailymail": {"article": str, "highlights": str, "id": str},
    "gpt3nli": {"text_a": str, "text_b": str, "label": int, "guid": int},
    "gsm8k": {"question": str, "answer": str},
    "hellaswag": {"ind": int}
    | dict.fromkeys(("activity_label", "ctx_a", "ctx_b", "ctx"), str)
    | {"endings": list}
    | dict.fromkeys(("source_id", "split", "split_type", "label"), str),
    "llmbar-adversarial": LLMBAR,
    "llmbar-natural": LLMBAR,
    "mnli": MNLI,
    "mnli-mismatched": MNLI,
    "openbookqa": {"id": str, "question_stem": str, "choices": dict, "answerKey": str},
    "paws": {"id": int, "sentence1": str, "sentence2": str, "label": int},
    "piqa": {"goal": str, "sol1": str, "sol2": str, "label": int},
    "qqp": {"question1": str, "question2": str} | PAIR,
    "rte": {"sentence1": str, "sentence2": str} | PAIR,
    "sciq": dict.fromkeys(("question", "distractor3", "distractor1", "distractor2", "correct_answer", "support"), str),
    "socialiqa": dict.fromkeys(("context", "question", "answerA", "answerB", "answerC", "label"), str),
    "stsb": {"sentence1": str, "sentence2": str, "label": float, "idx": int},
    "tulu": {"dataset": str, "id": str, "messages": list},
    "tweetqa": {"Question": str, "Answer": list, "Tweet": str, "qid": str},
    "winogrande": dict.fromkeys(("sentence", "option1", "option2", "answer"), str),
    "xlsum": dict.fromkeys(("id", "url", "title", "summary", "text"), str),
    "xsum": dict.fromkeys(("document", "summary", "id"), str),
}
# the places of rows that a task leaves out: conversations without an answer, questions without a passage, a sentence
# that begins with its gap
LEFT_OUT = {"anthropic-hh": [9], "tulu": [10], "sciq-questions": [3, 8], "winogrande": [7]}


def published(name):
    """Read the dozen rows that a task reads; tasks on one dataset share them."""
    task = load_task(name, TASKS, overrides={})
    if "world" in task.source:
        made = world.rows(task.source["world"], n=12, split="test", seed=0)
    else:
        text = (ROWS / f"{shape_of(name)}.jsonl").read_text(encoding="utf-8")
        made = [json.loads(line) for line in text.splitlines()]
    return [Row(values, f"{name}:{place}") for place, values in enumerate(made)]


def example(name, place, format_):
    """Word one row in a format."""
    task = load_task(name, TASKS, overrides={})
    return next(examples([item_of(published(name)[place], task, "1")], task, format_))


@pytest.mark.parametrize("name", COLUMNS)
def test_rows_have_the_columns_and_types_as_published(name):
    rows = published(name)
    assert len(rows) == 12
    for row in rows:
        assert {column: type(value) for column, value in row.values.items()} == COLUMNS[name]


def test_there_are_rows_for_every_task_and_no_others():
    files = {path.stem for path in ROWS.glob("*.jsonl")}
    assert files == set(COLUMNS) == {shape_of(name) for name in PUBLISHED}


@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_read_and_every_label_is_reached(name):
    task = load_task(name, TASKS, overrides={})
    items = read_items(published(name), task, "rows")
    kept = [place for place in range(12) if place not in LEFT_OUT.get(name, [])]
    assert [item.id for item in items] == [f"rows:{place + 1}" for place in kept] or task.id
    golds = {item.gold for item in items}
    if task.kind == "generation":
        assert golds == {-1} and all(item.target == item.references[0] for item in items)
    else:
        assert golds == set(range(len(task.labels) if task.labels else max(golds) + 1)) and len(golds) > 1
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
            texts = [value for value in item.fields.values() if isinstance(value, str)]
            assert read.strip() and "{{" not in read and all(text in read for text in texts)
            assert (format_ == "chat") == bool(row["turns"])
            assert row["target"] == (row["choices"][row["gold"]] if item.choices else row["target"])
            assert row["target"][0].isspace() != (format_ == "chat" or row["prompt"][-1].isspace())
            # what io lacked in Amuro & Char: a mark where the input ends
            assert format_ != "io" or row["prompt"].endswith(("\nOutput:", "\noutput :"))


# what stands in unlabelled splits of these datasets
UNLABELLED = dict.fromkeys(("boolq", "gpt3nli", "mnli", "mnli-mismatched", "paws", "piqa", "qqp", "rte"), -1)
UNLABELLED |= dict.fromkeys(("arc-easy", "arc-challenge", "hellaswag", "openbookqa", "socialiqa", "winogrande"), "")
UNLABELLED |= {"stsb": -1.0, "tweetqa": []}


@pytest.mark.parametrize("name", UNLABELLED)
def test_a_row_without_a_label_is_refused_and_has_no_gold(name):
    task, row = load_task(name, TASKS, overrides={}), published(name)[0]
    (column,) = {"label", "answer", "answerKey", "Answer"} & row.values.keys()
    assert item_of(row, task, "1").target
    with pytest.raises(UserError, match=rf"^{name}:0: .*\nhint: "):
        item_of(Row(row.values | {column: UNLABELLED[name]}, row.where), task, "1")


def test_every_task_is_written_out_by_hand_somewhere():
    assert {name for name, _ in EXPECTED} == set(PUBLISHED)


@pytest.mark.parametrize(
    ("name", "place", "format_"), [(*key, format_) for key, formats in EXPECTED.items() for format_ in formats]
)
def test_a_row_is_worded_as_written_out_by_hand(name, place, format_):
    made, (prompt, answers) = example(name, place, format_), EXPECTED[name, place][format_]
    read = "|".join(f"{turn['role']}: {turn['content']}" for turn in made["turns"]) or made["prompt"]
    assert read == prompt
    right = [answer.startswith(">") for answer in answers].index(True)
    assert (made["choices"] or [made["target"]]) == [answer.removeprefix(">") for answer in answers]
    assert made["target"] == answers[right].removeprefix(">") and made["gold"] == (right if made["choices"] else -1)


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

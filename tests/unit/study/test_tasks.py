"""Datasets as data: every shipped task asks and answers; a mistake in a task file names file, value, choices, hint."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from ripeness.data.spacing import glued
from ripeness.runtime.errors import UserError
from ripeness.study.tasks import load_task, normalisation_of, read_task, sizes_of, value_text
from ripeness.study.templates import render, turns

TASKS = Path(__file__).parents[3] / "tasks"
NAMES = sorted(path.stem for path in TASKS.glob("*.yaml"))
FILES = {"train": "a", "validation": "a", "test": "a"}
HUB = {"hub": "a/b", "revision": "main", "splits": FILES}
GITHUB = {"github": "a/b", "revision": "0a" * 20, "files": {"a": "x/a.json", "b": "x/b.json"}} | FILES
CHOICE = {"kind": "choice", "metric": "accuracy", "fields": {"text": "text"}, "label": "mood", "id": "id"}
TASK = {"title": "t", "source": FILES, "licence": "CC0-1.0"} | CHOICE
OPEN = {"kind": "generation", "metric": "rouge_l", "target": "text"}
OPEN |= dict.fromkeys(("label", "labels"))
TASK |= {"labels": {"good": " bright", "bad": " grey"}, "formats": {"default": "{{ text }} is"}}


@pytest.mark.parametrize("name", NAMES)
def test_a_task_survives_the_way_to_a_program_as_json(name):
    task = load_task(name, TASKS, overrides={})
    assert read_task(json.loads(json.dumps(asdict(task), sort_keys=True))) == task


def test_a_task_from_json_names_keys_that_are_unknown_or_missing():
    keys = asdict(load_task("boolq", TASKS, overrides={})) | {"lables": {}}
    del keys["kind"]
    with pytest.raises(UserError, match=r"unknown lables; missing kind\nhint: the keys are name, title, "):
        read_task(keys)


@pytest.fixture
def load(tmp_path):
    """Give a function that loads a small task after a change of its keys; None removes a key."""

    def changed(overrides=None, **change):
        keys = {key: value for key, value in (TASK | {"name": "mine"} | change).items() if value is not None}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(keys, sort_keys=False))
        return load_task("mine", tmp_path, overrides=overrides or {})

    return changed


MISTAKES = {
    "an unknown key": ({"lables": {}}, "unknown key 'lables'; known are", "did you mean 'labels'?"),
    "a missing metric": ({"metric": None}, "missing 'metric'; needed are name, title", "task.schema.yaml"),
    "a metric of another kind": ({"metric": "rouge_l"}, "'rouge_l' does not fit a choice task", "'accuracy'"),
    "an unknown metric": ({"metric": "acuracy"}, "metric 'acuracy' is not one of accuracy", "'accuracy'"),
    "an unknown metric of text": (
        OPEN | {"metric": "bleu"},
        "'bleu' is not one of rouge_l, exact_match",
        "'exact_match'",
    ),
    "a metric of whole texts with `extract`": (
        OPEN | {"extract": "is (.+)"},
        "metric 'rouge_l' does not fit a task with `extract`",
        "it is 'exact_match'",
    ),
    "an unknown kind": ({"kind": "chioce"}, "kind: 'chioce' is not one of choice, generation", "'choice'"),
    "words of ROUGE-L for a choice": (
        {"rouge_words": "any"},
        "`rouge_words` applies to generated text, and a choice task has none",
        "remove it",
    ),
    "words of ROUGE-L that nobody knows": (
        OPEN | {"rouge_words": "german"},
        "'german' is not one of english, any",
        "task.schema.yaml",
    ),
    "two labels of one word in two forms of Unicode": (
        {"labels": {"good": "caf\u00e9", "bad": " cafe\u0301"}},
        "two labels have the answer text 'caf\u00e9'",
        "a text of its own",
    ),
    "a field that is called as the options are": (
        {"fields": {"text": "text", "options": "listed"}},
        "fields.options: in a choice, `options` are those that a model chooses among",
        "give the field another name",
    ),
    "a value whose label has no word": (
        {"values": {1: "god"}},
        "the value '1' maps to the label 'god', which has no answer text; defined labels are good, bad",
        "add it under `labels`",
    ),
    "a label with an empty word": ({"labels": {"good": " ", "bad": " grey"}}, "'good': ' '", "what is scored"),
    "two labels with one word": ({"labels": {"good": " x", "bad": "x"}}, "the answer text 'x'", "give each label"),
    "a label without labels": ({"labels": None}, "a choice task needs 'label' and 'labels' or 'options'", "explains"),
    "two ways to answer": ({"options": "o", "answer": "a"}, "needs 'label' and 'labels' or 'options'", "explains"),
    "no target": ({"kind": "generation", "metric": "rouge_l"}, "a generation task needs 'target'", "explains"),
    "an unknown format": ({"formats": {"defualt": "{{ text }}"}}, "'defualt' is not one of default", "'default'"),
    "no format": ({"formats": {}}, "formats: {}", "Jinja2"),
    "an unknown field": (
        {"formats": {"io": "{{ txt }}"}},
        "formats.io: unknown variable 'txt'; known are text",
        "'text'",
    ),
    "options where there are none": (
        OPEN | {"formats": {"io": "{{ options }}"}},
        "unknown variable 'options'",
        "columns",
    ),
    "letters where there are none": (
        OPEN | {"formats": {"lettered": "a"}},
        "a generation task has no options",
        "remove",
    ),
    "a norm where there are none": (OPEN | {"normalisation": "pmi"}, "`normalisation` applies to options", "remove it"),
    "an unknown norm": ({"normalisation": "chars"}, "'chars' is not one of none, character, byte", "explains"),
    "two expressions": (
        {"fields": {"text": "{{ a }} {{ b }}"}},
        "fields.text: '{{ a }} {{ b }}' is not one",
        "one pair",
    ),
    "a statement": ({"keep": "{% if a %}b{% endif %}"}, "keep: '{% if a %}b{% endif %}' is not one", "one pair"),
    "a broken expression": ({"label": "{{ mood + }}"}, "label: ", "Jinja2"),
    "an expression that reaches for Python": (
        {"cluster": "{{ a.__class__.mro() }}"},
        "cluster: access to",
        "into text",
    ),
    "a template that ends early": ({"formats": {"io": "{% if text %}"}}, "formats.io: Unexpected end", "Jinja2"),
    "an unknown filter": ({"formats": {"io": "{{ text | shuot }}"}}, "formats.io: No filter named 'shuot'", "Jinja2"),
    "a way into Python": ({"formats": {"io": "{{ text.__class__.mro() }}"}}, "formats.io: access to", "into text"),
    "no source": ({"source": {}}, "`source` is empty; it must be one of files", "explains"),
    "two sources": ({"source": FILES | {"world": "mood"}}, "`source` is train and world", "explains"),
    "half a source": ({"source": {"train": "a", "test": "a"}}, "`source` lacks validation", "explains"),
    "a mixed source": ({"source": {"world": "mood", "splits": FILES}}, "has 'world' and also splits", "remove"),
    "no ref": ({"source": {"hub": "a/b", "revision": "a b", "splits": FILES}}, "source.revision: 'a b'", "Commit"),
    "a pattern that does not parse": (OPEN | {"extract": "(a"}, "extract: the pattern '(a' does not", "regular expr"),
    "a pattern without a group": (OPEN | {"extract": "a"}, "extract: 'a' has 0 groups", "one pair of parentheses"),
    "a pattern with two groups": (OPEN | {"extract": "(a)(b)"}, "has 2 groups", "(?:...)"),
    "a pattern for options": ({"extract": "(a)"}, "`extract` applies to generated text", "remove it"),
    "a stop with a backslash": ({"stop": "\\n"}, "stop: \\n is read as 2 characters", "double quotes"),
    "a separator with a backslash": ({"separator": "\\n\\n"}, "separator: \\n is read as", "double quotes"),
    "a question with a backslash": ({"unconditional": "\\nAnswer:"}, "unconditional: \\n is read", "double quotes"),
    "a label with a backslash": (
        {"labels": {"good": "\\nup", "bad": " down"}},
        "labels.good: \\n is read",
        "double quotes",
    ),
    "a template with a backslash": (
        {"formats": {"default": "{{ text }}\\nIt is"}},
        "formats.default: \\n",
        "double quotes",
    ),
    "a template without a field": ({"formats": {"default": "Hello"}}, "every prompt is the same", "{{ text }}"),
    "a template with single braces": ({"formats": {"default": "{text} is"}}, "{text} is text", "{{ text }}"),
    "a template of chance": ({"formats": {"default": "{{ text|random }}"}}, "No filter named 'random'", "Jinja2"),
    "a value of chance": ({"fields": {"text": "{{ [text]|random }}"}}, "No filter named 'random'", "Jinja2"),
    "items of an unknown role": ({"items": {"shots": 4}}, "unknown key 'shots'", "did you mean"),
    "an empty part": ({"source": HUB | {"splits": FILES | {"test": "b+"}}}, "'b+' has an empty or", "`+` joins"),
    "a part twice": (
        {"source": FILES | {"test": "b.csv+b.csv"}},
        "'b.csv+b.csv' has an empty or a duplicate",
        "`+` joins",
    ),
    "a part of another role": (
        {"source": HUB | {"splits": FILES | {"test": "a+b"}}},
        "'a' and 'a+b' share a",
        "disjoint rows",
    ),
    "files of a branch of GitHub": (
        {"source": GITHUB | {"revision": "main"}},
        "'main' is not a commit",
        "40 hexadecimal",
    ),
    "a file of GitHub without a path": (
        {"source": GITHUB | {"test": "c"}},
        "unknown file 'c'; known are a, b",
        "a",
    ),
    "a file outside of the repository": (
        {"source": GITHUB | {"files": {"a": "x/../../a.json", "b": "b.json"}}},
        "files.a: 'x/../../a.json'",
        "in the GitHub repository",
    ),
    "GitHub without roles": ({"source": {"github": "a/b"}}, "`source` lacks revision, files, train, valid", "explains"),
    "GitHub and the hub": ({"source": HUB | {"github": "a/b"}}, "`source` is hub and github", "explains"),
    "another name": ({"name": "yours"}, "the name is 'yours'", "'mine'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_task_names_file_value_choices_and_way_out(load, name):
    change, seen, hinted = MISTAKES[name]
    with pytest.raises(UserError) as error:
        load(**change)
    said, _, hint = str(error.value).partition("\nhint: ")
    assert said.startswith("tasks/mine.yaml: ") and seen in said, said
    assert hinted in hint and "hint: " not in hint, hint


def test_a_good_task_has_the_schemas_defaults(load):
    task = load()
    assert (task.separator, task.stop, task.max_new_tokens, task.overlap) == ("\n\n", "\n", 60, "refuse")
    assert (task.values, task.cluster, task.homepage, task.keep) == (None, None, None, None)
    assert (task.normalisation, task.unconditional) == ("none", "Answer:")


@pytest.mark.parametrize("revision", ["main", "refs/convert/parquet", "0a" * 20, "v1.0_b-c"])
def test_rows_of_the_hub_are_those_of_a_commit_or_a_branch(load, revision):
    source = {"hub": "a/b", "revision": revision, "splits": FILES}
    assert load(source=source).source["revision"] == revision


def test_files_of_github_and_several_splits_are_sources(load):
    assert load(source=GITHUB | {"test": "b"}).source["test"] == "b"
    assert load(source=HUB | {"splits": FILES | {"test": "b + c"}}).source["splits"]["test"] == "b + c"


def test_a_dataset_has_items_of_its_own(load):
    items = {"train": 10, "test": 5, "shots": 2, "shots_from": "test"}
    assert sizes_of(load(), items) == items
    own = load(items={"train": 99, "shots_from": "train"})
    assert sizes_of(own, items) == items | {"train": 99, "shots_from": "train"}


def test_letters_are_not_normalised(load):
    task = load(normalisation="pmi", formats={"default": "{{ text }}", "lettered": "{{ options | lettered }}"})
    assert [normalisation_of(task, format_) for format_ in task.formats] == ["pmi", "none"]


def test_a_study_replaces_single_keys(load):
    task = load(overrides={"max_characters": 9, "labels": {"good": " up", "bad": " down"}})
    assert task.max_characters == 9 and task.labels == {"good": " up", "bad": " down"}
    assert task.formats == TASK["formats"] and task.source == FILES


def test_a_mistake_of_the_study_names_what_the_study_replaced(load):
    with pytest.raises(UserError, match=r"^tasks/mine\.yaml with source of the study: `source` lacks test\nhint: "):
        load(overrides={"source": {"train": "a", "validation": "b"}})
    with pytest.raises(UserError, match=r"^tasks/mine\.yaml with max_chars of the study: .*unknown key 'max_chars'"):
        load(overrides={"max_chars": 9})


def test_an_unknown_dataset_is_named_with_those_there_are(load, tmp_path):
    load()
    with pytest.raises(UserError, match=r"unknown dataset 'mime'; known are mine\nhint: did you mean 'mine'\?"):
        load_task("mime", tmp_path, overrides={})


def test_values_of_a_label_column_are_text_whatever_they_were(load):
    assert load(values={0: "good", True: "bad"}).values == {"0": "good", "true": "bad"}
    assert [value_text(v) for v in (False, 1.0, 1, "1", 0.5, "True")] == ["false", "1", "1", "1", "0.5", "True"]


def test_a_template_that_an_item_cannot_fill_is_named():
    with pytest.raises(UserError, match=r"'\{\{ text\.a \}\}' cannot be filled with text: .*\nhint: fix it"):
        render("{{ text.a }}", {"text": "x"})
    assert render("{{ text }}\n", {"text": "<a> & {{ b }}"}) == "<a> & {{ b }}\n"


@pytest.mark.parametrize(
    ("prompt", "answer", "seen"),
    [("is", "good", " good"), ("is", " good", " good"), ("is\n", "good", "good"), ("", "good", "good"), ("is", "", "")],
)
def test_an_answer_is_set_off_by_white_space_once(prompt, answer, seen):
    assert glued(prompt, answer) == seen


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n\nHuman: a\n\nAssistant: b\n\nc", [("user", "a"), ("assistant", "b\n\nc")]),
        ("Human: a Human: b\nAssistant: c", [("user", "a Human: b\nAssistant: c")]),
        ("\n\nHuman:\n\nHuman: a\n\nAssistant:", [("user", ""), ("user", "a"), ("assistant", "")]),
        ("b\n\nHuman: a", []),
        ("", []),
    ],
)
def test_a_conversation_in_one_text_is_read_as_turns(text, said):
    assert turns(text, "Human", "Assistant") == [{"role": role, "content": content} for role, content in said]

"""Where rows come from: files on disk, several of them for a role, lists in JSON, and what the rules know of it."""

import json
from types import SimpleNamespace

import pytest

import fetch_dataset
from ripeness.data.rows import read_sources
from ripeness.runtime.errors import UserError
from ripeness.study.grid import Study
from ripeness.study.tasks import files_by_role
from ripeness.workflow.lookups.prepare import dataset_files, dataset_offline, dataset_source, hub_requests

GITHUB = {"github": "a/b", "revision": "0a" * 20, "files": {"x": "x.json", "y": "y.json"}, "train": "x"}
GITHUB |= {"validation": "x", "test": "y"}
HUB = {"hub": "a/b", "revision": "main", "splits": dict.fromkeys(("train", "validation", "test"), "train+test")}
FILES = {"train": "a.jsonl+b.csv", "validation": "a.jsonl+b.csv", "test": "c++/c.json"}
ITEMS = {"train": 1, "validation": 1, "test": 2, "shots": 1, "seed": 0}
PLACE = SimpleNamespace(dataset="mine")


def study(source):
    task = SimpleNamespace(source=source, items=None, image=None)
    return Study(
        {"items": ITEMS}, tasks={"mine": task}, checkpoints={}, recipes={}, lock={"models": {}, "datasets": {}}
    )


def test_the_files_of_a_dataset_are_those_on_disk_each_by_itself():
    assert dataset_files(study(FILES), PLACE) == ["a.jsonl", "b.csv", "c++/c.json"]
    assert files_by_role(study(FILES).tasks["mine"])[-1] == ("test", "c++/c.json")
    assert dataset_files(study(GITHUB), PLACE) == dataset_files(study(HUB), PLACE) == []


def test_what_comes_over_a_network_is_fetched_online_a_few_at_once():
    found = {name: hub_requests(study(source), PLACE) for name, source in (("f", FILES), ("g", GITHUB), ("h", HUB))}
    assert found == {"f": 0, "g": 1, "h": 1}
    assert (dataset_offline(study(GITHUB), PLACE), dataset_offline(study(FILES), PLACE)) == ("$FETCH_OFFLINE", "1")
    assert json.loads(dataset_source(study(GITHUB), PLACE)) == GITHUB


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    """Give a function that writes files, fetches a source of them, and returns (place, word) of its rows by source."""
    monkeypatch.chdir(tmp_path)

    def run(source, **files):
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        source = dict.fromkeys(("train", "validation"), source["train"]) | {"test": source.get("test", source["train"])}
        fetch_dataset.main(["--source", json.dumps(source), "--licence", "none", "--output", str(tmp_path / "rows")])
        found = read_sources(tmp_path / "rows")
        return {name: [(row.where, row.values["word"]) for row in rows] for name, rows in found.items()}

    return run


def test_files_joined_by_a_plus_are_counted_through_and_one_alone_keeps_its_lines(fetch):
    lines = '\n{"word": "one"}\n\n{"word": "two"}\n'
    found = fetch({"train": "a.jsonl", "test": "a.jsonl+b.csv"}, a_jsonl=lines, b_csv="word\nthree\n")
    assert found["a.jsonl"] == [("a.jsonl:2", "one"), ("a.jsonl:4", "two")]
    both = "a.jsonl+b.csv"
    assert found[both] == [(f"{both}:1", "one"), (f"{both}:2", "two"), (f"{both}:3", "three")]


@pytest.mark.parametrize(
    "text", ['[{"word": "one"}, {"word": "two"}]', '\n [\n {"word":\n "one"},\n\n{"word": "two"}]\n', None]
)
def test_a_json_file_is_a_list_or_has_an_object_a_line(fetch, text):
    text = text or '{"word": "one"}\n{"word": "two"}'
    assert fetch({"train": "a.json"}, a_json=text)["a.json"] == [("a.json:1", "one"), ("a.json:2", "two")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"word": "one"}, 3]', r"^a.json: entry 2 is '3'\nhint: "),
        ('[{"word": "one"},', r"^a.json: not a JSON list: .*\nhint: "),
        ('{"word":\n"one"}', r"^a.json:1: not JSON: .*\nhint: one JSON object a line"),
    ],
)
def test_a_json_file_that_is_neither_is_named(fetch, text, message):
    with pytest.raises(UserError, match=message):
        fetch({"train": "a.json"}, a_json=text)

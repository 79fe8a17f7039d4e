"""From rows to examples by hand: make_dataset, prepare_items, render_examples, split_text as a user runs them."""

import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from waiting import HANG_SECONDS

from ripeness.data.items import ROLES
from ripeness.data.nursery import world
from ripeness.data.rows import read_sources, write_rows
from ripeness.runtime.files import read_json, whole
from ripeness.runtime.made_here import MARK
from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml
from ripeness.study.tasks import load_task
from ripeness.tables.columns import EXAMPLES
from ripeness.workflow.lookups.prepare import item_task, render_task
from ripeness.workflow.lookups.shared import to_json

ROOT = Path(__file__).parents[2]
SIZES = {"train": 6, "validation": 3, "test": 4, "shots": 2, "seed": 0}
MOOD = asdict(load_task("nursery-mood", ROOT / "tasks", overrides={}))
MADE = {"world": "mood", "seed": 3, "rows": {"train": 8, "validation": 3, "test": 4}}


def run(folder, program, **options):
    """Run a program in a folder; an option that is no text is given as JSON, as rules write it."""
    words = [sys.executable, str(ROOT / "scripts" / f"{program}.py")]
    for name, value in options.items():
        words += [f"--{name}", value if isinstance(value, str) else to_json(value)]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=HANG_SECONDS)


def assert_good(done):
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def assert_refused(done, folder, *words):
    """One error with one hint, status 2, and nothing in the folder that was not there."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr, done.stderr
    assert [len(re.findall(rf"^{word}: ", done.stderr, re.MULTILINE)) for word in ("error", "hint")] == [1, 1]
    assert all(word in done.stderr for word in words), done.stderr
    assert not (folder / "out").exists() and not [path for path in folder.rglob(".*") if path.name != MARK]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Make, prepare and render a small dataset, with the settings that rules give: rows/, items/, io/."""
    study = load_study(read_yaml(ROOT / "config.yaml"), ROOT / "tasks")
    mood = SimpleNamespace(dataset="nursery-mood", format="io")
    drawn, worded = item_task(study, mood), render_task(study, mood)
    folder = tmp_path_factory.mktemp("with space") / "a study"
    folder.mkdir()
    assert_good(run(folder, "make_dataset", source=MADE, licence="CC0-1.0", output="rows", usage="usage.json"))
    assert_good(run(folder, "prepare_items", rows="rows", task=drawn, sizes=SIZES, output="items"))
    assert_good(run(folder, "render_examples", items="items", task=worded, format="io", output="io"))
    return folder


def test_the_rows_of_a_dataset_are_made_with_where_they_come_from(prepared):
    record = read_json(prepared / "rows/provenance.json")
    assert record["source"] == MADE and record["licence"] == "CC0-1.0"
    rows = read_sources(prepared / "rows")
    assert {split: len(some) for split, some in rows.items()} == MADE["rows"]
    assert [row.values for row in rows["train"]] == world.rows("mood", n=8, split="train", seed=3)
    assert read_json(prepared / "usage.json")["wall_s"] >= 0


def test_items_are_drawn_for_every_role_and_counted(prepared):
    counts = {role: SIZES[role] for role in ROLES}
    assert read_json(prepared / "items/counts.json") == counts
    items = {
        role: [json.loads(x) for x in (prepared / f"items/{role}.jsonl").read_text().splitlines()] for role in ROLES
    }
    assert {role: len(some) for role, some in items.items()} == counts
    assert len({item["id"] for some in items.values() for item in some}) == sum(counts.values())
    rows = {row.values["id"]: row.values for row in read_sources(prepared / "rows")["test"]}
    for item in items["test"]:
        assert item["fields"]["text"] == rows[item["id"]]["text"]
        assert item["choices"][item["gold"]] == item["target"] == rows[item["id"]]["mood"]


def test_examples_say_the_items_in_the_format_that_was_asked_for(prepared):
    items = [json.loads(line) for line in (prepared / "items/test.jsonl").read_text().splitlines()]
    assert {path.name for path in (prepared / "io").iterdir()} == {MARK, *(f"{role}.parquet" for role in ROLES)}
    table = pl.read_parquet(prepared / "io/test.parquet")
    assert table.schema == pl.Schema(EXAMPLES)
    assert table["item"].to_list() == [item["id"] for item in items]
    assert table["prompt"].to_list() == [f"input : {item['fields']['text']}\noutput :" for item in items]
    words = {"good": " bright", "bad": " grey"}
    assert table["target"].to_list() == [words[item["target"]] for item in items]
    assert all(row["choices"][row["gold"]] == row["target"] for row in table.rows(named=True))


@pytest.mark.parametrize("format_", ["default", "lettered", "chat"])
def test_examples_say_which_options_have_the_same_text(tmp_path, format_):
    task = asdict(load_task("nursery-questions", ROOT / "tasks", overrides={}))
    options = ["the dog", "a cat", "the  dog ", "The dog"]
    fields = {"passage": "p", "question": "q", "options": options}
    item = {"id": "1", "cluster": "1", "fields": fields, "choices": options, "gold": 2, "target": options[2]}
    (tmp_path / "items").mkdir()
    for role in ROLES:
        (tmp_path / "items" / f"{role}.jsonl").write_text(json.dumps(item | {"references": []}) + "\n")
    assert_good(run(tmp_path, "render_examples", items="items", task=task, format=format_, output="out"))
    (row,) = pl.read_parquet(tmp_path / "out/test.parquet").rows(named=True)
    assert (row["same_text"], row["gold"], len(row["choices"])) == ([0, 1, 0, 3], 2, 4)


def test_a_run_with_the_whole_task_gives_the_same_and_replaces_what_was_there(prepared, tmp_path):
    how = {"rows": str(prepared / "rows"), "task": MOOD, "output": "items"}
    assert_good(run(tmp_path, "prepare_items", **how, sizes=SIZES | {"test": 3}))
    assert_good(run(tmp_path, "prepare_items", **how, sizes=SIZES))
    found = {path.name: path.read_bytes() for path in (tmp_path / "items").iterdir()}
    assert found == {path.name: path.read_bytes() for path in (prepared / "items").iterdir()}


MISTAKES = {
    "an unknown world": ("make_dataset", {"source": MADE | {"world": "mod"}}, "'mod'", "sentiment, questions"),
    "a source without rows": ("make_dataset", {"source": {"world": "mood"}}, "lacks rows"),
    "too many rows": ("make_dataset", {"source": MADE | {"rows": {"test": 2001}}}, "2001 rows", "2000"),
    "an unknown split": ("make_dataset", {"source": MADE | {"rows": {"tset": 1}}}, "'tset'", "train, validation, test"),
    "no rows": ("prepare_items", {"rows": "nowhere"}, "nowhere/provenance.json"),
    "half a task": ("prepare_items", {"task": {"name": "mood"}}, "missing title, source, kind"),
    "no sizes": ("prepare_items", {"sizes": {"train": 5}}, "lack test, validation, shots, seed"),
    "another column": ("prepare_items", {"task": MOOD | {"label": "mud"}}, "test:1: the row has no 'mud'", "mood"),
    "nothing for a role": ("prepare_items", {"sizes": SIZES | {"train": 0}}, "no rows are left for train in train"),
    "no items": ("render_examples", {"items": "nowhere"}, "there is no nowhere/test.jsonl"),
    "an unknown format": (
        "render_examples",
        {"format": "instrct"},
        "chat, default, instruct, io, lettered",
        "did you mean 'instruct'",
    ),
    "a template that cannot be filled": (
        "render_examples",
        {"task": MOOD | {"formats": {"io": "{{ text.a }}"}}},
        "'{{ text.a }}' cannot be filled with text",
    ),
    "a text that is not there": ("split_text", {"text": "no.txt"}, "no.txt"),
    "a text that is not UTF-8": ("split_text", {"text": "latin.txt"}, "latin.txt", "utf-8"),
    "a text that is too short": (
        "split_text",
        {"items": "3"},
        "short.txt has 2 passages of 500 bytes, but 3 are requested",
    ),
    "no passages": ("split_text", {"items": "0"}, "0 passages are requested"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gives_one_error_with_a_hint_and_leaves_nothing_behind(prepared, tmp_path, name):
    program, change, *words = MISTAKES[name]
    (tmp_path / "short.txt").write_text("a line of forty-nine letters and one line's end\n" * 25)
    (tmp_path / "latin.txt").write_bytes(b"\xe9\n" * 999)
    good = {
        "make_dataset": {"source": MADE, "licence": "CC0-1.0"},
        "prepare_items": {"rows": str(prepared / "rows"), "task": MOOD, "sizes": SIZES},
        "render_examples": {"items": str(prepared / "items"), "task": MOOD, "format": "io"},
        "split_text": {"text": "short.txt", "items": "2"},
    }[program]
    assert_refused(run(tmp_path, program, **good | change, output="out"), tmp_path, *words)


def test_an_empty_option_is_refused_before_anything_is_drawn(tmp_path):
    row = {"id": 1, "cluster": 1, "passage": "a", "question": "b", "options": ["a", "b"], "answer": 0}
    rows = [row, row | {"id": 2, "options": ["a", "  "]}]
    write_rows(tmp_path / "rows", {split: rows for split in ("train", "validation", "test")}, {})
    task = asdict(load_task("nursery-questions", ROOT / "tasks", overrides={}))
    done = run(tmp_path, "prepare_items", rows="rows", task=task, sizes=SIZES, output="out")
    assert_refused(done, tmp_path, ":2: options has an empty option: ['a', '  ']")


def test_what_was_there_survives_a_run_that_fails(prepared, tmp_path):
    with whole(tmp_path / "io") as folder:
        folder.mkdir()
        (folder / "test.parquet").write_text("old")
    (tmp_path / "items").mkdir()
    for role in ("test", "validation", "shots"):
        (tmp_path / f"items/{role}.jsonl").write_bytes((prepared / f"items/{role}.jsonl").read_bytes())
    done = run(tmp_path, "render_examples", items="items", task=MOOD, format="io", output="io")
    assert_refused(done, tmp_path, "there is no items/train.jsonl")
    found = {path.name: path.read_text() for path in (tmp_path / "io").iterdir() if path.name != MARK}
    assert found == {"test.parquet": "old"}


def test_a_folder_of_the_users_is_not_written_over(prepared, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    how = {"rows": str(prepared / "rows"), "task": MOOD, "sizes": SIZES}
    for place in ("mine", "mine/notes.txt"):
        assert_refused(run(tmp_path, "prepare_items", **how, output=place), tmp_path, "is not overwritten")
    assert {path.name: path.read_text() for path in (tmp_path / "mine").iterdir()} == {"notes.txt": "mine"}


def test_passages_are_spread_evenly_over_a_text(tmp_path):
    lines = [f"passage {number:03d} {'é' * 245}" for number in range(30)]  # each more than 500 bytes with its line end
    (tmp_path / "novel.txt").write_text("\n".join(lines) + "\nthe rest is shorter", encoding="utf-8")
    assert_good(run(tmp_path, "split_text", text="novel.txt", items="10", output="out/novel.parquet"))
    table = pl.read_parquet(tmp_path / "out/novel.parquet")
    assert table["item"].to_list() == [f"novel-{number:05d}" for number in range(10)]
    assert table["text"].to_list() == lines[::3]

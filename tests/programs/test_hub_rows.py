"""Rows of GitHub repositories, of the tasks in tasks/, and running text, fetched by the programs that use them."""

import json
from pathlib import Path

import dataset_rows
import polars as pl
import pytest
from hub_fixtures import DATA, parquet, rows_of
from huggingface_hub import constants
from loopback_hub import Fault

import fetch_dataset
import fetch_passages
import fetch_text
import ripeness.hub.github
from ripeness.data.items import draw_items
from ripeness.data.rows import read_sources
from ripeness.runtime.errors import UserError
from ripeness.study.tasks import load_task

LISTS = {f"Data/{name}/dataset.json": json.dumps(rows_of(name, 2), indent=1).encode() for name in ("a", "b", "c")}


@pytest.fixture
def github(hub, monkeypatch):
    """Give the source of a dataset of a repository of GitHub, served by the same server."""
    monkeypatch.setattr(ripeness.hub.github, "ADDRESS", f"{hub.address}/raw")
    commit = hub.repository("some/repo", "github").add("main", LISTS)
    files = {name: f"Data/{name}/dataset.json" for name in "abc"}
    roles = {"train": "a", "validation": "a", "test": "b+c"}
    return {"github": "some/repo", "revision": commit, "files": files} | roles


def fetched(source, folder):
    fetch_dataset.main(["--source", json.dumps(source), "--licence", "none", "--output", str(folder)])
    return {name: [row.values["text"] for row in rows] for name, rows in read_sources(folder).items()}


def test_files_of_a_github_repository_are_fetched_at_a_commit(hub, github, tmp_path, waits):
    hub.faults = [Fault("/raw/", status=503), Fault("/raw/", cut=20)]
    hub.repository("some/repo", "github").add("later", {path: b"[]" for path in LISTS})
    assert fetched(github, tmp_path / "rows") == {"a": ["a 0", "a 1"], "b+c": ["b 0", "b 1", "c 0", "c 1"]}
    assert len(waits) == 2 and {request.token for request in hub.requests} == {None}


def test_a_github_file_that_does_not_come_is_named_with_what_to_do(hub, github, tmp_path, waits, monkeypatch):
    by_hand = rf"\nhint: download {hub.address}/raw/some/repo/[0-9a-f]*/.* on a machine with network.*source: .train: "
    gone = github | {"files": github["files"] | {"b": "Data/d/dataset.json"}}
    with pytest.raises(UserError, match=rf"Data/d/dataset.json cannot be fetched: .*404.*{by_hand}"):
        fetched(gone, tmp_path / "rows")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=rf"files of some/repo cannot be fetched: HF_HUB_OFFLINE is set{by_hand}"):
        fetched(github, tmp_path / "rows")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(ripeness.hub.github, "ADDRESS", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"http://127.0.0.1:9 cannot be reached: .*\nhint: download http://127.0.0.1:9"):
        fetched(github, tmp_path / "rows")
    assert not (tmp_path / "rows").exists()


TASKS = Path(__file__).parents[2] / "tasks"

COPIED = ["cnn-dailymail", "piqa", "socialiqa", "socialiqa-questions", "tweetqa", "tweetqa-questions", "xlsum", "xsum"]


@pytest.mark.parametrize("name", [*COPIED, "llmbar-natural", "llmbar-adversarial"])
def test_a_shipped_task_whose_repository_is_a_script_is_fetched_and_drawn(hub, waits, tmp_path, monkeypatch, name):
    task = load_task(name, TASKS, overrides={})
    rows = {role: dataset_rows.rows_of(name, role) for role in dataset_rows.ROLES}
    source = task.source
    if "github" in source:
        monkeypatch.setattr(ripeness.hub.github, "ADDRESS", f"{hub.address}/raw")
        lists = {path: json.dumps(rows_in(place, rows["test"])).encode() for place, path in source["files"].items()}
        hub.repository(source["github"], "github").commits[source["revision"]] = lists
    else:
        files = {f"{source['config']}/{split}/0000.parquet": parquet(rows[split]) for split in rows}
        files |= {"other/train/0000.parquet": b"not asked for", f"{source['config']}/partial-test/0000.parquet": b"no"}
        source = source | {"commit": hub.repository(source["hub"], "dataset").add("refs/convert/parquet", files)}
    fetch_dataset.main(["--source", json.dumps(source), "--licence", "none", "--output", str(tmp_path / "rows")])
    sizes = {"train": 3, "validation": 2, "test": 4, "shots": 2, "seed": 0}
    drawn = draw_items(read_sources(tmp_path / "rows"), task, sizes=sizes)
    assert {role: len(items) for role, items in drawn.items()} == {
        role: n for role, n in sizes.items() if role != "seed"
    }
    if name == "llmbar-adversarial":
        assert {item.fields["instruction"].partition(":")[0] for item in drawn["train"]} == {"Natural"}
        assert "Natural" not in {item.fields["instruction"].partition(":")[0] for item in drawn["test"]}


def rows_in(place, rows):
    """Rows of one of several files, told from those of the others."""
    return [row | {"input": f"{place}: {row['input']}"} for row in rows]


def test_running_text_of_two_splits_becomes_two_files(hub, waits, tmp_path):
    files = {f"{split}.parquet": parquet([{"text": f"{split} one\n"}, {"text": "two"}]) for split in ("train", "test")}
    commit = hub.repository(DATA, "dataset").add("main", files)
    source = {
        "id": DATA,
        "revision": "main",
        "commit": commit,
        "column": "text",
        "train": "train",
        "validation": "test",
    }
    fetch_text.main(["--output", str(tmp_path / "text"), "--source", json.dumps(source)])
    found = {path.name: path.read_text() for path in (tmp_path / "text").glob("*.txt")}
    assert found == {"train.txt": "train one\ntwo\n", "validation.txt": "test one\ntwo\n"}
    with pytest.raises(UserError, match=r"has no column 'words'; it has text\nhint: "):
        fetch_text.main(["--output", str(tmp_path / "no"), "--source", json.dumps(source | {"column": "words"})])
    assert not (tmp_path / "no").exists()


def test_passages_are_taken_from_a_split(hub, waits, tmp_path):
    lines = [{"text": f" = {number} = \n" if number % 2 else "word " * 150} for number in range(12)]
    commit = hub.repository(DATA, "dataset").add("main", {"validation.parquet": parquet(lines), "test.parquet": b"no"})
    source = {"id": DATA, "revision": "main", "commit": commit, "column": "text", "split": "validation"}
    options = ["--output", str(tmp_path / "x.parquet"), "--items"]
    fetch_passages.main([*options, "3", "--source", json.dumps(source)])
    found = pl.read_parquet(tmp_path / "x.parquet")
    assert found["item"].to_list() == [f"tiny-data-{number:05d}" for number in range(3)]
    assert [text.rpartition("\n")[0].strip() for text in found["text"]] == ["", "= 3 =", "= 7 ="]
    with pytest.raises(UserError, match=r"^someone/tiny-data has 6 passages of 500 bytes, but 7 are requested\nhint: "):
        fetch_passages.main([*options, "7", "--source", json.dumps(source)])
    with pytest.raises(UserError, match=r"has no column 'words'; it has text\nhint: "):
        fetch_passages.main([*options, "3", "--source", json.dumps(source | {"column": "words"})])

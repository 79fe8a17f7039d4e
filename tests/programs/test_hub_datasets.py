"""Splits of datasets on a hub on loopback: complete, from the right files, or refused."""

import json

import pytest
from hub_fixtures import DATA, parquet, publish, rows_of, sent
from huggingface_hub import constants
from loopback_hub import Fault

import fetch_dataset
from ripeness.data.rows import read_sources
from ripeness.hub.client import dataset_split
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json


def test_a_split_is_fetched_whole_resumed_and_alone(hub, waits):
    commit = publish(hub)
    hub.faults = [Fault("/cdn/", cut=300), Fault("/tree/", status=503), Fault("/cdn/", swap=True)]
    found = dataset_split(DATA, "plain", "train", {"revision": "main", "commit": commit})
    assert found.to_list() == rows_of("train") + rows_of("more")
    assert "bytes=300-" in {request.range for request in sent(hub)}
    asked = {request.path for request in hub.requests if "/resolve/" in request.path}
    assert any("plain/train" in path for path in asked)
    assert not any("plain/test" in path or "other/" in path for path in asked)


def test_a_converted_copy_of_a_dataset_is_read_by_configuration(hub, waits, tmp_path):
    copy = {f"plain/{split}/0000.parquet": parquet(rows_of(split)) for split in ("train", "validation", "test")}
    commit = hub.repository(DATA, "dataset").add("refs/convert/parquet", copy | {"other/train/0000.parquet": b"no"})
    splits = {"train": "train", "validation": "validation", "test": "test"}
    source = {"hub": DATA, "config": "plain", "revision": "refs/convert/parquet", "commit": commit, "splits": splits}
    fetch_dataset.main(["--source", json.dumps(source), "--licence", "none", "--output", str(tmp_path / "rows")])
    found = read_sources(tmp_path / "rows")
    assert {name: [row.values for row in rows] for name, rows in found.items()} == {
        name: rows_of(name) for name in splits
    }
    assert read_json(tmp_path / "rows/provenance.json")["source"]["commit"] == commit


def copy_of(hub, *folders, more=None):
    """Publish a converted copy with two shards of two rows in each folder, and give its commit."""
    files = {
        f"{folder}/000{shard}.parquet": parquet(rows_of(f"{folder} {shard}", 2))
        for folder in folders
        for shard in (0, 1)
    }
    return hub.repository(DATA, "dataset").add("refs/convert/parquet", files | {".gitattributes": b""} | (more or {}))


def texts_in(config, split, commit, revision="refs/convert/parquet"):
    table = dataset_split(DATA, config, split, {"revision": revision, "commit": commit})
    return list(dict.fromkeys(text[:-2] for text in table["text"]))


GLUE = ("mnli/train", "mnli/validation_matched", "mnli/validation_mismatched", "mnli/test-matched", "mnli/test")

OTHER = ("rte/train", "rte/validation", "en/v1.0/test", "en/v1.0/partial-train", "en/Natural", "en/Adversarial_Manual")


@pytest.mark.parametrize("place", [*GLUE, *OTHER])
def test_a_split_of_a_converted_copy_is_just_its_folder(hub, waits, place):
    commit = copy_of(hub, *GLUE, *OTHER)
    config, _, split = place.rpartition("/")
    assert texts_in(config, split, commit) == [f"{place} 0", f"{place} 1"]
    assert len(sent(hub)) == 2  # and nothing of any other folder has come
    # a commit of the copy, without the name of its branch, is taken for what it is
    assert texts_in(config, split, None, revision=commit) == [f"{place} 0", f"{place} 1"]


def test_a_copy_with_more_files_than_a_folder_holds_is_read_in_their_order(hub, waits):
    commit = copy_of(hub, *(f"plain/train-part{number}" for number in range(11)))
    expected = [f"plain/train-part{number} {shard}" for number in range(11) for shard in (0, 1)]
    assert texts_in("plain", "train", commit) == texts_in(None, "train", commit) == expected


@pytest.mark.parametrize(
    ("config", "split", "folders", "message"),
    [
        ("mnli", "validation", GLUE, "no split 'validation'; it has test, test-matched, train, validation_m"),
        ("mnle", "train", GLUE, "no configuration 'mnle'; it has mnli\nhint: did you mean 'mnli'"),
        (None, "train", [*GLUE, *OTHER], r"has the configurations en, en/v1.0, mnli, rte, and .*\nhint: .*`config`"),
        ("en/v1.0", "train", OTHER, r"only the beginning of the split 'train'\nhint: use partial-train"),
    ],
)
def test_what_a_copy_has_not_is_said(hub, waits, config, split, folders, message):
    with pytest.raises(UserError, match=message):
        texts_in(config, split, copy_of(hub, *folders))
    assert not waits and not sent(hub)


@pytest.mark.parametrize("gap", ["plain/train/0003.parquet", "plain/train-part1/0000.parquet"])
def test_a_copy_that_lacks_a_file_is_refused(hub, waits, gap):
    commit = copy_of(hub, "plain/train", more={gap: parquet(rows_of("late"))})
    with pytest.raises(UserError, match=r"plain/train is incomplete: it has the files number 0, 1, .\nhint: .*damaged"):
        texts_in("plain", "train", commit)


def test_splits_joined_by_a_plus_are_one_after_the_other(hub, waits, tmp_path):
    commit = copy_of(hub, *GLUE)
    both = "validation_matched+validation_mismatched"
    splits = {"train": "train", "validation": "train", "test": both}
    source = {"hub": DATA, "config": "mnli", "revision": "refs/convert/parquet", "commit": commit, "splits": splits}
    fetch_dataset.main(["--source", json.dumps(source), "--licence", "none", "--output", str(tmp_path / "rows")])
    found = read_sources(tmp_path / "rows")
    expected = [f"mnli/{split} {shard} {n}" for split in both.split("+") for shard in (0, 1) for n in (0, 1)]
    assert [row.values["text"] for row in found[both]] == expected
    assert [row.where for row in found[both]][-1] == f"{both}:8"
    with pytest.raises(UserError, match="no split 'validation'; it has"):
        dataset_split(DATA, "mnli", "train+validation", source)
    assert texts_in("plain", "test + train", publish(hub), revision="main") == ["test", "train", "more"]
    odd = copy_of(hub, "a/train", more={"a/test/0000.parquet": parquet([{"word": "x", "label": 1}])})
    with pytest.raises(UserError, match=r"train\+test have different columns: text, label; word, label\nhint: "):
        texts_in("a", "train+test", odd)


@pytest.mark.parametrize(
    ("names", "split", "mixed"),
    [
        (["test.jsonl", "test-matched.jsonl"], "test", True),
        (["a/validation_matched/0.jsonl", "a/validation_mismatched/0.jsonl"], "validation", True),
        (["dev.jsonl", "validation.jsonl", "train.jsonl"], "validation", True),
        (["one/train.jsonl", "two/train.jsonl", "two/test.jsonl"], "train", False),
        (["train-00000-of-00002-0a1b2c3d4e.jsonl", "train-00001-of-00002-9f8e7d6c5b.jsonl"], "train", False),
        (["test/test_1.jsonl", "test/test_2.jsonl", "latest.jsonl"], "test", False),
    ],
)
def test_without_a_card_files_of_two_names_are_not_taken_for_one_split(hub, waits, names, split, mixed):
    repo = hub.repository(DATA, "dataset")
    contents = {name: "".join(json.dumps(row) + "\n" for row in rows_of(name, 1)).encode() for name in names}
    commit = repo.add("main", contents)
    source = {"revision": "main", "commit": commit}
    if mixed:
        with pytest.raises(UserError, match=rf"no dataset card defines the split '{split}'.*: .*, .*\nhint: ") as error:
            dataset_split(DATA, None, split, source)
        assert all(name in str(error.value) for name in names[:2])
        card = f"---\nconfigs:\n- config_name: default\n  data_files:\n  - {{split: {split}, path: {names[:2]}}}\n---\n"
        source["commit"] = repo.add("main", contents | {"README.md": card.encode()})
    assert sorted(row["text"][:-2] for row in dataset_split(DATA, None, split, source).to_list()) == sorted(names[:2])


def test_a_repository_that_is_a_script_is_refused_with_the_way_to_its_copy(hub, waits):
    commit = hub.repository(DATA, "dataset").add("main", {"README.md": b"", "tiny-data.py": b"print('run!')"})
    with pytest.raises(UserError, match=r"made by a script, tiny-data.py, which is not run\nhint: .*convert/parquet"):
        dataset_split(DATA, None, "train", {"revision": "main", "commit": commit})
    assert not waits


def test_offline_no_other_version_is_taken_for_a_dataset(hub, waits, monkeypatch):
    commit = publish(hub)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"at main cannot be fetched: HF_HUB_OFFLINE is set\nhint: .*`source`"):
        dataset_split(DATA, "plain", "train", {"revision": "main", "commit": commit})


@pytest.mark.parametrize(
    ("config", "split", "source", "message"),
    [
        ("plain", "dev", {}, "has no split 'dev'; it has train, test"),
        ("none", "train", {}, "BuilderConfig 'none' not found"),
        ("plain", "train", {"commit": None}, "'main' of None is not resolved"),
    ],
)
def test_what_a_dataset_has_not_is_said(hub, waits, config, split, source, message):
    commit = publish(hub)
    with pytest.raises(UserError, match=message):
        dataset_split(DATA, config, split, {"revision": "main", "commit": commit} | source)
    assert not waits

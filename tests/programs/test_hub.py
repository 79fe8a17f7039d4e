"""Fetching from the hub, by the real client from a server on loopback: what is needed, whole, resumed, or refused."""

import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import dataset_rows
import httpx2
import polars as pl
import pytest
import torch
from hub_fixtures import BRANCH, DATA, MODEL, fetch, sent, source_of
from huggingface_hub import constants
from loopback_hub import Fault
from safetensors.torch import load_file

import fetch_dataset
import fetch_passages
import fetch_text
import resolve_revisions
import ripeness.hub.github
from ripeness.data.items import draw_items
from ripeness.data.rows import read_sources
from ripeness.hub import retry
from ripeness.hub.checkpoint_folder import checkpoint_folder
from ripeness.hub.client import dataset_split, list_refs
from ripeness.models.convert import INDEX
from ripeness.models.load import load_model
from ripeness.models.tokens import load_tokenizer
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.study.load import load_study
from ripeness.study.lock_file import read_lock
from ripeness.study.tasks import load_task


def test_only_what_is_needed_is_downloaded_and_the_facts_name_the_commit(hub, files, tmp_path, waits):
    commit = hub.repository(MODEL).add(BRANCH, files)
    output = fetch(tmp_path, source_of(hub))
    facts = read_json(output / "checkpoint.json")
    assert (facts["repo"], facts["revision"], facts["commit"]) == (MODEL, BRANCH, commit)
    assert facts["gate"]["loss"] > 0 and facts["n_parameters"]
    assert load_model(output).num_parameters() == facts["n_parameters"]
    asked = {request.path.rpartition("/")[2] for request in hub.requests if "/resolve/" in request.path}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= asked
    assert not asked & {"optimizer.bin", "model.onnx", "flax_model.msgpack", "pytorch_model.bin", "modeling_x.py"}
    assert len(sent(hub)) == 1 and not waits
    # a second study finds everything in the cache
    hub.requests.clear()
    shutil.rmtree(output)
    fetch(tmp_path, source_of(hub))
    assert not sent(hub)


@pytest.mark.parametrize("is_reset", [False, True], ids=["closed", "reset"])
def test_a_download_that_was_cut_off_goes_on_and_sends_no_byte_twice(hub, files, waits, is_reset):
    hub.repository(MODEL).add(BRANCH, files)
    size = len(files["model.safetensors"])
    hub.faults = [Fault("/cdn/", cut=20_000, is_reset=is_reset), Fault("/cdn/", cut=5_000, is_reset=is_reset)]
    folder = checkpoint_folder(source_of(hub))
    assert (folder / "model.safetensors").read_bytes() == files["model.safetensors"]
    assert [request.range for request in sent(hub)] == [None, "bytes=20000-", "bytes=25000-"]
    assert sum(request.sent for request in sent(hub)) == size


def test_a_download_whose_process_ended_goes_on_in_the_next(hub, files, waits, monkeypatch):
    hub.repository(MODEL).add(BRANCH, files)

    def killed(*_, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        hub.faults = [Fault("/cdn/", cut=30_000)]
        patch.setattr("huggingface_hub.file_download.time.sleep", killed)
        checkpoint_folder(source_of(hub))
    hub.requests.clear()
    checkpoint_folder(source_of(hub))
    assert [request.range for request in sent(hub)] == ["bytes=30000-"]


def test_a_busy_hub_is_asked_again_when_it_says_and_later_each_time(hub, files, waits):
    hub.repository(MODEL).add(BRANCH, files)
    hub.faults = [Fault("/tree/", status=429, retry_after="7"), Fault("/refs", times=3, status=500)]
    hub.faults += [
        Fault("/resolve/config.json", method="HEAD", times=2, status=503),
        Fault("/cdn/", times=2, status=503),
    ]
    checkpoint_folder(source_of(hub))
    assert 7 <= waits[0] <= 7 * 1.5 + 1
    waits.clear()
    assert list_refs(MODEL, "model") == {BRANCH: hub.repos["model", MODEL].branches[BRANCH]}
    assert len(waits) == 3
    assert all(2**n <= wait <= 2**n * 1.5 for n, wait in enumerate(waits))


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "12"}, 12, 12),
        ({"Retry-After": format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)}, 43200, 86400),
        ({"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0, 0),
        ({"RateLimit": '"api";r=0;t=55', "Retry-After": "1"}, 55, 55),
    ],
)
def test_the_wait_that_a_hub_asks_for_is_read(headers, least, most):
    assert least <= retry.asked_wait(httpx2.Headers(headers)) <= most
    assert retry.asked_wait(httpx2.Headers({"Retry-After": "soon"})) is None


def test_a_hub_that_stays_busy_ends_in_words(hub, files, waits):
    hub.repository(MODEL).add(BRANCH, files)
    hub.faults = [Fault("/refs", times=99, status=429, retry_after="3600")]
    with pytest.raises(UserError, match=r"tiny-model cannot.*keeps answering 429\nhint: .*HF_TOKEN"):
        list_refs(MODEL, "model")
    assert len(waits) == retry.ATTEMPTS - 1 and 900 <= min(waits) <= max(waits) <= 900 * 1.5


@pytest.mark.parametrize("times", [1, 99])
def test_a_file_with_other_bytes_is_fetched_again_and_at_last_refused(hub, files, waits, times):
    hub.repository(MODEL).add(BRANCH, files)
    hub.faults = [Fault("/cdn/", times=times, swap=True)]
    if times == 1:
        folder = checkpoint_folder(source_of(hub))
        assert (folder / "model.safetensors").read_bytes() == files["model.safetensors"]
        return
    with pytest.raises(UserError, match=r"model.safetensors has the sha256 [0-9a-f]{12}.*\nhint: .*HF_ENDPOINT"):
        checkpoint_folder(source_of(hub))


@pytest.mark.parametrize("times", [1, 99])
def test_a_file_of_another_size_is_completed_or_at_last_refused(hub, files, waits, times):
    hub.repository(MODEL).add(BRANCH, files)
    hub.faults = [Fault("/cdn/", times=times, short=7)]
    if times == 1:
        folder = checkpoint_folder(source_of(hub))
        assert (folder / "model.safetensors").read_bytes() == files["model.safetensors"]
        assert sum(request.sent for request in sent(hub)) == len(files["model.safetensors"])
        return
    with pytest.raises(UserError, match=r"model.safetensors ends at byte \d+, the hub says at \d+\nhint: "):
        checkpoint_folder(source_of(hub))


def test_a_damaged_file_in_the_cache_is_noticed_and_replaced(hub, files, waits):
    hub.repository(MODEL).add(BRANCH, files)
    folder = checkpoint_folder(source_of(hub))
    for name in ("model.safetensors", "config.json"):
        whole = (folder / name).read_bytes()
        (folder / name).resolve().write_bytes(whole[:-1] + b"?")
    folder = checkpoint_folder(source_of(hub))
    assert all((folder / name).read_bytes() == files[name] for name in ("model.safetensors", "config.json"))


def test_the_token_goes_to_the_hub_and_nowhere_else(hub, files, monkeypatch, waits):
    hub.repository(MODEL).add(BRANCH, files)
    hub.repos["model", MODEL].is_gated = True
    with pytest.raises(UserError, match=rf"on request only\nhint: agree to its terms at {hub.address}/{MODEL}, then"):
        checkpoint_folder(source_of(hub))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    checkpoint_folder(source_of(hub))
    assert {request.token for request in sent(hub)} == {None}
    assert {request.token for request in hub.requests if "/tree/" in request.path} == {None, "Bearer hf_secret"}
    assert not waits  # nothing of this is a matter of patience


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"repo": "someone/nothing"}, "there is no such repository, or it is private\nhint: .*HF_TOKEN"),
        ({"commit": "1" * 40}, "the repository has no such revision\nhint: .*make resolve UPDATE=1"),
        ({"commit": None}, "'step9-tokens1B' of someone/tiny-model is not resolved to a commit.*\nhint: make resolve"),
    ],
)
def test_what_is_not_there_is_said_at_once(hub, files, waits, more, message):
    hub.repository(MODEL).add(BRANCH, files)
    with pytest.raises(UserError, match=message):
        checkpoint_folder(source_of(hub, **more))
    assert not waits


def test_a_repository_without_weights_that_are_read_is_refused(hub, files, waits):
    del files["model.safetensors"], files["pytorch_model.bin"]
    hub.repository(MODEL).add(BRANCH, files)
    with pytest.raises(UserError, match=r"has no weights in a supported format; it has .*flax_model.msgpack"):
        checkpoint_folder(source_of(hub))


def test_without_network_and_offline_the_way_out_is_named(hub, files, waits, monkeypatch):
    hub.repository(MODEL).add(BRANCH, files)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"http://127.0.0.1:9 cannot be reached: .*\nhint: .*login node.*`path`"):
        checkpoint_folder(source_of(hub))
    assert sum(waits) < 60
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="tiny-model at step9.* cannot be fetched"):
        checkpoint_folder(source_of(hub))


def test_without_room_nothing_is_started(hub, files, waits, monkeypatch):
    hub.repository(MODEL).add(BRANCH, files)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    with pytest.raises(UserError, match=r"needs 0.0 GB and 0.0 GB are free in .*\nhint: .*HF_HOME"):
        checkpoint_folder(source_of(hub))
    assert not sent(hub)


def pickled(tensors):
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("n_parts", [1, 2])
@pytest.mark.parametrize("is_tied", [False, True])
def test_pickled_weights_are_converted_once(hub, files, tiny_model, tokenizer, tmp_path, waits, n_parts, is_tied):
    model = tiny_model("gpt_neox", tie_word_embeddings=is_tied)
    tensors = model.state_dict()  # tied ones share their memory
    files = {name: content for name, content in files.items() if name.startswith(("tokenizer", "README"))}
    files["config.json"] = json.dumps(model.config.to_dict() | {"architectures": ["GPTNeoXForCausalLM"]}).encode()
    if n_parts == 1:
        files["pytorch_model.bin"] = pickled(tensors)
    else:
        names = {name: f"pytorch_model-0000{number % 2 + 1}-of-00002.bin" for number, name in enumerate(tensors)}
        for part in set(names.values()):
            files[part] = pickled({name: tensors[name] for name in tensors if names[name] == part})
        files["pytorch_model.bin.index.json"] = json.dumps({"weight_map": names}).encode()
    hub.repository(MODEL).add(BRANCH, files)
    output = fetch(tmp_path, source_of(hub))
    assert not list(output.glob("*.bin")) and (output / INDEX).exists() == (n_parts == 2)
    found = {name: tensor for path in output.glob("*.safetensors") for name, tensor in load_file(path).items()}
    assert found.keys() == tensors.keys() and all(torch.equal(found[name], tensors[name]) for name in found)
    text = torch.arange(5)[None]
    with torch.no_grad():
        assert torch.equal(load_model(output)(text).logits, model(text).logits)


class Evil:
    """What would run when it is unpickled."""

    def __reduce__(self):
        return (print, ("run!",))


def test_a_pickle_that_holds_more_than_weights_is_refused_and_not_run(hub, files, tmp_path, capsys, waits):
    del files["model.safetensors"]
    files["pytorch_model.bin"] = pickled({"a": torch.zeros(1), "b": Evil()})
    hub.repository(MODEL).add(BRANCH, files)
    message = rf"the checkpoint {MODEL} at {BRANCH}: pytorch_model.bin cannot be read without running what is in it"
    with pytest.raises(UserError, match=message):
        fetch(tmp_path, source_of(hub))
    assert "run!" not in capsys.readouterr().out


def test_a_tokenizer_of_two_files_is_converted_and_one_of_sentencepiece_refused(hub, files, tokenizer, tmp_path, waits):
    whole = files.pop("tokenizer.json")
    tokenizer.backend_tokenizer.model.save(str(tmp_path))
    files |= {name: (tmp_path / name).read_bytes() for name in ("vocab.json", "merges.txt")}
    files["tokenizer_config.json"] = json.dumps(
        {"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|endoftext|>", "add_prefix_space": False}
    ).encode()
    hub.repository(MODEL).add(BRANCH, files)
    text = "the film was good, and longer\n than ever"
    assert load_tokenizer(fetch(tmp_path, source_of(hub)))(text) == tokenizer(text)
    assert json.loads(whole)["model"]["type"] == "BPE"
    del files["vocab.json"], files["merges.txt"]
    files["tokenizer.model"] = b"sentencepiece"
    hub.repository(MODEL).add(BRANCH, files)
    with pytest.raises(UserError, match=r"no tokenizer.json, but tokenizer.model \(SentencePiece\)\nhint: .*`path`"):
        fetch(tmp_path, source_of(hub))


def parquet(rows):
    buffer = io.BytesIO()
    pl.DataFrame(rows).write_parquet(buffer)
    return buffer.getvalue()


def rows_of(split, n=3):
    return [{"text": f"{split} {number}", "label": number % 2} for number in range(n)]


CARD = """---
configs:
- config_name: plain
  data_files:
  - {split: train, path: plain/train-*}
  - {split: test, path: plain/test-*}
- config_name: other
  data_files:
  - {split: train, path: other/train-*}
---
"""


def publish(hub):
    return hub.repository(DATA, "dataset").add(
        "main",
        {
            "README.md": CARD.encode(),
            "plain/train-00000-of-00002.parquet": parquet(rows_of("train")),
            "plain/train-00001-of-00002.parquet": parquet(rows_of("more")),
            "plain/test-00000-of-00001.parquet": parquet(rows_of("test")),
            "other/train-00000-of-00001.parquet": parquet(rows_of("other")),
        },
    )


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


STUDY = """
study: of-the-hub
title: A study of the hub
series:
  tiny: {repo: someone/tiny-model, tokens_per_step: 1_000_000_000, every: 4B tokens, checkpoints: [{step: 9}]}
datasets:
  nursery-mood:
    source: {hub: someone/tiny-data, revision: main, splits: {train: train, validation: train, test: test}}
formats: [default]
methods: {base: {shots: [0]}, full: {kind: full, learning_rate: 1.0e-3, epochs: 1, batch_size: 4}}
seeds: [1]
items: {train: 4, validation: 2, test: 2, shots: 2}
suites: {own: {datasets: own, formats: trained}}
"""


def test_names_are_resolved_once_and_kept_until_an_update(hub, files, tmp_path, waits, capsys):
    (tmp_path / "study.yaml").write_text(STUDY)
    lock = tmp_path / "hub.lock.yaml"
    options = ["--study", str(tmp_path / "study.yaml"), "--lock", str(lock)]
    with pytest.raises(UserError, match=r"the steps of someone/tiny-model are .*\nhint: make resolve STUDY="):
        resolve_revisions.main([*options, "--show"])
    repo, data = hub.repository(MODEL), publish(hub)
    commits = {name: repo.add(name, files | {"x": name.encode()}) for name in ("step1", BRANCH, "step8-a", "main")}
    resolve_revisions.main(options)
    said = capsys.readouterr().out
    assert "every 4B tokens: 2 picked, 1 without" in said and "4.0B  a hole" in said and "step 1, +25.0%" in said
    assert commits[BRANCH][:12] in said
    written = lock.read_text()
    found = read_lock(lock)
    # all that tell a step, since `every` chooses among them; main tells none
    assert found["models"][MODEL] == {"is_whole": True, "revisions": {n: c for n, c in commits.items() if n != "main"}}
    assert found["datasets"][DATA]["revisions"] == {"main": data}
    hub.requests.clear()
    moved = repo.add(BRANCH, files | {"x": b"moved"})
    resolve_revisions.main(options)
    assert lock.read_text() == written and not hub.requests
    study = load_study(resolve_revisions.read_yaml(tmp_path / "study.yaml"), resolve_revisions.TASKS, lock)
    assert study.checkpoints["tiny"]["step9"]["commit"] == commits[BRANCH] != moved
    resolve_revisions.main([*options, "--update"])
    assert moved in lock.read_text()


def test_tokens_choose_among_all_branches_of_a_repository(hub, files, tmp_path, waits, capsys):
    text = STUDY.replace("every: 4B tokens, checkpoints: [{step: 9}]", "checkpoints: [{tokens: 8_700_000_000}]")
    (tmp_path / "study.yaml").write_text(text)
    options = ["--study", str(tmp_path / "study.yaml"), "--lock", str(tmp_path / "lock.yaml")]
    with pytest.raises(UserError, match=r"the steps of someone/tiny-model are .*\nhint: make resolve STUDY="):
        resolve_revisions.main([*options, "--show"])
    publish(hub)
    commits = {name: hub.repository(MODEL).add(name, files) for name in ("step7", BRANCH)}
    resolve_revisions.main(options)
    said = capsys.readouterr().out
    assert "step9" in said and "9.0B tokens" in said and commits[BRANCH][:12] in said
    assert read_lock(tmp_path / "lock.yaml")["models"][MODEL]["revisions"] == commits


def test_a_step_without_a_branch_and_one_with_two_are_said(hub, files, tmp_path, waits):
    (tmp_path / "study.yaml").write_text(STUDY.replace("every: 4B tokens, ", ""))
    options = ["--study", str(tmp_path / "study.yaml"), "--lock", str(tmp_path / "lock.yaml")]
    repo = hub.repository(MODEL)
    for name in ("step3", "step8-a", "step8-b", "main"):
        repo.add(name, files)
    with pytest.raises(
        UserError, match=r"tiny: step9: .*has no branch for step 9\nhint: the nearest steps are 3, 8, 8"
    ):
        resolve_revisions.main(options)
    repo.add("step9", files)
    repo.add("step9-again", files)
    with pytest.raises(UserError, match=r"2 branches of someone/tiny-model match .*: step9, step9-again\nhint: "):
        resolve_revisions.main(options)

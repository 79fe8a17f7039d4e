"""A server that gives itself out as the hub: nothing it says writes, reads or deletes outside the hub's own cache."""

import shutil
from pathlib import Path

import pytest
from hub_fixtures import BRANCH, MODEL, fetch, source_of

from ripeness.hub import download, github
from ripeness.runtime.errors import UserError

OIDS = ["../../../../elsewhere/keys", "/elsewhere/keys", "a" * 63, "A" * 64, "a" * 64 + "\n", "..", "", None, 7]
PATHS = ["../keys", "/keys", "a/../../keys", "a\\..\\keys", "..", "a//keys", "./keys", "keys\0", "a/", ".."]
NAMES = ["../../../elsewhere/keys", "/elsewhere/keys", "..", "a\\b", "a/b"]


@pytest.fixture
def elsewhere(tmp_path):
    """A file of the user's beside the cache, which must stay as it is."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/keys").write_text("mine")
    (tmp_path / "elsewhere/keys.part").write_text("mine")
    return tmp_path / "elsewhere"


def assert_refused(hub, tmp_path, elsewhere):
    with pytest.raises(UserError) as error:
        fetch(tmp_path, source_of(hub))
    said = str(error.value)
    assert "cannot be fetched: " in said and "\nhint: this is not an answer of a hub; check HF_ENDPOINT" in said
    assert {path.name: path.read_text() for path in elsewhere.iterdir()} == {"keys": "mine", "keys.part": "mine"}
    outside = [path for path in tmp_path.iterdir() if path.name not in ("cache", "elsewhere", "token")]
    assert not outside


@pytest.mark.parametrize("oid", OIDS, ids=range(len(OIDS)))
def test_a_sha256_that_is_none_is_refused(hub, files, waits, tmp_path, elsewhere, oid):
    hub.repository(MODEL).add(BRANCH, files)
    hub.lies["model.safetensors"] = {"lfs": {"oid": oid, "size": 7, "pointerSize": 130}}
    assert_refused(hub, tmp_path, elsewhere)


@pytest.mark.parametrize("oid", ["../../keys", "", "a" * 39])
def test_a_hash_of_a_small_file_that_is_none_is_refused(hub, files, waits, tmp_path, elsewhere, oid):
    hub.repository(MODEL).add(BRANCH, files)
    hub.lies["config.json"] = {"oid": oid}
    assert_refused(hub, tmp_path, elsewhere)


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_a_path_that_leads_out_of_a_repository_is_refused(hub, files, waits, tmp_path, elsewhere, path):
    hub.repository(MODEL).add(BRANCH, files)
    hub.lies["README.md"] = {"path": path}  # a file that is not even wanted
    assert_refused(hub, tmp_path, elsewhere)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize("header", ["ETag", "X-Linked-ETag", "X-Repo-Commit"])
def test_a_header_that_leads_out_of_the_cache_is_refused(hub, files, waits, tmp_path, elsewhere, header, name):
    """The library calls a small file by its ETag, and its folder by the commit."""
    hub.repository(MODEL).add(BRANCH, files)
    hub.named[header] = name if header == "X-Repo-Commit" else f'"{name}"'
    assert_refused(hub, tmp_path, elsewhere)


def test_a_damaged_file_is_forgotten_in_the_cache_and_nowhere_else(tmp_path):
    snapshot, blobs = tmp_path / "models--x--y/snapshots/c", tmp_path / "models--x--y/blobs"
    for folder in (snapshot, blobs):
        folder.mkdir(parents=True)
    for path in (blobs / "aaaa", tmp_path / "mine"):
        path.write_text("text")
    (snapshot / "one").symlink_to("../../blobs/aaaa")
    (snapshot / "two").symlink_to(tmp_path / "mine")
    for name in ("one", "two"):
        download.forget(snapshot / name)
    assert not list(snapshot.iterdir()) and not list(blobs.iterdir()) and (tmp_path / "mine").exists()


@pytest.mark.parametrize("path", ["../keys", "/keys", "a/../../keys"])
def test_a_path_of_a_task_that_leads_out_of_a_repository_is_refused(hub, tmp_path, path):
    source = {"github": "a/b", "revision": "c" * 40, "files": {"train": path}}
    with pytest.raises(UserError, match=r"source.files.train: .* leads out of the repository\nhint: "):
        github.fetch_files(source, ["train"], Path(tmp_path / "temporary"))
    assert not (tmp_path / "keys").exists() and not hub.requests


def test_what_a_good_hub_says_is_fetched(hub, files, waits, tmp_path, elsewhere):
    hub.repository(MODEL).add(BRANCH, files | {"a folder/with spaces \u00e9.txt": b"x"})
    assert (fetch(tmp_path, source_of(hub)) / "config.json").is_file()
    shutil.rmtree(tmp_path / "out")

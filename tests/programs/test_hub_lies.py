"""What no hub answers ends in one error with a hint: other JSON, pages of HTML, lists without an end."""

import gzip
import json

import pytest
from hub_fixtures import BRANCH, MODEL, fetch, source_of

from ripeness.hub import client, download, retry
from ripeness.runtime.errors import UserError

JSON = {"Content-Type": "application/json"}
FILE = {"type": "file", "path": "config.json", "size": 1, "oid": "0" * 40}


def body(value):
    return 200, json.dumps(value).encode(), JSON


LISTS = {
    "a page": (200, b"<html><body>Please log in</body></html>", {"Content-Type": "text/html"}),
    "nothing": (200, b"", JSON),
    "null": body(None),
    "an object": body({"error": "no"}),
    "numbers": body([1, 2]),
    "nulls": body([None]),
    "lists": body([[FILE]]),
    "an entry without a path": body([{"type": "file"}]),
    "an entry without a hash": body([{"type": "file", "path": "config.json", "size": 1}]),
    "a path that is a number": body([FILE | {"path": 7}]),
    "a size in words": body([FILE | {"size": "big"}]),
    "a size that is true": body([FILE | {"size": True}]),
    "a size of a fraction": body([FILE | {"size": 1.5}]),
    "lfs that is a text": body([FILE | {"lfs": "yes"}]),
    "lfs without a hash": body([FILE | {"lfs": {"size": 1}}]),
    "an unknown kind": body([FILE | {"type": "submodule"}]),
    "the same file twice": body([FILE, FILE | {"oid": "1" * 40}]),
    "lists in lists": (200, b"[" * 100_000, JSON),
    "half a list": (200, b'[{"type": "file", "path"', JSON),
    "Latin": (200, '[{"path": "caf\u00e9"}]'.encode("latin-1"), JSON),
    "what is not packed": (200, b"[]", JSON | {"Content-Encoding": "gzip"}),
    "a list that is packed and cut": (200, gzip.compress(b"[]" * 999)[:-9], JSON | {"Content-Encoding": "gzip"}),
    "a status that is none": (299, b"?", {}),
    "a teapot": (418, b"short and stout", {}),
}


def refused(tmp_path, hub):
    with pytest.raises(UserError) as error:
        fetch(tmp_path, source_of(hub))
    said = str(error.value)
    assert said.count("\nhint: ") == 1 and MODEL in said and not (tmp_path / "out").exists()
    return said


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_files_that_is_none_is_one_error(hub, files, waits, tmp_path, name):
    hub.repository(MODEL).add(BRANCH, files)
    hub.instead["/tree/"] = LISTS[name]
    refused(tmp_path, hub)


@pytest.mark.parametrize("name", LISTS)
def test_branches_that_are_none_are_one_error(hub, files, waits, name):
    hub.repository(MODEL).add(BRANCH, files)
    hub.instead["/refs"] = LISTS[name]
    with pytest.raises(UserError) as error:
        client.list_refs(MODEL, "model")
    assert str(error.value).count("\nhint: ") == 1


@pytest.mark.parametrize("commit", ["../../keys", "main", "", 7, None, "A" * 40, "a" * 41])
def test_a_commit_that_is_none_is_refused(hub, files, waits, commit):
    found = [{"ref": "refs/heads/main", "name": "main", "targetCommit": commit}]
    hub.repository(MODEL).add(BRANCH, files)
    hub.instead["/refs"] = body({"branches": found, "tags": [], "converts": []})
    with pytest.raises(UserError, match=r"cannot be fetched: .*\nhint: "):
        client.list_refs(MODEL, "model")


def test_a_list_without_an_end_is_refused(hub, files, waits, tmp_path, monkeypatch):
    hub.repository(MODEL).add(BRANCH, files)
    again = f'<{hub.address}/api/models/{MODEL}/tree/x>; rel="next"'
    hub.instead["/tree/"] = (200, json.dumps([FILE]).encode(), JSON | {"Link": again})
    assert "a file is listed twice" in refused(tmp_path, hub)
    assert len(hub.requests) < 10


def test_empty_pages_without_an_end_are_refused(hub, files, waits, tmp_path, monkeypatch):
    monkeypatch.setattr(retry, "MOST_ANSWERS", 9)
    hub.repository(MODEL).add(BRANCH, files)
    again = f'<{hub.address}/api/models/{MODEL}/tree/x>; rel="next"'
    hub.instead["/tree/"] = (200, b"[]", JSON | {"Link": again})
    with pytest.raises(UserError, match=r"more than 9 pages\nhint: "):
        fetch(tmp_path, source_of(hub))


def test_a_list_of_too_many_files_is_refused(hub, files, waits, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MOST_FILES", 9)
    hub.repository(MODEL).add(BRANCH, files | {f"{number}.txt": b"x" for number in range(9)})
    assert "more than 9 files" in refused(tmp_path, hub)


def test_an_address_that_leads_to_itself_is_one_error(hub, files, waits, tmp_path):
    hub.repository(MODEL).add(BRANCH, files)
    hub.instead["/tree/"] = (302, b"", {"Location": f"{hub.address}/api/models/{MODEL}/tree/x"})
    refused(tmp_path, hub)


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://localhost/x", "//", "http://[::1", ""])
def test_an_address_that_is_none_is_one_error(hub, files, waits, tmp_path, place):
    hub.repository(MODEL).add(BRANCH, files)
    hub.instead["/resolve/"] = (302, b"", {"Location": place, "X-Repo-Commit": "0" * 40, "ETag": '"x"'})
    refused(tmp_path, hub)

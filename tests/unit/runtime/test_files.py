"""Files are written whole, synced before they count, and never over what was not made here; damaged ones are named."""

import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from ripeness.data.passages import read_text
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, read_json_lines, whole, write_json
from ripeness.runtime.made_here import MARK, check_no_overlap, check_place, mark_of
from ripeness.storage.arrays import open_tensors, read_array, read_state
from ripeness.storage.parquet import columns_of, read_table
from ripeness.tables.columns import read_tables

ROOT = Path(__file__).parents[3]
AGAIN = "hint: delete it; the next run makes it again"


def write_folder(path, **files):
    with whole(path) as folder:
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)


def tree(folder):
    """Every file and link below a folder."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_a_folder_that_was_made_here_is_replaced_and_leaves_no_temporary(tmp_path):
    write_folder(tmp_path / "out", a="1", b="2")
    (tmp_path / "out/.snakemake_timestamp").touch()  # which Snakemake puts there
    write_folder(tmp_path / "out", a="3")
    assert tree(tmp_path / "out").keys() == {"a", MARK} and (tmp_path / "out/a").read_text() == "3"
    assert mark_of(tmp_path / "out")["files"] == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def users_folder(folder):
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")


def made_with_a_note(folder):
    write_folder(folder, a="1")
    (folder / "notes.txt").write_text("mine")


def made_with_a_note_below(folder):
    with whole(folder) as made:
        (made / "data").mkdir(parents=True)
        (made / "data/rows").write_text("1")
    (folder / "data/notes.txt").write_text("mine")


def copied_mark(folder):
    """A folder of the user's with a mark from elsewhere."""
    write_folder(folder, a="1")
    (folder / "a").rename(folder / "b")


def link_to_a_folder(folder):
    write_folder(folder.with_name("elsewhere"), a="1")
    folder.symlink_to("elsewhere")


def with_a_link(folder):
    folder.mkdir()
    (folder / "link").symlink_to("/nowhere")


USERS = [users_folder, made_with_a_note, made_with_a_note_below, copied_mark, link_to_a_folder, with_a_link]


@pytest.mark.parametrize("make", USERS)
def test_a_folder_that_holds_what_was_not_made_here_is_left_as_it_is(tmp_path, make):
    make(tmp_path / "out")
    before = tree(tmp_path)
    with pytest.raises(UserError, match=r"out is not overwritten: .*\nhint: "):
        write_folder(tmp_path / "out", new="new")
    with pytest.raises(UserError, match="out is not overwritten"):
        check_place(tmp_path / "out", is_folder=True)
    assert tree(tmp_path) == before


def test_a_file_is_not_written_over_a_folder_nor_a_folder_over_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    write_folder(tmp_path / "folder", a="1")
    before = tree(tmp_path)
    with pytest.raises(UserError, match="folder is not overwritten: it is a folder"):
        write_json(tmp_path / "folder", {})
    with pytest.raises(UserError, match="file is not overwritten: it is a file"):
        write_folder(tmp_path / "file", a="1")
    assert tree(tmp_path) == before


def test_a_file_replaces_a_link_and_not_what_it_points_to(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "out.json").symlink_to("mine")
    write_json(tmp_path / "out.json", {})
    assert (tmp_path / "mine").read_text() == "mine" and not (tmp_path / "out.json").is_symlink()


def test_an_error_leaves_what_was_there(tmp_path):
    write_folder(tmp_path / "out", a="1")
    before = tree(tmp_path)
    with pytest.raises(ZeroDivisionError), whole(tmp_path / "out") as folder:
        folder.mkdir()
        (folder / "a").write_text(str(1 / 0))
    assert tree(tmp_path) == before


@pytest.mark.parametrize("pair", [("a", "a"), ("a/b", "a"), ("a", "a/b"), ("link", "a")])
def test_an_output_apart_from_what_is_read(tmp_path, pair):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(UserError, match="overlaps with the input .*\nhint: "):
        check_no_overlap(tmp_path / pair[0], tmp_path / pair[1])
    check_no_overlap(tmp_path / "ab", tmp_path / "a")


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_what_a_library_writes_for_its_owner_alone_is_readable_as_the_umask_says(tmp_path, umask):
    before = os.umask(umask)
    try:
        with whole(tmp_path / "state.safetensors") as temporary:
            save_file({"weight": torch.zeros(2)}, temporary)
        with whole(tmp_path / "model") as temporary:
            temporary.mkdir()
            save_file({"weight": torch.zeros(2)}, temporary / "model.safetensors")
    finally:
        os.umask(before)
    for path in ("state.safetensors", "model/model.safetensors"):
        assert (tmp_path / path).stat().st_mode & 0o777 == 0o666 & ~umask


def test_all_is_on_the_disk_before_it_counts(tmp_path, monkeypatch):
    """Content, the list of what is in the folder, the rename, the list of the folder around: in this order."""
    events = []

    def fsync(descriptor):
        events.append(os.readlink(f"/proc/self/fd/{descriptor}").rpartition("/")[2])

    replace = os.replace
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append("rename"), replace(a, b)))
    with whole(tmp_path / "out") as folder:
        (folder / "inner").mkdir(parents=True)
        (folder / "inner/a").write_text("1")
        (folder / "link").symlink_to("/nowhere")
        write_json(folder / "b.json", {})  # which waits for the whole, and does not sync by itself
    assert events[:1] == ["rename"] and events[-2:] == ["rename", tmp_path.name]
    assert set(events[1:-2]) == {"out", "inner", "a", "b.json", MARK}
    events.clear()
    write_json(tmp_path / "c.json", {})
    assert events == ["c.json", "rename", tmp_path.name]
    events.clear()
    write_json(tmp_path / "usage.json", {}, must_last=False)
    assert events == ["rename"]


def make_parquet(path):
    pl.DataFrame({"a": list(range(999))}).write_parquet(path)


def make_json(path):
    write_json(path, {"a": list(range(99))})


def make_array(path):
    np.save(path, np.arange(999))
    return path


def make_tensors(path):
    save_file({"a": torch.arange(999)}, path)


def make_state(path):
    torch.save({"identity": "x", "weights": torch.arange(999)}, path)


def open_and_close(path):
    with open_tensors(path):
        pass


KINDS = {
    "t.parquet": (make_parquet, read_table),
    "u.parquet": (make_parquet, lambda path: read_tables([path], {"a": pl.Int64()}).collect()),
    "j.json": (make_json, read_json),
    "a.npy": (make_array, read_array),
    "w.safetensors": (make_tensors, open_and_close),
    "s.state": (make_state, read_state),
}
DAMAGE = {
    "half": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "another beginning": lambda content: b"\xffNOT" + content[4:],
    "another end": lambda content: content[:-9],
    "zeros": lambda content: bytes(len(content)),  # as after a failure of power
    "text": lambda _: b"moved to another place\n",
}


@pytest.mark.parametrize("name", ["t.parquet", "u.parquet"])
def test_a_name_that_looks_like_a_pattern_is_a_name(tmp_path, name):
    make, read = KINDS[name]
    for folder in ("[2] old", "2 old"):
        (tmp_path / folder).mkdir()
        make(tmp_path / folder / name)
    pl.DataFrame({"a": [7]}).write_parquet(tmp_path / "[2] old" / name)
    pl.DataFrame({"b": ["another's"]}).write_parquet(tmp_path / "2 old" / name)
    assert read(tmp_path / "[2] old" / name)["a"].to_list() == [7]
    assert columns_of(tmp_path / "[2] old" / name) == {"a": pl.Int64}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_named_with_what_to_do(tmp_path, name, damage):
    make, read = KINDS[name]
    make(tmp_path / name)
    read(tmp_path / name)
    (tmp_path / name).write_bytes(DAMAGE[damage]((tmp_path / name).read_bytes()))
    with pytest.raises(UserError) as error:
        read(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name} cannot be read: ") and str(error.value).endswith(AGAIN)


def test_in_a_folder_that_was_made_the_hint_names_the_folder(tmp_path):
    write_folder(tmp_path / "out", **{"a.json": "{"})
    with pytest.raises(UserError) as error:
        read_json(tmp_path / "out/a.json")
    assert str(error.value).endswith(f"{AGAIN} (that is, its folder {tmp_path / 'out'})")


@pytest.mark.parametrize("name", ["notes.txt", "deep/er/notes.txt", "link"])
def test_a_folder_that_holds_a_file_of_the_users_is_not_to_be_deleted(tmp_path, name):
    write_folder(tmp_path / "out", **{"a.json": "{"})
    (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
    if name == "link":
        (tmp_path / "out/link").symlink_to(tmp_path)
    else:
        (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(UserError) as error:
        read_json(tmp_path / "out/a.json")
    said = str(error.value)
    assert said.startswith(f"{tmp_path}/out/a.json cannot be read: ") and "delete" not in said
    assert f"hint: {name} in {tmp_path / 'out'} was not made here: move it elsewhere" in said


@pytest.mark.parametrize("content", ["", '{"a": 1}\n', '{"a": 1}\n{"a"', "\0" * 18])
def test_lines_that_are_missing_are_missed(tmp_path, content):
    write_folder(tmp_path / "out", **{"a.jsonl": '{"a": 1}\n{"a": 2}\n', "a.txt": "one\ntwo\n"})
    assert read_json_lines(tmp_path / "out/a.jsonl") == [{"a": 1}, {"a": 2}]
    assert read_text(tmp_path / "out/a.txt") == "one\ntwo\n"
    for name, read in (("a.jsonl", read_json_lines), ("a.txt", read_text)):
        (tmp_path / "out" / name).write_text(content)
        with pytest.raises(UserError, match=rf"{name} cannot be read: .*\nhint: delete it; the next run"):
            read(tmp_path / "out" / name)


@pytest.mark.parametrize(("text", "seen"), [("[1]", r"\[1\] found, but an object"), ('{"b": 1}', "it lacks a")])
def test_json_of_another_kind_is_refused(tmp_path, text, seen):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=seen):
        read_json(tmp_path / "a.json", dict, keys=("a",))


def test_json_with_a_mark_of_byte_order_is_read(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf" + json.dumps({"a": 1}).encode())
    assert read_json(tmp_path / "a.json") == {"a": 1}

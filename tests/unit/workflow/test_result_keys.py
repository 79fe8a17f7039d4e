"""Keys of results: what is in them, what is noticed, what a crash may leave."""

import json

import pytest

from ripeness.workflow import result_keys
from ripeness.workflow.result_keys import Contents, Key, Keys, accepted_results, content_digest

KEY = Key("predict", "settings", "code", "inputs", ("a", "b"))


@pytest.fixture
def folder(tmp_path):
    """Give the folder of a study in which one output has been made and noted."""
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "predictions.parquet").write_text("made")
    Keys(tmp_path).add(KEY, ["cells/predictions.parquet", "cells"])
    return tmp_path


def test_a_key_is_read_as_it_was_written(folder):
    assert Keys(folder).of("cells/predictions.parquet").key == KEY
    assert Keys(folder).of("cells").key == KEY
    assert Keys(folder).of("cells/other.parquet") is None


@pytest.mark.parametrize("part", ["settings", "code", "inputs"])
def test_a_key_says_which_part_differs(part):
    other = Key(**{name: getattr(KEY, name) for name in ("rule", "settings", "code", "inputs", "probes")} | {part: "x"})
    assert KEY.difference(other) == {"settings": "settings", "code": "code", "inputs": "input"}[part]
    assert KEY.digest != other.digest


def test_a_result_serves_every_plan_that_wants_some_of_its_probes():
    assert Key("predict", "settings", "code", "inputs", ("b",)).difference(KEY) == ""
    assert Key("predict", "settings", "code", "inputs", ("b", "c")).difference(KEY) == "probe"


def test_an_output_of_another_size_than_was_noted_has_no_key(folder):
    (folder / "cells" / "predictions.parquet").write_text("changed by hand")
    assert Keys(folder).of("cells/predictions.parquet") is None


def test_the_last_note_counts_and_a_line_that_was_cut_off_counts_as_not_written(folder):
    later = Key("predict", "others", "code", "inputs")
    Keys(folder).add(later, ["cells/predictions.parquet"])
    with (folder / result_keys.KEYS).open("a") as file:
        file.write('{"rule": "predict", "settings": "cut o')
    assert Keys(folder).of("cells/predictions.parquet").key == later
    Keys(folder).add(KEY, ["cells/predictions.parquet"])  # goes to a line of its own
    assert Keys(folder).of("cells/predictions.parquet").key == KEY


@pytest.mark.parametrize("line", ["[1]", "12", "null", '"text"', "[" * 100_000, "\0" * 100, "{}}"])
def test_a_line_that_is_no_note_is_passed_over(folder, line):
    before = Keys(folder).made
    with (folder / "keys.jsonl").open("a") as file:
        file.write(f"{line}\n")
    assert Keys(folder).made == before and before


def test_a_result_is_found_by_its_key_under_another_name(folder):
    assert Keys(folder).elsewhere(KEY, "renamed/predictions.parquet") == "cells/predictions.parquet"
    fewer = Key("predict", "settings", "code", "inputs", ("b",))
    assert Keys(folder).elsewhere(fewer, "renamed/predictions.parquet") == "cells/predictions.parquet"
    more = Key("predict", "settings", "code", "inputs", ("b", "c"))
    assert Keys(folder).elsewhere(more, "renamed/predictions.parquet") is None
    assert Keys(folder).elsewhere(KEY, "renamed/items.parquet") is None


def test_keys_follow_results_that_are_moved_aside(folder):
    keys = Keys(folder)
    (folder / "removed").mkdir()
    (folder / "cells").rename(folder / "removed" / "cells")
    keys.follow(result_keys.Path("cells"), result_keys.Path("removed"))
    assert Keys(folder).of("removed/cells/predictions.parquet").key == KEY


def test_what_was_accepted_is_counted_by_rule_and_code(folder):
    Keys(folder).add(Key("predict", "settings", "new", "inputs"), ["cells/predictions.parquet"], accepted="code")
    assert accepted_results(folder) == [{"rule": "predict", "code_before": "code", "code_since": "new", "jobs": 1}]


def test_content_is_read_once_while_size_time_and_inode_stay(tmp_path, monkeypatch):
    path = tmp_path / "rows.jsonl"
    path.write_text("rows")
    digest = Contents(tmp_path).digest(path)
    with monkeypatch.context() as patch:
        patch.setattr(result_keys, "content_digest", None)
        assert Contents(tmp_path).digest(path) == digest
    path.write_text("sowr")
    assert Contents(tmp_path).digest(path) != digest
    path.unlink()
    assert Contents(tmp_path).digest(path) == "missing"


def test_the_same_content_has_the_same_digest_in_any_place_and_a_folder_that_of_its_files(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("same")
    contents = Contents(tmp_path)
    assert contents.digest(tmp_path / "one") == contents.digest(tmp_path / "two")
    (tmp_path / "two" / "a.txt").rename(tmp_path / "two" / "b.txt")
    assert contents.digest(tmp_path / "one") != contents.digest(tmp_path / "two")


@pytest.mark.parametrize("place", [0, 2**20 * 300 - 1])
def test_of_a_large_file_first_and_last_bytes_are_read_too(tmp_path, place):
    path, size = tmp_path / "model.safetensors", 2**20 * 300
    with path.open("wb") as file:
        file.truncate(size)
    before = content_digest(path, size)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"x")
    assert content_digest(path, size) != before


def test_a_folder_that_cannot_be_written_is_read(folder, monkeypatch):
    monkeypatch.setattr(result_keys.Path, "open", lambda *_, **__: (_ for _ in ()).throw(OSError("read-only")))
    monkeypatch.setattr(result_keys.os, "access", lambda *_: False)
    Keys(folder).add(KEY, ["cells/predictions.parquet"])
    monkeypatch.undo()
    assert len((folder / result_keys.KEYS).read_text().splitlines()) == 1
    assert json.loads((folder / result_keys.KEYS).read_text())["rule"] == "predict"


def test_what_a_run_that_was_broken_off_began_to_make_has_no_key_of_before(folder):
    Keys(folder).forget(["cells/predictions.parquet", "cells/other.parquet"])
    (folder / "cells" / "predictions.parquet").write_text("anew")  # of the size that was noted
    assert Keys(folder).of("cells/predictions.parquet") is None
    assert Keys(folder).of("cells").key == KEY
    Keys(folder).add(KEY, ["cells/predictions.parquet"])
    assert Keys(folder).of("cells/predictions.parquet").key == KEY


def test_a_folder_whose_files_have_another_size_has_no_key_and_a_change_in_it_is_another_content(folder):
    inner = folder / "cells" / "linked"
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "rows.jsonl").write_text("rows")
    inner.symlink_to(folder / "elsewhere")
    Keys(folder).add(KEY, ["cells", "cells/model"])
    before = Contents(folder).digest(folder / "cells")
    assert Keys(folder).of("cells").key == KEY and Contents(folder).digest(folder / "cells") == before
    (folder / "elsewhere" / "rows.jsonl").write_text("other rows")
    assert Keys(folder).of("cells") is None and Contents(folder).digest(folder / "cells") != before


def test_weights_that_are_deleted_once_measured_leave_the_key_of_their_training(folder):
    (folder / "model").mkdir()
    (folder / "model" / "weights").write_text("weights")
    Keys(folder).add(KEY, ["model"])
    (folder / "model" / "weights").unlink()
    assert Keys(folder).of("model").key == KEY

"""Contents of files: what is read, what is remembered, what is noticed."""

import os
import time

import pytest

from ripeness.workflow import file_contents
from ripeness.workflow.file_contents import Contents, content_digest


def test_content_is_read_once_while_size_time_and_inode_stay(tmp_path, monkeypatch):
    path = tmp_path / "rows.jsonl"
    path.write_text("rows")
    digest = Contents(tmp_path).digest(path)
    with monkeypatch.context() as patch:
        patch.setattr(file_contents, "content_digest", None)
        assert Contents(tmp_path).digest(path) == digest
    path.write_text("sowr")
    assert Contents(tmp_path).digest(path) != digest
    path.unlink()
    assert Contents(tmp_path).digest(path) == "missing"


def test_the_same_content_has_the_same_digest_in_any_place_and_a_folder_that_of_its_files(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("same")
    known = Contents(tmp_path)
    assert known.digest(tmp_path / "one") == known.digest(tmp_path / "two")
    (tmp_path / "two" / "a.txt").rename(tmp_path / "two" / "b.txt")
    assert known.digest(tmp_path / "one") != known.digest(tmp_path / "two")


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


def test_a_file_that_is_replaced_in_place_with_its_size_and_time_kept_is_read_again(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_text("weights")
    former, status = Contents(tmp_path).digest(path), path.stat()
    time.sleep(0.05)  # of which clocks of file systems are sure
    path.write_text("WEIGHTS")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as cp -p does
    assert path.stat().st_ino == status.st_ino and Contents(tmp_path).digest(path) != former

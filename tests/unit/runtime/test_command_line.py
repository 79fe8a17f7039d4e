"""What every program does at its edges."""

import errno
import sys

import pytest

from ripeness.runtime import command_line
from ripeness.runtime.command_line import argument_parser, disk_hint, json_option, run


def wrapped(error):
    """An error of a library that hides what the system said."""
    try:
        raise RuntimeError("cannot write") from error
    except RuntimeError as outer:
        return outer


DISK = [
    (OSError(errno.ENOSPC, "No space left on device", "results/x.parquet"), "make room"),
    (RuntimeError("I/O error: No space left on device (os error 28)"), "make room"),
    (OSError(errno.EDQUOT, "Disk quota exceeded"), "make room; the next run resumes from here; `quota`"),
    (OSError(errno.EROFS, "Read-only file system", "results"), "nothing can be written there"),
    (
        RuntimeError("parquet: File out of specification: Invalid thrift: transport error"),
        "is the disk full? make room",
    ),
    (wrapped(OSError(errno.EROFS, "Read-only file system", "logs")), "nothing can be written there"),
    (PermissionError(errno.EACCES, "Permission denied", "results/x.json"), "this user may not write there"),
]


@pytest.mark.parametrize(("error", "hint"), DISK)
def test_a_disk_that_is_full_or_not_to_be_written_is_said_without_a_traceback(monkeypatch, capsys, error, hint):
    def program():
        raise error

    monkeypatch.setattr(sys, "argv", ["program"])
    with pytest.raises(SystemExit) as end:
        run(program)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {error}\nhint: {hint}") and "Traceback" not in said


@pytest.mark.parametrize(("error", "hint"), DISK)
def test_so_is_one_that_is_full_when_the_usage_is_written(monkeypatch, capsys, error, hint):
    def full(*_, **__):
        raise error

    monkeypatch.setattr(command_line, "write_json", full)
    monkeypatch.setattr(sys, "argv", ["program", "--usage", "x.json"])
    with pytest.raises(SystemExit) as end:
        run(lambda: None)
    assert end.value.code == 2 and f"\nhint: {hint}" in capsys.readouterr().err


def test_any_other_error_is_a_bug_and_shows_itself(monkeypatch):
    def program():
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sys, "argv", ["program"])
    with pytest.raises(OSError, match="Input/output"):
        run(program)


def test_a_line_of_snakemake_that_says_so_has_the_same_hint_and_others_have_none():
    line = "OSError: [Errno 30] Read-only file system: 'results/x'"
    assert disk_hint(line).startswith("nothing can be written there")
    assert disk_hint("/bin/sh: 1: cannot create results/x.log: No space left on device").startswith("make room")
    assert disk_hint("total 17") == "" and disk_hint(ValueError("no number")) == ""


@pytest.mark.parametrize(("text", "why"), [("{epochs: 3}", "enclosed in double quotes"), ("[1]", "another kind")])
def test_json_that_is_no_object_is_refused_with_a_hint(text, why, capsys):
    parser = argument_parser("Do something.")
    parser.add_argument("--settings", type=json_option)
    assert parser.parse_args(["--settings", '{"epochs": 3}']).settings == {"epochs": 3}
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["--settings", text])
    said = capsys.readouterr().err
    assert "argument --settings: " in said and text in said and why in said and "\nhint: " in said

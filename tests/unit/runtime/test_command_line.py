"""What every program does at its edges."""

import errno
import os
import subprocess
import sys
from pathlib import Path

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
    (OSError(errno.EFBIG, "File too large"), "files may not be so large here: raise the limit (`ulimit -f`)"),
    (OSError(errno.EMFILE, "Too many open files", "x"), "raise the number of files that may be open"),
    (OSError(errno.ENAMETOOLONG, "File name too long", "x"), "use shorter names"),
    (OSError(errno.EIO, "Input/output error", "x"), "the disk or its network fails"),
    (wrapped(OSError(errno.ESTALE, os.strerror(errno.ESTALE), "x")), "the network file system has lost the file"),
    (OSError(errno.ENOTCONN, "Transport endpoint is not connected"), "the file system is not mounted any more"),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "the job needs more memory"),
    (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "the job needs more memory"),
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
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(sys, "argv", ["program"])
    with pytest.raises(OSError, match="No such device"):
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


@pytest.mark.parametrize("n", [1, 100_000])
def test_a_reader_that_ends_early_is_no_bug(n):
    program = f"from ripeness.runtime.command_line import run\nrun(lambda: print('a line\\n' * {n}))"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3] / "scripts")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait() == 141 and "Traceback" not in said and said.count("\n") == 1, said

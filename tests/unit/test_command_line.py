"""What every program does at its edges."""

import errno
import sys

import pytest

from ripeness.command_line import argument_parser, json_option, run


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "results/x.parquet"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
    ],
)
def test_a_full_disk_is_said_without_a_traceback(monkeypatch, capsys, error):
    def program():
        raise error

    monkeypatch.setattr(sys, "argv", ["program"])
    with pytest.raises(SystemExit) as end:
        run(program)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "hint: make room" in said


def test_any_other_error_is_a_bug_and_shows_itself(monkeypatch):
    def program():
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sys, "argv", ["program"])
    with pytest.raises(OSError, match="Input/output"):
        run(program)


@pytest.mark.parametrize(("text", "why"), [("{epochs: 3}", "enclosed in double quotes"), ("[1]", "another kind")])
def test_json_that_is_no_object_is_refused_with_a_hint(text, why, capsys):
    parser = argument_parser("Do something.")
    parser.add_argument("--settings", type=json_option)
    assert parser.parse_args(["--settings", '{"epochs": 3}']).settings == {"epochs": 3}
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["--settings", text])
    said = capsys.readouterr().err
    assert "argument --settings: " in said and text in said and why in said and "\nhint: " in said

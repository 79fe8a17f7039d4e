"""A file of the user's that an option names is not overwritten; what a program wrote itself is."""

import importlib
import json
import os
import re
import sys
from pathlib import Path

import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from ripeness.runtime.command_line import output_file, output_object, output_table
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole, write_json

ROOT = Path(__file__).parents[3]
OUTPUTS = [
    (program.stem, name)
    for program in sorted((ROOT / "scripts").glob("*.py"))
    for name in re.findall(r'add_argument\(\s*"(--[a-z-]+)"[^)]*type=output_(?:file|table|object)', program.read_text())
]
MINE = {
    "notes.txt": b"mine\n",
    "notes": b"mine",
    "study.yaml": b"a: 1\n",
    "program.py": b"print()\n",
    "rows.jsonl": b'{"a": 1}\n{"a": 2}\n',
    "config.json": b'{"b": 1, "a": 2}',
    "picture.png": b"\x89PNG\r\n\x1a\n\0\0",
    "archive.gz": b"\x1f\x8b\x08\0",
    "latin.txt": "caf\u00e9".encode("latin-1"),
    "numbers.json": b"[1, 2,  3]",
    "deep.json": b"[" * 5000,
}


def test_every_program_is_tried():
    assert len({program for program, _ in OUTPUTS}) > 20 and ("train_model", "--record") in OUTPUTS


@pytest.mark.parametrize(("program", "option"), OUTPUTS)
def test_no_program_takes_a_text_of_the_users_for_its_output(tmp_path, monkeypatch, program, option):
    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    with pytest.raises(UserError, match=r"notes.txt is not overwritten: .*\nhint: give another path"):
        importlib.import_module(program).main([option, str(tmp_path / "notes.txt")])
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", MINE)
def test_a_file_of_another_form_is_refused_before_any_work(tmp_path, name):
    (tmp_path / name).write_bytes(MINE[name])
    with pytest.raises(UserError, match=f"{name} is not overwritten: it "):
        output_file(str(tmp_path / name))


def test_what_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken").symlink_to("nowhere")
    for name in ("pipe", "broken"):
        with pytest.raises(UserError, match="it is no regular file"):
            output_file(str(tmp_path / name))
    with pytest.raises(UserError, match="it is no regular file"):
        output_file("/dev/null")


@pytest.mark.parametrize("content", [b"", b"\0" * 30])
def test_a_file_without_content_may_be_replaced(tmp_path, content):
    (tmp_path / "out.json").write_bytes(content)
    write_json(output_file(str(tmp_path / "out.json")), {"a": 1})
    assert json.loads((tmp_path / "out.json").read_text()) == {"a": 1}


def table(path, **columns):
    pl.DataFrame(columns).write_parquet(path)


def svg(path, width):
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="{width}">' + "x" * 99)


# how a file is written, with what it is first and later
AGAIN = {
    "a.parquet": (table, {"a": [1], "b": [2]}, {"a": [3, 4], "b": [5, 6], "c": [0, 0]}),
    "a.csv": (lambda path, text: path.write_text(text), {"text": "a,b\n1,2\n"}, {"text": "a,b\n3,4\n"}),
    "a.svg": (svg, {"width": 100}, {"width": 64}),
    "a.safetensors": (
        lambda path, **names: save_file(names, path),
        {"a": torch.zeros(2)},
        {"a": torch.ones(3)},
    ),
    "record.json": (
        lambda path, **value: path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n"),
        {"settings": {}, "curve": [], "status": "finished"},
        {"settings": {}, "curve": [1], "status": "diverged", "reason": "nan"},
    ),
    "weights.json": (
        lambda path, **value: path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n"),
        {"one": {"seed": 1, "known": []}},
        {"other": {"seed": 2, "known": []}},
    ),
    "figure.json": (
        lambda path, **value: path.write_text(json.dumps(value, separators=(",", ":"))),
        {"mark": "x", "data": 1},
        {"mark": "y", "data": 2},
    ),
}


def save(path, write, value):
    with whole(output_file(str(path))) as temporary:
        write(temporary, **value)


@pytest.mark.parametrize("name", AGAIN)
def test_what_was_written_before_is_written_again_with_other_values(tmp_path, name):
    write, first, later = AGAIN[name]
    save(tmp_path / name, write, first)
    save(tmp_path / name, write, later)
    write(tmp_path / "wanted" if name != "a.csv" else tmp_path / "wanted.csv", **later)
    assert (tmp_path / name).read_bytes() == next(tmp_path.glob("wanted*")).read_bytes()


OTHERS = [
    ("a.parquet", lambda path: table(path, question=["?"], answer=["!"])),
    ("a.parquet", lambda path: write_json(path, {"a": 1})),
    ("a.csv", lambda path: path.write_text("name,age\nAda,36\n")),
    ("a.svg", lambda path: path.write_text('<?xml version="1.0"?>\n<svg/>')),
    ("a.safetensors", lambda path: save_file({"model.embed.weight": torch.zeros(2)}, path)),
    ("record.json", lambda path: write_json(path, {"name": "mine", "age": 36})),
    ("record.json", lambda path: write_json(path, [{"id": "claim", "verdict": "supported"}])),
]


@pytest.mark.parametrize(("name", "make"), OTHERS)
def test_a_file_of_the_same_form_that_is_of_another_kind_stays(tmp_path, name, make):
    make(tmp_path / name)
    before = (tmp_path / name).read_bytes()
    write, first, _ = AGAIN[name]
    with pytest.raises(UserError, match="is not overwritten: it is another kind of file"):
        save(tmp_path / name, write, first)
    assert (tmp_path / name).read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def write_object(path, **value):
    write_json(path, value)


@pytest.mark.parametrize(
    ("name", "read", "write", "own"),
    [
        ("a.parquet", output_table(["item", "score"]), table, {"item": ["a"], "score": [1], "more": [2]}),
        ("r.json", output_object("settings", "status"), write_object, {"settings": {}, "status": "done", "losses": []}),
    ],
)
def test_a_file_of_another_kind_is_refused_before_the_work(tmp_path, name, read, write, own):
    path = tmp_path / name
    read(str(path))
    for other, value in ((table, {"question": ["?"]}), (write_object, {"name": 1}), (write_object, {"a": {"b": 1}})):
        path.unlink(missing_ok=True)
        other(path, **value)
        with pytest.raises(UserError, match="is not overwritten: it is another kind of file"):
            read(str(path))
    path.write_bytes(bytes(9))  # as a failure of power leaves
    assert read(str(path)) == path
    write(path, **own)
    assert read(str(path)) == path


def test_tables_of_a_study_are_of_kinds_of_their_own(tmp_path):
    from ripeness.tables import columns

    schemas = [columns.MEASUREMENTS, columns.ITEM_SCORES, columns.CELLS, columns.EXAMPLES]
    for one in schemas:
        for other in schemas:
            if one is not other:
                columns.write_table(tmp_path / "a.parquet", [], one)
                with pytest.raises(UserError, match="it is another kind of file"):
                    columns.write_table(output_file(str(tmp_path / "a.parquet")), [], other)
                (tmp_path / "a.parquet").unlink()


def test_usage_is_written_over_no_file_of_the_users(tmp_path, monkeypatch, capsys):
    from ripeness.runtime.command_line import argument_parser, run

    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.setattr(sys, "argv", ["program", "--usage", str(tmp_path / "notes.txt")])
    with pytest.raises(SystemExit) as end:
        run(lambda: argument_parser("").parse_args())
    assert end.value.code == 2 and "is not overwritten" in capsys.readouterr().err
    assert (tmp_path / "notes.txt").read_text() == "mine"

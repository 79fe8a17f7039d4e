"""What was read of a source text is kept next to its compiled code, and counts for that very text alone."""

import sys

import pytest

from ripeness.workflow import kept_statements
from ripeness.workflow.code_statements import read_source
from ripeness.workflow.kept_statements import read_kept

TEXT = '''import torch
from ripeness.b import x
from . import c

y.z = 1


def f(n: int) -> int:
    """Do it."""
    from ripeness import d
    return d.g(n, "é\\n")
'''
PLACE = "ripeness/deep/a.py"


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "a.py").write_text(TEXT, encoding="utf-8")
    return tmp_path / "a.py"


@pytest.fixture
def read(monkeypatch):
    """Places of the texts that were read and not taken from what was kept."""
    places = []

    def noted(text, place):
        places.append(place)
        return read_source(text, place)

    monkeypatch.setattr(kept_statements, "read_source", noted)
    return places


def kept_files(path):
    return list(path.parent.glob("__pycache__/*"))


def test_a_text_is_read_once_and_comes_back_as_it_was_read(path, read):
    first, second = read_kept(path, PLACE), read_kept(path, PLACE)
    assert first == second == read_source(TEXT, PLACE) and read == [PLACE]
    assert second.imports == {"x": ("ripeness.b", "x"), "c": ("ripeness.deep", "c")}
    assert second.libraries == {"torch"} and second.statements[-1].imports == {"d": ("ripeness", "d")}


def test_another_text_and_the_same_text_at_another_place_are_read_anew(path, read):
    read_kept(path, PLACE)
    path.write_text(TEXT.replace("y.z = 1", "y.z = 2"), encoding="utf-8")
    changed = read_kept(path, PLACE)
    assert changed.statements != read_source(TEXT, PLACE).statements
    assert read_kept(path, "ripeness/other/a.py").imports["c"] == ("ripeness.other", "c")
    assert read == [PLACE, PLACE, "ripeness/other/a.py"]


@pytest.mark.parametrize("damage", [lambda text: text[:-9], lambda text: text.replace("d", "e"), lambda text: ""])
def test_what_was_kept_and_damaged_is_read_anew(path, read, damage):
    whole = read_kept(path, PLACE)
    (kept,) = kept_files(path)
    kept.write_text(damage(kept.read_text()))
    assert read_kept(path, PLACE) == whole and read == [PLACE, PLACE]


def test_other_code_reads_anew(path, read, monkeypatch):
    read_kept(path, PLACE)
    monkeypatch.setattr(kept_statements, "reader", lambda: "another")
    read_kept(path, PLACE)
    assert read == [PLACE, PLACE]


def test_nothing_is_kept_where_python_shall_write_no_compiled_code_or_cannot(path, read, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    read_kept(path, PLACE)
    assert not kept_files(path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (path.parent / "__pycache__").write_text("no folder")
    assert read_kept(path, PLACE) == read_source(TEXT, PLACE) and read == [PLACE, PLACE]

"""The definitions that have changed are named."""

import pytest

from ripeness.workflow import code_digest
from ripeness.workflow.code_parts import Codes, parts_of

MODULE = """
LIMIT = 3


def used(a):
    return a * LIMIT


def other():
    return 2


print(LIMIT)
"""
PROGRAM = "from ripeness.a.module import used\n\nprint(used(1))\n"


def program(folder, module=MODULE):
    """Write a program and its module, as another process would find them."""
    (folder / "ripeness/a").mkdir(parents=True)
    for name in ("__init__.py", "a/__init__.py"):
        (folder / "ripeness" / name).touch()
    (folder / "ripeness/a/module.py").write_text(module)
    (folder / "program.py").write_text(PROGRAM)
    return folder / "program.py"


def test_parts_are_what_a_program_uses_and_what_runs_on_import(tmp_path):
    assert parts_of(program(tmp_path)).keys() == {
        "program.py: top level", "a/module.py: LIMIT", "a/module.py: used", "a/module.py: top level",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("a * LIMIT", "LIMIT * a", "a/module.py: used"),
        ("LIMIT = 3", "LIMIT = 4", "a/module.py: LIMIT"),
        ("print(LIMIT)", "print(LIMIT, 1)", "a/module.py: top level"),
        ("return 2", "return 3", ""),
        ("    return a * LIMIT", "    return more(a)\n\n\ndef more(a):\n    return a", "a/module.py: used"),
    ],
)
def test_what_has_changed_since_a_result_was_made_is_named(tmp_path, before, after, named):
    old, new = program(tmp_path / "old"), program(tmp_path / "new", MODULE.replace(before, after))
    results = tmp_path / "results"
    results.mkdir()
    digests = [code_digest.digest(path) for path in (old, new)]
    Codes(results).note(digests[0])
    code_digest.PROGRAMS.pop(digests[0])  # another process made the results
    assert Codes(results).change(*digests) == named
    assert Codes(results).change("unknown", digests[1]) == ""

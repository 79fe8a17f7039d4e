"""Digests of code: what changes them and what does not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ripeness import sources

SCRIPTS = Path(__file__).parents[2] / "scripts"
SOURCE = '''"""What it is."""

from ripeness.b import x


def f(a: int) -> str:
    """Do it."""
    # why
    value = g(a, 2)
    return f"{value:>{a}} and {x['k']!r}" + """text
    that stays"""
'''


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# why", "# another reason"),
        ("    # why\n", ""),
        ('"""Do it."""', '"""Do it\n\n    at length.\n    """'),
        ('"""What it is."""\n', ""),
        ("g(a, 2)", "g(\n        a,\n        2\n    )"),
        ("\n\n\ndef", "\n\n\n\n\ndef"),
    ],
)
def test_layout_comments_and_docstrings_mean_nothing(before, after):
    assert before in SOURCE
    assert sources.meaning(SOURCE.replace(before, after, 1)) == sources.meaning(SOURCE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("g(a, 2)", "g(a, 3)"),
        ("value:>{a}", "value:<{a}"),
        ("that stays", "that goes"),
        ("    return", "return"),
        ("x['k']", "x['j']"),
    ],
)
def test_every_change_of_code_changes_the_meaning(before, after):
    assert before in SOURCE
    assert sources.meaning(SOURCE.replace(before, after, 1)) != sources.meaning(SOURCE)


@pytest.fixture
def scripts(tmp_path):
    """A program that imports a, which imports b; c stands apart."""
    package = tmp_path / "ripeness"
    package.mkdir()
    (tmp_path / "run.py").write_text("from ripeness.a import x\nfrom ripeness.command_line import run\n")
    (package / "a.py").write_text("from ripeness import b\n\nx = b.y\n")
    (package / "b.py").write_text("y = 1\n")
    (package / "c.py").write_text("z = 1\n")
    (package / "command_line.py").write_text("def run():\n    pass\n")

    def digest() -> str:
        sources.digest.cache_clear()
        sources.imported.cache_clear()
        return sources.digest(tmp_path / "run.py")

    return tmp_path, digest


@pytest.mark.parametrize("changed", ["run.py", "ripeness/a.py", "ripeness/b.py"])
def test_a_digest_follows_imports_to_the_end(scripts, changed):
    folder, digest = scripts
    before = digest()
    with (folder / changed).open("a") as file:
        file.write("more = 2\n")
    assert digest() != before


@pytest.mark.parametrize("changed", ["ripeness/c.py", "ripeness/command_line.py"])
def test_a_digest_ignores_what_the_program_does_not_import_or_what_decides_no_number(scripts, changed):
    folder, digest = scripts
    before = digest()
    (folder / changed).write_text("other = 2\n")
    assert digest() == before


def test_libraries_are_those_of_all_files_that_a_program_reads(scripts):
    folder, _ = scripts
    (folder / "ripeness" / "b.py").write_text('"""About\nimport words."""\nimport torch.nn as nn\n')
    (folder / "ripeness" / "c.py").write_text("import altair\n")
    (folder / "ripeness" / "command_line.py").write_text("def run():\n    if 1:\n        from json import dumps\n")
    sources.imported.cache_clear()
    assert sources.libraries_of(folder / "run.py") == {"ripeness", "torch", "json"}


def test_training_does_not_depend_on_charts_nor_on_statistics():
    modules = sources.modules_of(SCRIPTS / "train_model.py", SCRIPTS / "ripeness")
    assert {"training", "models"} <= modules
    assert not {"charts", "panels", "statistics", "findings", "report", "plan", "lookups"} & modules


def test_other_versions_of_python_give_the_same_digests(tmp_path):
    others = {}
    installed = map(shutil.which, ("python3.12", "python3.13", "python3.14"))
    for path in (*Path.home().glob(".pyenv/versions/*/bin/python"), *installed):
        code = "import sys; print(sys.version_info[:2])"
        done = path and subprocess.run([path, "-c", code], capture_output=True, text=True)
        if done and done.returncode == 0 and "(3, 1" in done.stdout and eval(done.stdout) >= (3, 11):
            others.setdefault(done.stdout, path)
    others.pop(f"{sys.version_info[:2]}\n", None)
    if not others:
        pytest.skip("no other Python of 3.11 or newer is installed")
    (tmp_path / "strings.py").write_text(SOURCE + 'y = f"a {f\'{x:.3f}\'} {{b}} {x=}"\nz = f"""{\n    x\n}"""\n')
    programs = [*sorted(SCRIPTS.glob("*.py")), tmp_path / "strings.py"]
    own = [sources.digest(program) for program in programs]
    code = "import sys; from pathlib import Path; from ripeness.sources import digest;"
    code += "print([digest(Path(program)) for program in sys.argv[1:]])"
    for python in others.values():
        done = subprocess.run([python, "-c", code, *programs], cwd=SCRIPTS, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(own)

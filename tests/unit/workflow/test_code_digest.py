"""Digests of code: what changes them and what does not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ripeness.workflow import code_digest, code_tokens

SCRIPTS = Path(__file__).parents[3] / "scripts"
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
    assert code_tokens.meaning(SOURCE.replace(before, after, 1)) == code_tokens.meaning(SOURCE)


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
    assert code_tokens.meaning(SOURCE.replace(before, after, 1)) != code_tokens.meaning(SOURCE)


PROGRAM = "from ripeness.a import x\nfrom ripeness.command_line import run\n\nprint(x)\nrun()\n"
FILES = {
    "a.py": "from ripeness import b\n\nLIMIT = 3\n\n\ndef x():\n    return b.y(LIMIT)\n\n\ndef other():\n"
    "    return 1\n",
    "b.py": "from ripeness.deep.d import FACTOR as factor\nfrom ripeness.d2 import z\n\n\ndef y(n):\n"
    "    return n * factor\n",
    "deep/__init__.py": "",
    "deep/d.py": "FACTOR = 2\nUNUSED = 5\n",
    "d2.py": "def z():\n    from ripeness.c import deepest\n    return deepest()\n",
    "c.py": "def deepest():\n    return 1\n",
    "apart.py": "z = 1\n",
    "command_line.py": "NEUTRAL = True\n\n\ndef run():\n    pass\n",
}


@pytest.fixture
def scripts(tmp_path):
    """A program that imports a, which uses b, which uses a constant of d; give the folder and the digest."""
    (tmp_path / "run.py").write_text(PROGRAM)
    for name, text in FILES.items():
        (tmp_path / "ripeness" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "ripeness" / name).write_text(text)

    def digest(program="run.py") -> str:
        for kept in (
            code_digest.digest,
            code_digest.digest_of,
            code_digest.effects_of,
            code_digest.read_module,
            code_digest.read_file,
        ):
            kept.cache_clear()
        return code_digest.digest(tmp_path / program)

    return tmp_path, digest


def rewrite(folder, name, before, after):
    """Replace some text in a file of the package, or of the program."""
    path = folder / name if name == "run.py" else folder / "ripeness" / name
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("run.py", "print(x)", "print(x, 1)"),
        ("a.py", "LIMIT = 3", "LIMIT = 4"),  # a constant that the function uses
        ("a.py", "b.y(LIMIT)", "b.y(LIMIT + 1)"),
        ("b.py", "n * factor", "n + factor"),
        ("deep/d.py", "FACTOR = 2", "FACTOR = 3"),  # two imports away
        ("b.py", "FACTOR as factor", "UNUSED as factor"),
        ("c.py", "return 1", "return 2"),  # b is imported as a whole, and with it what its imports use in functions
        ("b.py", "\n\n\ndef y", "\n\nz()\n\n\ndef y"),  # runs when b is imported
        ("deep/d.py", "UNUSED = 5", "UNUSED = 5\nimport os\n\nos.environ['A'] = '1'"),
    ],
)
def test_a_digest_follows_what_is_used_to_the_end(scripts, name, before, after):
    folder, digest = scripts
    old = digest()
    rewrite(folder, name, before, after)
    assert digest() != old


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.py", "def other():\n    return 1", "def other():\n    return 2"),
        ("deep/d.py", "UNUSED = 5", "UNUSED = 6"),
        ("apart.py", "z = 1", "z = 2"),
        ("command_line.py", "pass", "return 1"),
        ("a.py", "def x", "# why\n\n\ndef x"),
        ("a.py", "return 1\n", "return 1\n\n\ndef more(n):\n    if n:\n        return n\n"),
        ("a.py", "def x", "if n:\n    from ripeness.apart import z\n\n\ndef x".replace("if n", "if TYPE_CHECKING")),
    ],
)
def test_a_digest_leaves_out_what_is_not_used_or_decides_no_number(scripts, name, before, after):
    folder, digest = scripts
    old = digest()
    rewrite(folder, name, before, after)
    assert digest() == old


def test_a_module_that_is_moved_and_renamed_keeps_every_digest(scripts):
    folder, digest = scripts
    old = digest()
    (folder / "ripeness" / "numbers").mkdir()
    (folder / "ripeness" / "numbers" / "__init__.py").touch()
    (folder / "ripeness" / "deep" / "d.py").rename(folder / "ripeness" / "numbers" / "factors.py")
    rewrite(folder, "b.py", "ripeness.deep.d import", "ripeness.numbers.factors import")
    assert digest() == old
    (folder / "ripeness" / "b.py").rename(folder / "ripeness" / "numbers" / "products.py")
    rewrite(folder, "a.py", "from ripeness import b", "from ripeness.numbers import products as b")
    assert digest() == old
    (folder / "ripeness" / "a.py").rename(folder / "ripeness" / "numbers" / "a.py")
    rewrite(folder, "run.py", "ripeness.a", "ripeness.numbers.a")
    assert digest() == old
    rewrite(folder, "numbers/a.py", "from ripeness.numbers import", "from . import")
    assert digest() == old
    rewrite(folder, "numbers/factors.py", "FACTOR = 2", "FACTOR = 3")
    assert digest() != old


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ripeness.a import x", "ripeness.gone import x"),
        ("ripeness.a import x", "ripeness.a import gone"),
        ("ripeness.a import x", "ripeness.a import *"),
        ("ripeness.a import x", "ripeness import gone"),
        ("from ripeness.a import x", "import ripeness.gone as x"),
    ],
)
def test_an_import_that_leads_nowhere_is_an_error(scripts, before, after):
    folder, digest = scripts
    rewrite(folder, "run.py", before, after)
    with pytest.raises(code_digest.UnresolvedImport):
        digest()


def test_a_digest_does_not_depend_on_the_folder_of_the_project(tmp_path):
    """As `git clone` names it: after the package."""
    copy = tmp_path / "ripeness" / "scripts"
    shutil.copytree(SCRIPTS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    programs = sorted(program.name for program in SCRIPTS.glob("*.py"))
    assert {name: code_digest.digest(copy / name) for name in programs} == {
        name: code_digest.digest(SCRIPTS / name) for name in programs
    }


def test_libraries_are_those_of_all_files_that_a_program_reads(scripts):
    folder, digest = scripts
    (folder / "ripeness" / "c.py").write_text(
        '"""About\nimport words."""\nimport torch.nn as nn\n\ndeepest = nn.Linear\n'
    )
    (folder / "ripeness" / "apart.py").write_text("import altair\n")
    rewrite(folder, "command_line.py", "pass", "if 1:\n        from json import dumps")
    digest()
    assert code_digest.libraries_of(folder / "run.py") == {"torch", "json"}


def test_training_does_not_depend_on_charts_nor_on_statistics():
    packages = SCRIPTS / "ripeness"
    modules = {
        str(path.relative_to(packages))
        for path in code_digest.modules_of(SCRIPTS / "train_model.py")
        if packages in path.parents
    }
    assert {"train/loop.py", "models/load.py"} <= modules and "runtime/command_line.py" not in modules
    assert not {path.split("/")[0] for path in modules} & {"figures", "findings", "report", "workflow"}


def test_no_program_knows_one_kind_of_tuning_by_itself(tmp_path):
    """Else a word about that kind would train the models of all kinds again."""
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    programs = [tmp_path / "scripts" / f"{name}.py" for name in ("train_model", "predict", "score")]

    def digests():
        kept = (code_digest.digest, code_digest.digest_of, code_digest.effects_of, code_digest.read_module)
        for one in (*kept, code_digest.read_file):
            one.cache_clear()
        return [code_digest.digest(program) for program in programs]

    old, words = digests(), 0
    for path in (tmp_path / "scripts/ripeness/study/methods").glob("*.py"):
        text = path.read_text()
        if path.stem not in ("full", "settings", "reading", "register"):  # all trainings use these
            path.write_text(text.replace("hint: ", "hint: please ").replace('trains="', 'trains="indeed '))
            words += path.read_text() != text
    for path in (tmp_path / "scripts/ripeness").glob("*/objectives/*.py"):  # what is learned
        if path.stem in ("pairs", "policy", "preferences", "reward"):
            path.write_text(path.read_text().replace("better", "finer").replace("--rule: ", "--rule is wrong: "))
            words += 1
    assert words > 15 and digests() == old


def test_the_code_of_every_program_is_found():
    digests = [code_digest.digest(program) for program in sorted(SCRIPTS.glob("*.py"))]
    assert len(set(digests)) == len(digests) > 30


@pytest.mark.parametrize("names", ["train_model.py", pytest.param("*.py", marks=pytest.mark.release)])
def test_other_versions_of_python_give_the_same_digests(tmp_path, names):
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
    (tmp_path / "strings.py").write_text(
        SOURCE.replace("from ripeness.b import x\n", "")
        + 'y = f"a {f\'{x:.3f}\'} {{b}} {x=}"\nz = f"""{\n    x\n}"""\n'
    )
    programs = [*sorted(SCRIPTS.glob(names)), tmp_path / "strings.py"]
    own = [code_digest.digest(program) for program in programs]
    code = "import sys; from pathlib import Path; from ripeness.workflow.code_digest import digest;"
    code += "print([digest(Path(program)) for program in sys.argv[1:]])"
    for python in others.values():
        done = subprocess.run([python, "-c", code, *programs], cwd=SCRIPTS, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(own)

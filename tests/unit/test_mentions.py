"""What documents, hints, docstrings and comments name exists: files, programs, modules, targets of make, rules."""

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import ripeness

ROOT = Path(__file__).parents[2]
FOLDERS = "scripts|rules|docs|tests|tasks|series|studies|reports|envs|slurm|benchmarks"
# what a sentence may end with is no part of a path
PATH = re.compile(rf"(?<![\w./<>{{}}*-])((?:{FOLDERS})/[\w./*-]*[\w*/])(?![\w<{{(-])")
PROGRAM = re.compile(r"(?<![\w./<>{}*%-])([\w-]+\.(?:py|smk))\b")
MODULE = re.compile(r"(?<![./\w])ripeness(?:\.\w+)+(?!/)")
RULE = re.compile(r"\b(?:rule `?|forcerun |until |hint: (?!lm_eval))([a-z]+(?:_[a-z]+)+)(?=:| |`|$)")
RECIPE = re.compile(r"^```\w+ (\S+)\n.*?^```$", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"\bmake ([a-z][\w-]*)")
# After "make" in a hint, not a target
PROSE = {"a", "it", "one", "room", "two"}
# Named as what a user might have or write, or as a file of another project
ELSEWHERE = {
    "studies/x.yaml", "studies/mine.yaml", "tasks/reviews.yaml", "rules/x.smk",  # any study, task, chapter
    "envs/ripeness.sif", "envs/ripeness.new",  # what a command makes
    "scripts/program.py", "program.py",  # what a benchmark makes
    "series/checkpoint",  # wildcards
    "utils.py", "main.py",  # of lm-evaluation-harness; of Amber
}  # fmt: skip
ELSEWHERE |= set(RECIPE.findall((ROOT / "docs/add.md").read_text(encoding="utf-8")))

LEFT = {".venv", "results", "resources", "logs", "site", ".snakemake"}  # by runs and builds


@cache
def files() -> list[str]:
    """Files of the project: those in git, and new ones that git does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return [name for name in done.stdout.splitlines() if (ROOT / name).exists()]
    found = [path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()]  # an archive without git
    return [str(path) for path in found if path.parts[0] not in LEFT]


@cache
def texts_of(name: str) -> list[str]:
    """What of a file a person reads. Of Python: strings of programs, docstrings and comments of tests."""
    text = (ROOT / name).read_text(encoding="utf-8")
    if name == "docs/add.md":  # without the files of its recipes, which test_add.py applies
        text = RECIPE.sub("", text)
    if not name.endswith(".py"):
        return [text]
    comments = re.findall(r"(?:^ *|  )# .*", text, re.MULTILINE)
    nodes = list(ast.walk(ast.parse(text)))
    if name.startswith("tests/"):
        kinds = ast.Module | ast.FunctionDef | ast.ClassDef
        return comments + [ast.get_docstring(node) or "" for node in nodes if isinstance(node, kinds)]
    filled = [node.values for node in nodes if isinstance(node, ast.JoinedStr)]
    whole = ["".join(p.value if isinstance(p, ast.Constant) else "{}" for p in values) for values in filled]
    pieces = {id(piece) for values in filled for piece in values}
    strings = [
        n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in pieces
    ]
    return comments + whole + strings


def mentions(pattern: re.Pattern, names: list[str]) -> list[tuple[str, str]]:
    """(File, what it names)."""
    return sorted({(name, found) for name in names for text in texts_of(name) for found in pattern.findall(text)})


READ = [
    name
    for name in files()
    if name.endswith((".md", ".py", ".smk", ".yaml", ".rst", ".j2"))
    and name != ".pre-commit-config.yaml"  # patterns
    or name in ("Makefile", "Snakefile", "pyproject.toml")
]


def exists(path: str) -> bool:
    """Whether a path of the project, which may have `*`, is there."""
    return bool(list(ROOT.glob(path.rstrip("/")))) if "*" in path else (ROOT / path).exists()


def test_files_and_folders_exist():
    missing = [(name, path) for name, path in mentions(PATH, READ) if path not in ELSEWHERE and not exists(path)]
    assert not missing, missing


def test_programs_and_chapters_exist():
    there = {Path(name).name for name in files()}
    missing = [(name, program) for name, program in mentions(PROGRAM, READ) if program not in there | ELSEWHERE]
    assert not missing, missing


def is_module(dotted: str) -> bool:
    """Whether a dotted name is a package, a module, a name that a module defines, or one of `import ripeness`."""
    if dotted.removeprefix("ripeness.") in ripeness.__all__:
        return True
    place = ROOT / "scripts" / dotted.replace(".", "/")
    module = place.parent.with_suffix(".py")
    return place.is_dir() or place.with_suffix(".py").exists() or module.exists() and place.name in module.read_text()


def test_modules_exist():
    missing = [(name, module) for name, module in mentions(MODULE, READ) if not is_module(module)]
    assert not missing, missing


def test_rules_exist():
    chapters = "\n".join((ROOT / name).read_text() for name in files() if name.endswith(".smk"))
    rules = set(re.findall(r"^rule (\w+):", chapters, re.MULTILINE))
    missing = [(name, rule) for name, rule in mentions(RULE, READ) if rule not in rules]
    assert not missing, missing


def test_targets_of_make_exist():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = re.compile(r"`([^`\n]*)`|^\$ (.*)$|hint:(.*)", re.MULTILINE)
    spans = [(name, " ".join(span)) for name in READ for text in texts_of(name) for span in commands.findall(text)]
    found = {(name, target) for name, span in spans for target in TARGET.findall(span)}
    missing = sorted((name, target) for name, target in found if target not in targets | PROSE)
    assert not missing, missing


def tree_of_the_readme(folder, indent=""):
    """(Name, what is said of it) of all that the README's tree has directly in a folder."""
    tree = (ROOT / "README.md").read_text().partition("\n## Repository\n")[2]
    below = re.search(rf"^{indent}{folder}/ .*\n((?:{indent}  .*\n)+)", tree, re.MULTILINE)[1]
    return re.findall(rf"^{indent}  (\S+) +(.*)$", below, re.MULTILINE)


def test_the_tree_of_the_readme_has_every_package_in_its_layer_with_its_own_sentence():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    names = [name for layer in contract["layers"] for name in layer.split(" | ")]
    said = [ast.get_docstring(ast.parse((ROOT / f"scripts/ripeness/{name}/__init__.py").read_text())) for name in names]
    expected = [
        (f"{name}/", said[0].lower() + said[1:].removesuffix(".")) for name, said in zip(names, said, strict=True)
    ]
    assert tree_of_the_readme("ripeness", indent="  ") == expected
    assert {place.parent.name for place in (ROOT / "scripts/ripeness").glob("*/__init__.py")} == set(names)


def test_the_tree_of_the_readme_has_every_file_of_rules():
    assert {name for name, _ in tree_of_the_readme("rules")} == {place.name for place in (ROOT / "rules").glob("*.smk")}

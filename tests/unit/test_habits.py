"""Linters, continuous integration and release say the same in all the files that name them."""

import ast
import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def read_yaml(path):
    return yaml.safe_load((ROOT / path).read_text())


def recipe(target):
    """The lines of a target of the Makefile."""
    return re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]


def hooks():
    (repo,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert repo["repo"] == "local"  # no network, and the versions of the lock file
    return repo["hooks"]


def tool(command):
    """The linter of a command, with `ruff check` and `ruff format` told apart."""
    after = re.search(r"(ruff \w+|codespell|lint-imports|snakefmt|mypy|snakemake --lint)", command)
    assert after, command
    return after[1]


def test_a_commit_is_linted_by_what_make_lint_runs():
    linted = [tool(line) for line in recipe("lint").splitlines()]
    assert {tool(hook["entry"]) for hook in hooks()} == set(linted)
    assert len(linted) == len(hooks())
    for hook in hooks():
        assert hook["language"] == "system" and ".venv/bin/" in hook["entry"]


def test_every_linter_is_pinned_for_developers():
    pinned = re.findall(r"^([\w-]+)==", (ROOT / "requirements-dev.in").read_text(), re.MULTILINE)
    assert {"ruff", "mypy", "snakefmt", "codespell", "import-linter"} <= set(pinned)


def test_continuous_integration_runs_what_a_user_runs_on_every_python():
    (job,) = read_yaml(".github/workflows/ci.yml")["jobs"].values()
    minimum = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    pythons = job["strategy"]["matrix"]["python"]
    assert minimum == f">={pythons[0]}" and pythons == ["3.11", "3.12", "3.13"]
    assert job["runs-on"] == "ubuntu-latest" and job["container"]["image"] == "python:${{ matrix.python }}-bookworm"
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert "make docs" in runs and "mkdocs build" in recipe("docs") and read_yaml("mkdocs.yml")["strict"] is True
    (run,) = [text for text in runs if ".ci/run" in text]
    for target in re.findall(r"'([\w-]+)'", run.partition("&&")[2]):
        assert recipe(target)
    assert (ROOT / ".ci/run").read_text().rstrip().endswith('make "${1:-test}"')


def test_version_and_date_of_the_release_are_the_same_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = read_yaml("CITATION.cff")
    number, date = re.search(r"^## (\d\S*) - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE).groups()
    assert citation["version"] == version == number
    assert str(citation["date-released"]) == date
    assert citation["authors"] == [{"name": "The ripeness authors"}] and citation["license"] == "Apache-2.0"


def test_no_file_is_longer_than_the_limits_of_the_style():
    limits = {
        "scripts/**/*.py": 300,
        "tests/**/*.py": 300,
        "benchmarks/**/*.py": 300,
        "rules/*.smk": 125,
        "Snakefile": 70,
    }
    sizes = {
        str(path.relative_to(ROOT)): (len(path.read_text().splitlines()), limit)
        for pattern, limit in limits.items()
        for path in ROOT.glob(pattern)
    }
    assert len(sizes) > 500
    assert not {name for name, (size, limit) in sizes.items() if size > limit}


def functions_of(path):
    """Functions of a file, also those within others."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_no_function_is_longer_than_forty_lines():
    files = [path for folder in ("scripts", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    sizes = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for path in files
        for node in functions_of(path)
    }
    assert len(sizes) > 5000
    assert not {name: size for name, size in sizes.items() if size > 40}

"""Find the files of a task of lm-evaluation-harness, which is not imported."""

import ast
from collections.abc import Iterator
from functools import cache
from glob import glob
from pathlib import Path
from typing import Any

import yaml

from ripeness.study.strict_yaml import construct


class Loader(yaml.SafeLoader):
    """Read YAML as the harness writes it: what a tag such as !function names is read as text."""


Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))


def files_of_task(folder: Path, task: str) -> list[str]:
    """List the YAML files below `folder` that define `task`, the files that they name, and those that these name."""
    files: dict[str, None] = {}
    for path in sorted(folder.rglob("*.yaml")):
        if keys_of(path).get("task") == task:
            gather(path, frozenset(), files)
    return list(files)


def gather(path: Path, replaced: frozenset[str], files: dict[str, None]) -> None:
    """Add a file of a task to `files`, and the files that it names: one of YAML, or one of Python.

    `replaced` are the keys of a file that includes this one, which count instead of those here.
    """
    if str(path) in files:
        return
    files[str(path)] = None
    if path.suffix == ".py":
        for other in imported(path, path.stat().st_mtime_ns):
            gather(Path(other), replaced, files)
        return
    keys = keys_of(path)
    included = set(named_files(keys.get("include"), path.parent))
    named = set(named_files({key: keys[key] for key in keys.keys() - replaced - {"include"}}, path.parent))
    for other in sorted(included):
        gather(Path(other), replaced | keys.keys(), files)
    for other in sorted(named - included):
        if other.endswith(".py"):
            gather(Path(other), replaced, files)
        files[other] = None


def keys_of(path: Path) -> dict[str, Any]:
    """Read the keys of a task file as it is now."""
    return read_task(path, path.stat().st_mtime_ns)


@cache
def imported(path: Path, changed: int) -> list[str]:
    """List the files next to a Python file that it imports; none if it is not Python, which the harness reports."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, OSError):
        return []
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names += [node.module] if node.module else [alias.name for alias in node.names]
    places = (path.with_name(f"{name.partition('.')[0]}.py") for name in names)
    return [str(place) for place in dict.fromkeys(places) if place.is_file()]


@cache
def read_task(path: Path, changed: int) -> dict[str, Any]:
    """Read the keys of a task file; none if it is not YAML, which the harness reports itself.

    Raises UserError for a huge one.
    """
    try:
        keys = construct(path, path.read_text(encoding="utf-8"), Loader)
    except (yaml.YAMLError, UnicodeDecodeError, OSError):
        return {}
    return keys if isinstance(keys, dict) else {}


def texts_in(value: Any) -> list[str]:
    """List the texts in a value, at any depth."""
    if isinstance(value, dict | list):
        return [text for part in (value.values() if isinstance(value, dict) else value) for text in texts_in(part)]
    return [value] if isinstance(value, str) and value.strip("/") else []


def named_files(value: Any, folder: Path) -> Iterator[str]:
    """Yield every file that a text in a value names: data (from where Snakemake runs), files next to the task file.

    Of `data_dir` those in the folder, and of a pattern in `data_files`, such as data/*.jsonl, those that fit.
    """
    if isinstance(value, dict):
        patterns = [f"{one}/**" for one in texts_in(value.get("data_dir"))]
        patterns += [one for one in texts_in(value.get("data_files")) if "*" in one]
        found = {path for one in patterns for path in glob(one, recursive=True)}
        yield from (path for path in sorted(found) if Path(path).is_file())
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from named_files(part, folder)
    elif isinstance(value, str) and value and "\n" not in value and len(value) < 1000:
        # `!function utils.process` is a function of utils.py
        for place in (Path(value), folder / value, folder / f"{value.partition('.')[0]}.py"):
            if place.is_file():
                yield str(place)
                return

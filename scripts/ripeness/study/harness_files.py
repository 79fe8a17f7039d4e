"""Find the files of a task of lm-evaluation-harness, which is not imported."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ripeness.study.strict_yaml import construct


class Loader(yaml.SafeLoader):
    """Read YAML as the harness writes it: what a tag such as !function names is read as text."""


Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))


def files_of_task(folder: Path, task: str) -> list[str]:
    """List the YAML files below `folder` that define `task`, and the files that they name."""
    files: dict[str, None] = {}
    for path in sorted(folder.rglob("*.yaml")):
        keys = read_task(path, path.stat().st_mtime_ns)
        if keys.get("task") == task:
            files |= dict.fromkeys([str(path), *named_files(keys, path.parent)])
    return list(files)


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


def named_files(value: Any, folder: Path) -> Iterator[str]:
    """Yield every file that a text in a value names: data (from where Snakemake runs), files next to the task file."""
    if isinstance(value, dict):
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

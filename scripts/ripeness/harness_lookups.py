"""What the rules ask of the plan about tasks of lm-evaluation-harness, which is not imported. See lookups.py."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ripeness.lookups import results, to_json
from ripeness.plan import HARNESS_FORMAT, Study, harness_tasks
from ripeness.strict_yaml import construct


class Loader(yaml.SafeLoader):
    """YAML as the harness writes it: what a tag such as !function names is read as text."""


Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))


def harness_request(study: Study, wildcards: Any) -> str:
    """Which task is fetched, where else it may be found, and with how many shots it is asked."""
    request = {"task": wildcards.task, "shots": harness_tasks(study)[wildcards.task]}
    return to_json(request | study.config["lm_eval"])


def harness_folders(study: Study, wildcards: Any) -> list[str]:
    """The fetched tasks."""
    return [f"{results(study)}/{HARNESS_FORMAT}/{task}" for task in harness_tasks(study)]


def harness_files(study: Study, wildcards: Any) -> list[str]:
    """The user's file of a task, and the files that it names: none for a task that the harness brings."""
    folder = study.config["lm_eval"].get("include_path")
    if not folder:
        return []
    files: dict[str, None] = {}
    for path in sorted(Path(folder).rglob("*.yaml")):
        keys = read_task(path, path.stat().st_mtime_ns)
        if keys.get("task") == wildcards.task:
            files |= dict.fromkeys([str(path), *named_files(keys, path.parent)])
    return list(files)


@cache
def read_task(path: Path, changed: int) -> dict[str, Any]:
    """The keys of a task file; none where it is no YAML, as the harness says itself. UserError for a huge one."""
    try:
        keys = construct(path, path.read_text(encoding="utf-8"), Loader)
    except (yaml.YAMLError, UnicodeDecodeError, OSError):
        return {}
    return keys if isinstance(keys, dict) else {}


def named_files(value: Any, folder: Path) -> Iterator[str]:
    """Every file that a text in a value names: data (from where Snakemake runs), files beside the task file."""
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

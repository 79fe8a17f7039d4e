"""Take input paths of the plan as they are written, also where they hold braces or angle brackets."""

from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.study.grid import Study
from ripeness.study.named_files import named_files
from ripeness.workflow.snakemake_patches.patch import PLAIN, Patch


class PlainPath(str):
    """Hold the path of an input as it is written, though it may have braces or angle brackets."""


def make(workflow: Any, logs: Path) -> None:
    """Have rules make of a plain path a file that is that path."""
    from snakemake import rules
    from snakemake.io import IOFile, _IOFile

    class File(_IOFile):
        """Be an input in which Snakemake looks for no wildcards and for no folder names of its own."""

        def apply_wildcards(self, wildcards: Any) -> "File":
            return self

    def io_file(path: Any, rule: Any = None) -> _IOFile:
        if isinstance(path, File):
            return path
        if not isinstance(path, PlainPath):
            return IOFile(path, rule=rule)
        file = File(path, rule=None)
        file.rule = rule
        return file

    rules.IOFile = io_file


def is_pattern(path: str) -> bool:
    """Say whether Snakemake may take a path for a pattern."""
    return bool(set(path) & set("{<"))


def as_written(value: Any) -> Any:
    """Mark what a lookup returns, where it is a list of paths. Raise UserError on a path that would be a pattern."""
    if not isinstance(value, list):
        return value
    for path in filter(is_pattern, value):
        check_path("input", path)
    return [PlainPath(path) if is_pattern(path) else path for path in value]


def check_study(study: Study) -> None:
    """Refuse a study that names a file which Snakemake, as it is here, would take for a pattern."""
    for where, path in named_files(study):
        check_path(where, path)


def check_path(where: str, path: str) -> None:
    """Refuse a path that would be a pattern here."""
    if is_pattern(path) and not PATCH.is_made():
        raise UserError(
            f"{where}: plain Snakemake takes braces and angle brackets in {path} for wildcards\n"
            f"hint: rename it, or run with the versions of requirements.lock and without {PLAIN}"
        )


PATCH = Patch(
    id="plain_paths",
    changes="rules.IOFile, by which rules turn the paths of input functions into files",
    reason="a path that the user names may hold braces or angle brackets, which Snakemake takes for wildcards",
    without="a study that names such a path is refused",
    relies_on=("snakemake.io:IOFile", "snakemake.io:_IOFile", "snakemake.rules:Rule._apply_wildcards"),
    while_reading=make,
)

"""A change to Snakemake, and whether it is made here.

A patch is made where the installed packages have the versions that it was written for, unless the user wants
plain Snakemake.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

PLAIN = "RIPENESS_PLAIN"  # environment variable: 1 leaves every patch out
SNAKEMAKE = {"snakemake": "9.27.1"}


def do_nothing(workflow: Any, logs: Path) -> None:
    """Change nothing."""


@dataclass(frozen=True)
class Patch:
    """A change to Snakemake that alters no result, and what it relies on.

    `while_reading` and `at_start` take Snakemake's workflow and the study's folder of logs. The first is called while
    the Snakefile is read, the second before the first job. `relies_on` names what is replaced, called or read,
    as "module:name"; a test fails when the source of any of these changes. What is imported of Snakemake is imported
    when the patch is made, so that another version, in which it may not exist, runs without the patch.
    """

    id: str
    changes: str
    reason: str
    without: str
    relies_on: tuple[str, ...]
    while_reading: Callable[[Any, Path], None] = do_nothing
    at_start: Callable[[Any, Path], None] = do_nothing
    written_for: Mapping[str, str] = field(default_factory=dict)  # other packages, or another Snakemake

    @property
    def versions(self) -> dict[str, str]:
        """Versions by package that it was written for."""
        return SNAKEMAKE | dict(self.written_for)

    def mismatches(self) -> list[str]:
        """Name the packages that are installed in another version than this was written for, each in a sentence."""
        found = {package: installed(package) for package in self.versions}
        return [
            f"{package} {found[package]} is installed, {version} is expected"
            for package, version in self.versions.items()
            if found[package] not in (version, None)
        ]

    def is_made(self) -> bool:
        """Say whether it is made in this process."""
        return not is_plain() and not self.mismatches()


def is_plain() -> bool:
    """Say whether the user wants Snakemake as it is."""
    return os.environ.get(PLAIN, "") not in ("", "0")


@cache
def installed(package: str) -> str | None:
    """Look up the version of an installed package; None where there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None

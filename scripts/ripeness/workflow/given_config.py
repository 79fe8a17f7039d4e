"""Look at how a study was given: as one whole file, and as the one whose results are in the folder."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, write_json
from ripeness.runtime.project import ROOT
from ripeness.study.grid import Study
from ripeness.study.own_claims import own_claims
from ripeness.study.study_config import kind_of
from ripeness.study.written_claims import note_claims

LAST = "study.json"  # in the study's folder: the config of the last run, and its file
MOST_CHANGES = 8
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)(e[-+]?[0-9]+)?", re.IGNORECASE)
WORDS = {"true": True, "false": False, "null": None}


def check_whole(files: list[str | Path]) -> None:
    """Refuse a config file that is only a part of a study; Snakemake would fill it up from the embedded one."""
    others = [str(file) for file in files if Path(file).resolve() != ROOT / "config.yaml"]
    if others and len(others) < len(files):
        raise UserError(
            f"{', '.join(others)} has no `study:`, and is not a complete study\n"
            "hint: copy config.yaml and edit the copy; single keys of a study are changed by --config"
        )


def with_numbers(config: dict[str, Any]) -> dict[str, Any]:
    """Turn texts within lists and objects of `--config` into what they say; Snakemake reads them all as texts."""
    return {key: as_said(value) if isinstance(value, list | dict) else value for key, value in config.items()}


def as_said(value: Any) -> Any:
    """Read numbers, true, false and null as YAML 1.2 has them, at any depth; any other text stays as it is."""
    if isinstance(value, list):
        return [as_said(one) for one in value]
    if isinstance(value, dict):
        return {key: as_said(one) for key, one in value.items()}
    if not isinstance(value, str):
        return value
    if INTEGER.fullmatch(value):
        return int(value)
    return float(value) if NUMBER.fullmatch(value) else WORDS.get(value, value)


def check_same_study(study: Study, results: Path, file: Path) -> list[str]:
    """Compare a study with the last run in its folder: what has changed, as lines for people.

    UserError where another file gives another study of the same name: neither series nor published tables are shared.
    """
    if not (results / LAST).is_file():
        return []
    last = read_json(results / LAST, dict, keys=("file", "config"))
    now, before, former = config_of(study), last["config"], Path(last["file"])
    is_other = former.exists() and not os.path.samefile(former, file)
    if is_other and not have_common_series(now, before):
        raise UserError(
            f"{results} contains another study of this name, that of {former}\n"
            f"hint: give {file} another name at `study:`; or move {results} away"
        )
    changes = list(differences(before, now))
    if not changes:
        return []
    more = [f"... and {len(changes) - MOST_CHANGES} more"] if len(changes) > MOST_CHANGES else []
    return ["since the last run the study has changed:", *(f"  {line}" for line in changes[:MOST_CHANGES] + more)]


def note_study(study: Study, results: Path, file: Path) -> None:
    """Write down the study of this run for the next one, and its own claims with the time that they are first seen."""
    note_claims(own_claims(study.config), results)
    write_json(results / LAST, {"file": place_of(file), "config": config_of(study)})


def place_of(file: Path) -> str:
    """Return the path of a file: within this folder as seen from it, so that in a copy of the folder it is the copy."""
    path, here = file.resolve(), Path.cwd().resolve()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def config_of(study: Study) -> dict[str, Any]:
    """Return the config of a study but for what belongs to the site."""
    return {key: value for key, value in study.config.items() if key != "scratch"}


def have_common_series(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Say whether two studies are of one kind and have a series, or what they read instead, in common."""
    kind = kind_of(one)
    if kind != kind_of(other):
        return False
    if not one["series"]:
        return bool(one.get(kind) == other.get(kind))
    alike = set(one["series"]) & set(other["series"])
    apart = {"checkpoints", "methods"}
    return any(
        {key: value for key, value in one["series"][name].items() if key not in apart}
        == {key: value for key, value in other["series"][name].items() if key not in apart}
        for name in alike
    )


def differences(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """Name what differs between two configs, key by key."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            inner = f"{place}.{key}" if place else str(key)
            if key not in now:
                yield f"{inner}: removed"
            elif key not in before:
                yield f"{inner}: added"
            else:
                yield from differences(before[key], now[key], inner)
    elif before != now:
        yield f"{place}: {shortened(before)} -> {shortened(now)}"


def shortened(value: Any) -> str:
    """Return a value in a few letters."""
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

"""Keep when a user's own claims were written down and changed, and whether results were there to be seen.

results/<study>/claims.json holds, by name of the claim, its versions: {settings, seen_at, had_results}. A claim that is
removed from the study keeps its versions, so that it cannot come back as a new one.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ripeness.runtime.files import read_json, write_json

FILE = "claims.json"
LOOKS, LOOKS_ID = "looks.json", "looks"  # the file and the entry of findings.json, see findings/looks.py
RESULTS = ("findings.json", "tables/measurements.parquet")  # either shows results
NO_RECORD = "no record of when it was written"

Versions = list[dict[str, Any]]


def read_versions(path: Path) -> dict[str, Versions]:
    """Read the versions of claims by name; none where there is no file."""
    advice = "move it back as it was: it says when claims were written; without it they count as written after results"
    return read_json(path, dict, advice=advice) if path.is_file() else {}


def note_claims(claims: Mapping[str, Any], results: Path, *, now: datetime | None = None) -> None:
    """Write down claims that are new or have changed, with the time and whether results were there."""
    path = results / FILE
    known = read_versions(path)
    noted = with_versions(known, claims, now=now or datetime.now(UTC), had_results=has_results(results))
    if noted != known:
        write_json(path, noted)


def has_results(results: Path) -> bool:
    """Say whether results of a study can be seen."""
    return any((results / name).is_file() for name in RESULTS)


def with_versions(
    known: Mapping[str, Versions], claims: Mapping[str, Any], *, now: datetime, had_results: bool
) -> dict[str, Versions]:
    """Add a version for each claim that differs from its last one."""
    noted = {name: list(versions) for name, versions in known.items()}
    for name, settings in claims.items():
        versions = noted.setdefault(name, [])
        if not versions or versions[-1]["settings"] != settings:
            seen_at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
            versions.append({"settings": settings, "seen_at": seen_at, "had_results": had_results})
    return noted


def mark(versions: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> str:
    """Say when a claim, as `settings` have it, was written and changed, as seen from the results."""
    if not versions or versions[-1]["settings"] != settings:
        return NO_RECORD
    if versions[0]["had_results"]:
        return f"written after results were seen, on {day_of(versions[0])}"
    changed = [version for version in versions if version["had_results"]]
    if changed:
        return f"changed after results were seen on {day_of(changed[-1])}"
    return f"written before results, on {day_of(versions[-1])}"


def day_of(version: Mapping[str, Any]) -> str:
    """Return the day on which a version was first seen."""
    return str(version["seen_at"])[:10]

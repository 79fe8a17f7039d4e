"""Find series that repeat each other: runs that differ by their seed alone, or by seed and schedule alone."""

import json
from typing import Any

SEED = {"seed"}
SCHEDULE = {"schedule", "end_step", "decay_steps", "final_ratio"}


def repeats(config: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return `runs` and `families` of the settings of findings: series -> the first series that it repeats.

    Series that are repeats of none are left out. Series of one file in series/ that have different seeds are repeats.
    """
    series = config.get("series", {})
    found = {
        "runs": firsts({name: kind_of(entry, SEED) for name, entry in series.items()}),
        "families": firsts({name: kind_of(entry, SEED | SCHEDULE) for name, entry in series.items()}),
    }
    return {key: names for key, names in found.items() if names}


def kind_of(entry: dict[str, Any], apart: set[str]) -> str:
    """Describe what a series shares with its repeats; empty if nothing is known."""
    if "pretrain" in entry:
        return json.dumps({key: value for key, value in entry["pretrain"].items() if key not in apart}, sort_keys=True)
    return entry.get("from", "")


def firsts(kinds: dict[str, str]) -> dict[str, str]:
    """Return the first name of every kind that several names have."""
    names: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        names.setdefault(kind or name, []).append(name)
    return {name: alike[0] for alike in names.values() if len(alike) > 1 for name in alike}

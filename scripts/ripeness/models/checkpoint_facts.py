"""What checkpoint.json says of a checkpoint: series, checkpoint, step, tokens, lr, phase, seed; checked when read."""

import math
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, shortened
from ripeness.runtime.made_here import damaged, made_folder

FACTS = ("series", "checkpoint", "step", "tokens", "lr", "phase", "seed")
PHASES = ("stable", "decayed", "annealed")
WANTED = {
    "text": 'a text, such as "step1000"',
    "count": "a whole number of 0 or more, such as 1000000000",
    "rate": "a number of 0 or more, such as 0.0003",
    "phase": f"one of {', '.join(PHASES)}",
}
KINDS = {"series": "text", "checkpoint": "text", "phase": "phase", "lr": "rate"}
COUNTS = ("step", "tokens", "seed")
OF_THE_USER = "fix it, or delete it and put the facts in the checkpoint's line of the study"


def read_facts(path: Path) -> dict[str, Any]:
    """Read checkpoint.json; UserError, with the place, if it is no JSON object or a type is wrong."""
    advice = None if made_folder(path) else OF_THE_USER
    facts = read_json(path, dict, advice=advice)
    return checked(str(path), facts, advice or OF_THE_USER)


def read_made_facts(path: Path) -> dict[str, Any]:
    """Read the facts of a checkpoint of a study, which has all of them."""
    facts = read_facts(path)
    if missing := [key for key in FACTS if key not in facts]:
        raise damaged(path, f"it lacks {', '.join(missing)}", None if made_folder(path) else OF_THE_USER)
    return facts


def checked(where: str, facts: dict[str, Any], advice: str) -> dict[str, Any]:
    """Check the types of facts; 1e9 becomes a whole number, and null means unknown."""
    found = dict(facts)
    for key in FACTS:
        value, kind = facts.get(key), KINDS.get(key, "count")
        if value is None:
            continue
        if kind == "count" and isinstance(value, float) and value.is_integer():
            found[key] = value = int(value)
        if not is_of(kind, value):
            raise UserError(f"{where}: {key} is {shortened(value)}, not {WANTED[kind]}\nhint: {advice}")
    return found


def is_of(kind: str, value: Any) -> bool:
    """Return whether a value has the type: a text, a phase, a count or a rate."""
    if kind in ("text", "phase"):
        return isinstance(value, str) and (kind == "text" or value in PHASES)
    is_number = isinstance(value, int if kind == "count" else (int, float)) and not isinstance(value, bool)
    return is_number and value >= 0 and math.isfinite(value)

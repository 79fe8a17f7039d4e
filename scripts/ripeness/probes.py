"""The probes that a user or a rule gives as JSON, held against what a probe may say."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ripeness.errors import UserError
from ripeness.files import parsed, read_json, shortened
from ripeness.prompts import check_probe
from ripeness.typed import check_types

NEUTRAL = True  # no number depends on this module, see ripeness.sources
LEAST = {"shots": 0, "max_new_tokens": 1}
ADVICE = "see the example in --help"


@dataclass(frozen=True)
class Probe:
    """The types of what a probe says; which keys it needs depends on its kind."""

    suite: str
    probe: str
    kind: str
    format: str
    shots: int
    examples: str
    shot_examples: str
    split: str
    separator: str | None
    unconditional: str | None
    max_new_tokens: int
    stop: str


def read_probes(text: str) -> list[dict[str, Any]]:
    """Read probes from JSON text or from a file of it; UserError for what is missing, or of another type."""
    if text.lstrip().startswith("["):
        probes = parsed("--probes", text, advice=ADVICE)
    elif not Path(text).is_file():
        raise UserError(f"there is no file {text}\nhint: probes are a JSON list, or the name of a file that holds one")
    else:
        probes = read_json(Path(text), list, advice=ADVICE)
    for number, probe in enumerate(probes, 1):
        where = f"probe {number}"
        if not isinstance(probe, dict):
            raise UserError(f"{where} is {shortened(probe)}, not an object\nhint: {ADVICE}")
        check_types(where, Probe, probe)
        check_probe(probe)
        for key, least in LEAST.items():
            if key in probe and probe[key] < least:
                raise UserError(f"{where}: {key} is {probe[key]}\nhint: give {least} or more")
    return probes

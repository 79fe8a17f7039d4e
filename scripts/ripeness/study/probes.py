"""Read and check the probes that a user or a rule gives as JSON."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import parsed, read_json, shortened
from ripeness.runtime.typed_settings import check_types

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest
LEAST = {"shots": 0, "max_new_tokens": 1}
ADVICE = "see the example in --help"

# what a probe must say, by its kind
PROBE_KEYS = {
    "choice": ("suite", "probe", "format", "shots", "examples"),
    "preference": ("suite", "probe", "format", "shots", "examples"),
    "generation": ("suite", "probe", "format", "shots", "examples", "max_new_tokens", "stop"),
    "text": ("suite", "probe", "format", "shots", "examples"),
    "harness": ("suite", "probe", "format", "shots", "examples"),
}


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
    head: bool
    reward: bool
    pictures: str


def read_probes(text: str) -> list[dict[str, Any]]:
    """Read probes from JSON text or from a file of it. Raises UserError for what is missing, or of another type."""
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


def check_probe(probe: dict[str, Any]) -> None:
    """Refuse a probe of an unknown kind, without a key that its kind needs, or with a file that is not there."""
    kind = probe.get("kind")
    if kind not in PROBE_KEYS:
        raise UserError(f"unknown kind {kind!r} of probe; known are {', '.join(PROBE_KEYS)}\nhint: see --help")
    has_pool = kind != "harness" and probe.get("shots")  # the harness draws shots from the task's own data
    needed = [*PROBE_KEYS[kind], *(["shot_examples"] if has_pool else [])]
    if missing := [key for key in needed if key not in probe]:
        raise UserError(f"a {kind} probe lacks {', '.join(missing)}\nhint: it needs {', '.join(needed)}")
    for key in ("examples", "shot_examples"):
        if key in probe and not Path(probe[key]).is_file():
            raise UserError(f"probe {probe['probe']!r}: there is no file {probe[key]}\nhint: check `{key}`")

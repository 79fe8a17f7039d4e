"""Count how often claims were tested on other results, and share the allowed error between these looks.

Whoever adds results until a claim holds finds something sooner or later (Armitage, McPherson & Rowe 1969). Each look
therefore spends a part of the allowed error, and the parts of all looks together are no more than the whole
(Bonferroni: true however the looks depend on each other). results/<study>/looks.json keeps the looks.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from polars import selectors

from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.runtime.files import read_json, write_json
from ripeness.stats.looks import share_of
from ripeness.study.written_claims import LOOKS_ID
from ripeness.tables.columns import REPORTED

NAMES = ("study", "suite", "source", "reason", "is_chosen")  # may change where no number does
DIGITS = 6  # significant; the last bits of a sum may differ between two runs

Looks = list[dict[str, Any]]


def digest_of(tables: Tables) -> str:
    """Compute a digest of the numbers that claims are tested on: names, order, and last bits play no part."""
    frames = (
        [tables.measurements.filter(REPORTED, pl.col("is_primary").fill_null(True))]
        if tables.has("measurements")
        else []
    )
    frames += [tables.sensitivity] if tables.sensitivity is not None else []
    frames += [frame for _, frame in sorted(tables.simulated.items())] if tables.has("simulated") else []
    digest = hashlib.sha256()
    for frame in frames:
        kept = frame.select(sorted(set(frame.columns) - set(NAMES)))
        flat = kept.select(~selectors.nested()).with_columns(selectors.float().round_sig_figs(DIGITS))
        digest.update(flat.unique().sort(flat.columns).write_csv().encode())
    return digest.hexdigest()


def read_looks(path: Path) -> Looks:
    """Read the looks of a study; none where there is no file."""
    advice = "move it back as it was; without it the next look counts as the first"
    return read_json(path, list, advice=advice) if path.is_file() else []


def number_of(looks: Sequence[dict[str, Any]], digest: str) -> int:
    """Find the look that had these results, or that which comes next."""
    return next((place for place, look in enumerate(looks, 1) if look["results"] == digest), len(looks) + 1)


def noted(path: Path, tables: Tables, *, now: datetime | None = None) -> Looks:
    """Write down a look at results that were not looked at before, and return all looks."""
    looks, digest = read_looks(path), digest_of(tables)
    if number_of(looks, digest) > len(looks):
        time = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
        checkpoints = 0
        if tables.has("measurements"):
            checkpoints = tables.reported.select("series", "checkpoint").unique().height
        looks = [*looks, {"looked_at": time, "results": digest, "n_checkpoints": checkpoints}]
        write_json(path, looks)
    return looks


def at_this_look(settings: Settings, looks: Looks, tables: Tables) -> Settings:
    """Put the number of the look at these results into the settings that claims are tested under."""
    return replace(settings, look=number_of(looks, digest_of(tables)))


def as_entry(looks: Looks, settings: Settings) -> dict[str, object]:
    """Make the entry of findings.json that says how often results were looked at, and what this look spends."""
    planned = settings.looks
    rows = [
        {
            "look": place,
            "n_checkpoints": look["n_checkpoints"],
            "level": settings.level * share_of(place, planned),
        }
        for place, look in enumerate(looks, 1)
    ]
    return {
        "id": LOOKS_ID,
        "claim": "How often were results looked at?",
        "verdict": "answered",
        "statement": statement(settings, len(looks)),
        "figure": "",
        "confidence": settings.confidence,
        "method": "each look spends a part of the allowed error; all parts together are no more than the whole",
        "caveats": [],
        "answers": rows,
    }


def statement(settings: Settings, n_looks: int) -> str:
    """Say in a sentence or two how often results were looked at, and at which level claims are decided."""
    level, total = percent(settings.decided_level), percent(settings.level)
    which = f"Look {settings.look}" + (f" of {settings.looks} planned" if settings.looks else "")
    if not settings.decided_level:
        return f"{which} at results: all looks that were planned are used, so that no claim can be decided any more."
    more = f"; there were {n_looks} in all" if n_looks > settings.look else ""
    return f"{which} at results that differ{more}: claims are decided at a level of {level}; all looks share {total}."


def percent(share: float) -> str:
    """Write a share in per cent with two digits that count."""
    return f"{100 * share:.2g} %"

"""Count how often claims were tested on other results, and share the allowed error between these looks.

Whoever adds results until a claim holds finds something sooner or later (Armitage, McPherson & Rowe 1969). Each look
therefore spends a part of the allowed error, and the parts of all looks together are no more than the whole
(Bonferroni: true however the looks depend on each other). Results on which no claim can be decided, as those of a few
checkpoints, give no verdict and are no look. results/<study>/looks.json keeps the looks.
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
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, write_json
from ripeness.stats.looks import share_of
from ripeness.study.written_claims import LOOKS_ID

# What tells measurements apart, and their numbers: another column that a later version writes is no other result.
MEASURED = (
    "series", "checkpoint", "step", "tokens", "phase", "dataset", "format", "method", "learning_rate", "seed",
    "is_chosen", "probe", "probe_format", "shots", "split", "metric", "value", "se", "n_items", "chance", "majority",
)  # fmt: skip
PERTURBED = (
    "series", "checkpoint", "step", "tokens", "phase", "perturbation", "normalisation", "scale", "noise_seed",
    "dataset", "format", "method", "learning_rate", "seed", "probe", "base_loss", "loss", "curvature",
)  # fmt: skip
DIGITS = 6  # significant; the last bits of a sum may differ between two machines
OFF_TIES = 1 + 1.1803398875e-7  # shares of items, such as 65/128 = 0.5078125, may end in a 5 that their last bits round
KEYS = ("looked_at", "results", "n_checkpoints")
ADVICE = "move it back as it was; without it the next look counts as the first"

Looks = list[dict[str, Any]]


def digest_of(tables: Tables) -> str:
    """Compute a digest of the numbers that claims are tested on, at all rates, by the main metric of each probe.

    Order, last bits, and names of studies and suites play no part.
    """
    frames = []
    if tables.has("measurements"):
        frames.append(known_of(tables.measurements.filter(pl.col("is_primary").fill_null(True)), MEASURED))
    if tables.sensitivity is not None:
        frames.append(known_of(tables.sensitivity, PERTURBED))
    if tables.has("simulated"):
        frames += [frame.drop("study", strict=False) for _, frame in sorted(tables.simulated.items())]
    digest = hashlib.sha256()
    for frame in frames:
        flat = frame.select(~selectors.nested()).with_columns(
            (selectors.float().cast(pl.Float64) * OFF_TIES).round_sig_figs(DIGITS) + 0.0  # makes zero of minus zero
        )
        digest.update(flat.unique().sort(flat.columns).write_csv().encode())
    return digest.hexdigest()


def known_of(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Select those columns that a table has."""
    return frame.select([name for name in names if name in frame.columns])


def read_looks(path: Path) -> Looks:
    """Read the looks of a study; none where there is no file. UserError for what is no list of looks."""
    if not path.is_file():
        return []
    looks = read_json(path, list, advice=ADVICE)
    for look in looks:
        if not isinstance(look, dict) or any(key not in look for key in KEYS):
            raise UserError(f"{path} is damaged: {look!r} is no look, which has {', '.join(KEYS)}\nhint: {ADVICE}")
    return looks


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
    if settings.look > n_looks:
        when = f"the next look is at a level of {level}; all looks share {total}"
        return f"No claim can be decided on these results, so that they count as no look: {when}."
    more = f"; there were {n_looks} in all" if n_looks > settings.look else ""
    return f"{which} at results that differ{more}: claims are decided at a level of {level}; all looks share {total}."


def percent(share: float) -> str:
    """Write a share in per cent with two digits that count."""
    return f"{100 * share:.2g} %"

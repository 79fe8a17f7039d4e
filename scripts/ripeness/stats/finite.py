"""Replace NaN and infinite numbers by null, with the reason.

A log-likelihood that is no finite number is no answer, neither right nor wrong. So that no score is over fewer items
than it says, a measurement with such an item is null as a whole (see metrics.py). That holds for an option of
probability 0 (-inf) as well: a model of finite logits gives none, so it tells of logits that were masked or overflowed.
"""

import math
from collections.abc import Iterable
from typing import Any

LISTS = {"logps": "log-likelihood", "logps_unconditional": "log-likelihood after the unconditional prompt"}


def finite(value: float | None) -> float | None:
    """Return a finite number; None for NaN and infinities."""
    return value if value is not None and math.isfinite(value) else None


def count(n: int, of: int, noun: str) -> str:
    """Write a count: "1 of 2 options"."""
    return f"{n:,} of {of:,} {noun}{'' if of == 1 else 's'}"


def with_reason(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of PREDICTIONS without NaN and infinities, and with a `reason` where one was.

    A reason that the row has already stays.
    """
    found, reasons = dict(row), []
    for name, what in LISTS.items():
        if values := row.get(name):
            found[name] = [finite(value) for value in values]
            if n_lost := found[name].count(None):
                reasons.append(f"no finite {what} of {count(n_lost, len(values), 'option')}")
    if row.get("nll") is not None and finite(row["nll"]) is None:
        found["nll"] = None
        reasons.append("no finite log-likelihood of the text")
    if row.get("harness"):
        found["harness"] = [entry | {"value": finite(entry["value"])} for entry in row["harness"]]
        if lost := [entry["metric"] for entry in found["harness"] if entry["value"] is None]:
            reasons.append(f"no finite {', '.join(lost)}")
    found["reason"] = row.get("reason") or "; ".join(reasons) or None
    return found


def lost_items(reasons: Iterable[str | None], *, n_items: int, noun: str = "item") -> str:
    """Say why a measurement is null: how many of its items have no number, and the first reason."""
    lost = list(reasons)
    first = next((reason for reason in lost if reason), "no finite number")
    return f"{count(len(lost), n_items, noun)} without a number: {first}"

"""Columns of the table of cells about a policy's own texts, and those of the model that it started from."""

from typing import Any

# By column: the keys of the record that lead to its number, in the part of the result and in that of the start.
OF_TEXTS = {
    "reward": ("reward",),
    "truth": ("truth",),
    "pass_at_1": ("pass_at", "1"),
    "pass_at_64": ("pass_at", "64"),
    "distinct": ("distinct",),
}
WITH_ERROR = ("truth", "pass_at_1", "pass_at_64")  # those whose standard error over prompts has columns too
OF_BOTH = {"kl": ("kl",), "win_rate": ("win_rate_over_start",)}


def columns_of_own_texts(record: dict[str, Any]) -> dict[str, float | None]:
    """Return the columns; None for what a record does not have, as that of most trainings."""
    own = record.get("own_texts") or {}
    found = {column: value_at(own, keys) for column, keys in OF_BOTH.items()}
    for column, keys in OF_TEXTS.items():
        found[column] = value_at(own, ("result", *keys))
        found[f"{column}_before"] = value_at(own, ("start", *keys))
    for column in WITH_ERROR:
        found[f"{column}_se"] = value_at(own, ("result", *OF_TEXTS[column]), "se")
        found[f"{column}_before_se"] = value_at(own, ("start", *OF_TEXTS[column]), "se")
    return found


def value_at(values: dict[str, Any], keys: tuple[str, ...], part: str = "value") -> float | None:
    """Follow keys to a number with its error, and take a part of it; None where they lead nowhere."""
    found: Any = values
    for key in keys:
        found = found.get(key) or {}
    return found.get(part)

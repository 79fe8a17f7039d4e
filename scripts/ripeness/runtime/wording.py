"""Word numbers and hints as people read them."""

import difflib
from collections.abc import Mapping
from typing import Any


def human(tokens: int) -> str:
    """Write a number of tokens shortly: 61440 -> 61k, 2560000 -> 2.6M."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if tokens >= size * 0.9995:
            return f"{tokens / size:.2g}{letter}" if tokens < 10 * size else f"{tokens / size:.0f}{letter}"
    return str(tokens)


def deciding_interval(finding: Mapping[str, Any]) -> str:
    """Write the interval that a verdict is read from, where it is not the one that is shown anyway: else nothing.

    Claims are tested together, so that it is wider for most of them (Holm).
    """
    low, high, confidence = (finding.get(f"decided_{name}") for name in ("low", "high", "confidence"))
    if low is None or high is None or confidence is None or abs(confidence - finding["confidence"]) < 1e-9:
        return ""
    ends = " to ".join(f"{end:+.2f}".replace("-", "−") for end in (low, high))
    return f"{ends} ({100 * confidence:.4g} %)"


def what_it_takes(finding: Mapping[str, Any]) -> str:
    """Say how many of which level would decide an undecided claim, and of which none would; empty if not known."""
    levels = dict(finding.get("needs_more") or {})
    together = levels.pop("times all of them", {}).get("needed")
    enough = [f"{row['needed']:,} {name} (now {row['now']:,})" for name, row in levels.items() if row["needed"]]
    others = [name for name, row in levels.items() if not row["needed"]]
    if not levels:
        return ""
    if not enough:
        rest = f"; a study {together} times as large in all of them would" if together else ""
        return f"With the same spread and effect, no number of {joined(others, 'or')} alone would decide it{rest}."
    rest = f"; more {joined(others, 'or')} alone would not" if others else ""
    return f"With the same spread and effect, {joined(enough, 'or')} would decide it{rest}."


def joined(names: list[str], word: str) -> str:
    """Join names for a sentence: "a", "a or b", "a, b or c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def hint(word: object, choices: list[str], *, otherwise: str) -> str:
    """Point at the nearest known word, or say what else helps."""
    alike = [choice for choice in choices if choice.casefold() == str(word).casefold()]
    near = alike or difflib.get_close_matches(str(word), choices, n=1)
    return f"hint: did you mean {near[0]!r}?" if near else f"hint: {otherwise}"

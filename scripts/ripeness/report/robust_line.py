"""Say in one line of the report how a verdict fares with less data and with other smallest effects."""

from collections.abc import Mapping
from typing import Any

from ripeness.stats.verdicts import UNDECIDED

MOST_NAMED = 3


def robust_line(finding: Mapping[str, Any]) -> str:
    """Write the line; empty for a claim that was not tested again."""
    found = finding.get("robustness")
    if not found:
        return ""
    said = [*data_words(finding["verdict"], found), *limit_words(finding["verdict"], found)]
    if not said:
        return "Stands at half and at twice the smallest effect."
    line = "; ".join(said)
    return f"{line[0].upper()}{line[1:]}."


def data_words(verdict: str, found: Mapping[str, Any]) -> list[str]:
    """Say in how many studies with a part left out the verdict is the same, and which others there are."""
    if not found["n_tried"]:
        return []
    word = "undecided" if verdict == UNDECIDED else "stands"
    said = [f"{word} in {found['n_same']} of {found['n_tried']} studies with a part left out"]
    others: dict[str, list[str]] = {}
    for change in found["changes"]:
        others.setdefault(change["verdict"], []).append(change["left_out"])
    for other, parts in others.items():
        more = f" and {len(parts) - MOST_NAMED} more" if len(parts) > MOST_NAMED else ""
        falls = "falls" if other == UNDECIDED else other
        said.append(f"{falls} without {', '.join(parts[:MOST_NAMED])}{more}")
    return said


def limit_words(verdict: str, found: Mapping[str, Any]) -> list[str]:
    """Say which verdicts change with the smallest effect that matters."""
    ends = {"half": found["at_half"], "twice": found["at_double"]}
    return [f"at {name} the smallest effect {other}" for name, other in ends.items() if other != verdict]

"""The end of a run on a terminal: the answers, and a line for each claim with verdict, effect and interval."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ripeness.runtime.wording import deciding_interval, joined, what_it_takes
from ripeness.stats.verdicts import REVERSED, SUPPORTED, TOO_SMALL, UNDECIDED
from ripeness.study.written_claims import LOOKS_ID

Finding = Mapping[str, Any]
COLOURS = {SUPPORTED: "32", TOO_SMALL: "34", REVERSED: "31", UNDECIDED: "33"}  # of ANSI: green, blue, red, yellow
VERDICT_WIDTH = max(map(len, COLOURS))
NARROWEST, WIDEST = 60, 120  # columns of wrapped text


def finding_lines(findings: Sequence[Finding], *, width: int, is_colour: bool) -> list[str]:
    """Write the answers first, then a line for each claim that the study has numbers for, and one for the others."""
    width = min(max(width, NARROWEST), WIDEST)
    lines = []
    for entry in findings:
        if "answers" in entry and not (entry["id"] == LOOKS_ID and len(entry["answers"]) < 2):
            lines += [*wrapped(entry["statement"], width), ""]  # of one look nothing is taken by an earlier one
    claims = [entry for entry in findings if "answers" not in entry]
    for entry in claims:
        if entry["effect"] is not None:
            lines += claim_lines(entry, width=width, is_colour=is_colour)
    if others := [entry["id"] for entry in claims if entry["effect"] is None]:
        said = f"{len(others)} claim{'s' if len(others) > 1 else ''} cannot be decided by this study: "
        lines += wrapped(f"{said}{joined(others, 'and')}. The report says what each needs.", width)
    return lines


def claim_lines(finding: Finding, *, width: int, is_colour: bool) -> list[str]:
    """Write the verdict, the claim, its effect with the interval, and what would decide it."""
    numbers = f"{number(finding['effect'])} [{number(finding['low'])}, {number(finding['high'])}] {finding['unit']}"
    said = f"{finding['claim']} {numbers.strip()}."
    if interval := deciding_interval(finding):
        said += f" Decided, with all claims tested, on {interval}."
    said = f"{said} {what_it_takes(finding)}".strip()
    first, *more = wrapped(said, width - VERDICT_WIDTH - 1)
    verdict = f"{finding['verdict']:<{VERDICT_WIDTH}}"
    if is_colour:
        verdict = f"\x1b[{COLOURS[finding['verdict']]}m{verdict}\x1b[0m"
    return [f"{verdict} {first}", *(" " * (VERDICT_WIDTH + 1) + line for line in more)]


def wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines; names with hyphens stay whole."""
    return textwrap.wrap(text, width, break_on_hyphens=False)


def number(value: float | None) -> str:
    """Write an effect with its sign, and with three digits where two would hide it."""
    if value is None:
        return "unknown"
    places = 2 if abs(value) >= 0.095 or value == 0 else 3
    return f"{value:+.{places}f}".replace("-", "−")

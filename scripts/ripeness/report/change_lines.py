"""Say in lines what changed between two sets of findings: verdicts first."""

from collections.abc import Mapping
from typing import Any

from ripeness.report.terminal import number, wrapped

MOST = 10  # scores in lines; the page has more


def change_lines(found: Mapping[str, Any], *, width: int) -> list[str]:
    """Write verdicts that changed, answers, claims that came or went, effects and scores; one line if nothing did."""
    lines = []
    for was, now in found["verdicts"]:
        lines += wrapped(f"{was['verdict']} -> {now['verdict']}: {now['claim']} {moved(was, now)}", width)
    for answer in found["answers"]:
        lines += wrapped(f"{answer['is']} Before: {answer['was'] or 'no answer'}", width)
    for key, word in (("new", "new claim"), ("gone", "claim no longer tested")):
        lines += [line for one in found[key] for line in wrapped(f"{word}: {one['claim']} ({one['verdict']})", width)]
    for was, now in found["effects"]:
        lines += wrapped(f"still {now['verdict']}: {now['id']} {moved(was, now)}", width)
    scores = found["scores"]
    counts = ((scores["new"], "new"), (scores["gone"], "gone"), (scores["moved"], "with another score"))
    if said := [f"{len(rows)} {word}" for rows, word in counts if rows]:
        lines.append(f"tuned models: {', '.join(said)}, {scores['same']} as before")
    for row in scores["moved"][:MOST]:
        lines.append(f"  {name_of(row)}: {row['was']:.3f} -> {row['is']:.3f} ({number(row['is'] - row['was'])})")
    if len(scores["moved"]) > MOST:
        lines.append(f"  ... and {len(scores['moved']) - MOST} more")
    return lines or ["nothing changed"]


def moved(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Write an effect with its interval before and after."""
    return f"{effect_of(was)} -> {effect_of(now)} {now.get('unit') or ''}".strip()


def effect_of(one: Mapping[str, Any]) -> str:
    """Write an effect with its interval."""
    if one["effect"] is None:
        return "no number"
    return f"{number(one['effect'])} [{number(one['low'])}, {number(one['high'])}]"


def name_of(row: Mapping[str, Any]) -> str:
    """Name a model."""
    return " ".join(str(row[key]) for key in ("series", "checkpoint", "dataset", "format", "method"))

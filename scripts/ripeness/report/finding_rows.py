"""Findings, and the answers that come with them, as rows that the template lays out."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ripeness.findings.indicators.answer import ID as INDICATORS
from ripeness.findings.ripe import ID as RIPE
from ripeness.report.common_scale import reach_of, scale_of, ticks
from ripeness.report.power_line import power_line
from ripeness.report.robust_line import robust_line
from ripeness.runtime.errors import UserError
from ripeness.runtime.wording import deciding_interval, what_it_takes
from ripeness.stats.verdicts import NO_EFFECT, NO_HARM, VERDICTS


def signed(value: float | None) -> str:
    """Write a number with its sign and two digits, or a dash for none."""
    return "–" if value is None else f"{value:+.2f}".replace("-", "−")


def in_points(share: float) -> str:
    """Write a difference of scores in points with its sign: 0.018 is +1.8."""
    return f"{100 * share:+.1f}".replace("-", "−")


def rule_of(finding: Mapping[str, Any]) -> str:
    """Say how the verdict is read off the interval; empty for a claim without a smallest effect."""
    smallest, expects = finding.get("smallest"), finding.get("expects")
    if not smallest:
        return ""
    size = f"{smallest:g}"
    if expects == NO_HARM:
        return f"Supported if the interval ends below +{size}; reversed if it begins above."
    if expects == NO_EFFECT:
        return f"Supported if the interval lies within ±{size}; reversed if it lies outside."
    return f"Supported if the interval lies above +{size}; too small to matter within ±{size}; reversed below −{size}."


def finding_row(finding: Mapping[str, Any]) -> dict[str, Any]:
    """Prepare one finding: its numbers as text, its rule and its p in words."""
    if finding["verdict"] not in VERDICTS:
        raise UserError(
            f"unknown verdict {finding['verdict']!r} of {finding['id']!r}; known are {', '.join(VERDICTS)}\n"
            "hint: judge_claims writes findings.json; run it again"
        )
    low, effect, high = finding.get("low"), finding.get("effect"), finding.get("high")
    row = dict(finding) | {
        "text": signed(effect),
        "badge": finding["verdict"].replace(" ", "-"),
        "interval": None,
    }
    row["parts"] = finding.get("parts") or []
    row["decided"] = deciding_interval(finding)
    row["robust_line"] = robust_line(finding)
    row["power_line"] = power_line(finding)
    row["what_it_takes"] = what_it_takes(finding)
    row["rule"] = rule_of(finding)
    row["p"] = "" if finding.get("p_holm") is None else f"{finding['p_holm']:.2g}"
    if low is not None and effect is not None and high is not None:
        row["interval"] = f"{signed(low)} to {signed(high)}"
    counts = ((finding.get(f"n_{noun}s"), noun) for noun in ("checkpoint", "seed", "item"))
    row["counts"] = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count]
    columns = dict.fromkeys(key for detail in finding.get("details") or [] for key in detail)
    row["columns"] = list(columns)
    return row


def findings_of(findings: list[dict]) -> dict[str, list]:
    """Prepare all findings, those without an interval apart; a caveat that most of them share is said once."""
    counted = Counter(caveat for finding in findings for caveat in set(finding.get("caveats") or []))
    shared = [caveat for caveat, count in counted.items() if count > max(1, len(findings) / 2)]
    reach = reach_of(findings)
    rows = [finding_row(finding) | {"scale": scale_of(finding, reach)} for finding in findings]
    for row in rows:
        row["own_caveats"] = [caveat for caveat in row.get("caveats") or [] if caveat not in shared]
    return {
        "findings": [row for row in rows if row["interval"]],
        "untested": [row for row in rows if not row["interval"]],
        "ticks": ticks(reach),
        "shared_caveats": sorted(shared),
    }


def answers_of(entries: list[dict]) -> dict[str, Any] | None:
    """Prepare the answer to which checkpoint is ripe: its sentence, and a row for every dataset and method.

    None where the findings have no such entry, as those of simulated networks.
    """
    entry = next((one for one in entries if one["id"] == RIPE), None)
    if entry is None:
        return None
    rows = []
    for one in entry["answers"]:
        worse = one["last_is_worse_by"]
        is_open = worse is None or one["low"] is None or one["high"] is None
        rows.append(
            one
            | {
                "tied": ", ".join(name for name in one["may_be_best"] if name != one["checkpoint"]) or "none",
                "worse": in_points(worse) if worse is not None else "–",
                "interval": "–" if is_open else f"{in_points(one['low'])} to {in_points(one['high'])}",
            }
        )
    is_published = any(one.get("lacks") for one in entry["answers"])
    found = {name: entry[name] for name in ("statement", "confidence")}
    return found | {"rows": rows, "is_published": is_published}


def indicators_of(entries: list[dict]) -> dict[str, Any] | None:
    """Prepare the entry of indicators: a row of text for each; None without the entry."""
    entry = next((one for one in entries if one["id"] == INDICATORS), None)
    if entry is None:
        return None
    rows = [
        one
        | {
            "pairs": with_interval(one, "accuracy", 100, ".0f"),
            "late": f"{100 * one['late_accuracy']:.0f}",
            "tau": with_interval(one, "tau", 1, ".2f"),
            "lost": with_interval(one, "regret", 100, ".1f"),
            "price": "–" if one["cost"] is None else f"{100 * one['cost']:.2g} %",
        }
        for one in entry["answers"]
    ]
    return {name: entry[name] for name in ("statement", "caveats", "method", "confidence")} | {"rows": rows}


def with_interval(row: Mapping[str, Any], name: str, factor: float, digits: str) -> str:
    """Write a number with its interval: 89 [65, 100]."""
    keys = (name, f"{name}_low", f"{name}_high")
    value, low, high = (f"{factor * row[key]:{digits}}".replace("-", "−") for key in keys)
    return f"{value} [{low}, {high}]"

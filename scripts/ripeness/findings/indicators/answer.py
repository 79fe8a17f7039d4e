"""Report in findings.json which measurements of untouched checkpoints predict their scores after tuning."""

from ripeness.findings.finding import Settings, listed
from ripeness.findings.indicators.readings import Indicator
from ripeness.findings.indicators.skills import Judged, Skills
from ripeness.stats.indicators import Share
from ripeness.stats.verdicts import holm

ID = "indicators"
CLAIM = "What predicts the score after tuning?"
TOGETHER = "all series"
CHANCE = 0.5
TUNED = "tuned score on other items"
TELLS, OPPOSITE, NOTHING, MOST = "predicts", "predicts the opposite", "not distinguished from chance", "the most"
SHARED = (
    "There are no items: untouched and tuned scores may rest on the same ones, which makes indicators on them look "
    "better, and the best checkpoint is judged on the scores that it is the best of, which makes regret too large."
)
NAMED = 3  # indicators of a kind in the sentence


def as_entry(skills: Skills, settings: Settings) -> dict[str, object]:
    """Make an entry of findings.json: a sentence on all series, and a row for every indicator and series."""
    scopes = {name: rows for name, rows in skills.by_series.items() if len(skills.by_series) > 1}
    rows = [row for scope in ({None: skills.together} | scopes).items() for row in rows_of(*scope, skills, settings)]
    first = [row for row in rows if row["series"] == rows[0]["series"]]
    return {
        "id": ID,
        "claim": CLAIM,
        "verdict": "answered",
        "statement": statement(first),
        "figure": ID,
        "confidence": settings.confidence,
        "method": skills.readings.method,
        "caveats": [] if skills.readings.has_own_items else [SHARED],
        "answers": rows,
    }


def rows_of(scope: str | None, judged: list[Judged], skills: Skills, settings: Settings) -> list[dict[str, object]]:
    """Write the indicators of one series, those that order most pairs first, with what tuning itself would tell."""
    names = sorted(skills.readings.checkpoints)
    series = scope or (TOGETHER if len(names) > 1 else names[0])
    p_values = holm([p_of_chance(one.skill.accuracy.main) for one in judged])
    rows = [row_of(series, one, p, settings) for one, p in zip(judged, p_values, strict=True)]
    rows.sort(key=lambda row: (-float(str(row["accuracy"])), str(row["indicator"])))
    if ceiling := skills.ceilings.get(scope):
        tuned = Judged(Indicator(TUNED, {}, cost=1.0), scope, ceiling)
        rows.append(row_of(series, tuned, 0.0, settings) | {"p_holm": None, "says": MOST})
    return rows


def row_of(series: str, one: Judged, p_holm: float, settings: Settings) -> dict[str, object]:
    """Write one indicator: shares and tau with their intervals, regret in shares of 1."""
    skill, indicator = one.skill, one.indicator
    row: dict[str, object] = {"series": series, "indicator": indicator.name, "expects": indicator.expects}
    ends = {
        "accuracy": (skill.accuracy.main.effect, *skill.accuracy.main.interval(settings.confidence)),
        "tau": [2 * end - 1 for end in (skill.tau.main.effect, *skill.tau.main.interval(settings.confidence))],
        "regret": (skill.regret.main.effect, skill.regret.main.low, skill.regret.main.high),
    }
    for name, (value, low, high) in ends.items():
        row |= {name: value, f"{name}_low": max(low, -1.0), f"{name}_high": min(high, 1.0)}
    above = skill.accuracy.main.effect > CHANCE
    is_told = p_holm <= settings.decided_level > 0  # 0 where all looks that were planned are used
    verdict = NOTHING if not is_told else TELLS if above else OPPOSITE
    return row | {
        "late_accuracy": skill.late_accuracy,
        "blind_regret": skill.blind_regret,
        "cost": indicator.cost,
        "n_checkpoints": skill.n_candidates,
        "n_datasets": skill.n_datasets,
        "covers": "datasets and checkpoints like these" if skill.accuracy.like_these else "checkpoints like these",
        "p_holm": p_holm,
        "says": verdict,
    }


def p_of_chance(accuracy: Share) -> float:
    """Compute the two-sided p of ordering half of the pairs."""
    return min(1.0, 2 * min(accuracy.p_above(CHANCE), accuracy.p_below(CHANCE)))


def statement(rows: list[dict]) -> str:
    """Say which indicators order checkpoints as tuning does, and what picking by the first of them costs."""
    found = {says: [row for row in rows if row["says"] == says] for says in (TELLS, OPPOSITE, NOTHING)}
    best = found[TELLS][:NAMED]
    parts = []
    if best:
        said = [f"{row['indicator']} ({share(row)})" for row in best]
        more = f" and {len(found[TELLS]) - NAMED} more" if len(found[TELLS]) > NAMED else ""
        parts.append(
            f"Share of pairs of checkpoints in the order of tuned scores: {listed(said)}{more}; chance is 50 %."
        )
        parts.append(costs(best[0]))
    else:
        most = f"{rows[0]['indicator']} ({share(rows[0])})"
        parts.append(
            "No indicator of an untouched checkpoint is shown to order pairs of checkpoints as tuning does more often "
            f"than chance (50 %). The highest share is that of {most}."
        )
    if found[OPPOSITE]:
        parts.append(f"In the opposite order: {listed([row['indicator'] for row in found[OPPOSITE]])}.")
    if found[NOTHING] and best:
        parts.append(f"Not distinguished from chance: {listed([str(row['indicator']) for row in found[NOTHING]])}.")
    return " ".join(parts)


def share(row: dict) -> str:
    """Write the share of pairs with its interval: 89 % [65, 100]."""
    return f"{row['accuracy']:.0%}"[:-1] + f" % [{100 * row['accuracy_low']:.0f}, {100 * row['accuracy_high']:.0f}]"


def costs(row: dict) -> str:
    """Say what one loses who picks by an indicator, and what one who picks blindly loses."""
    low, high = 100 * row["regret_low"], 100 * row["regret_high"]
    return (
        f"Picking the checkpoint by {row['indicator']} loses {100 * row['regret']:.1f} points [{low:.1f}, {high:.1f}] "
        f"against tuning them all; picking blindly loses {100 * row['blind_regret']:.1f}."
    )

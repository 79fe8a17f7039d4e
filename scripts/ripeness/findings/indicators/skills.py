"""Judge every indicator of a study, once for all findings, figures and answers that ask."""

from collections.abc import Mapping
from dataclasses import dataclass

from ripeness.findings.finding import Settings
from ripeness.findings.indicators.of_items import read_items
from ripeness.findings.indicators.of_measurements import read_measurements
from ripeness.findings.indicators.readings import Indicator, Readings
from ripeness.findings.study_tables import Tables
from ripeness.stats.indicators import Skill, skill_of


@dataclass(frozen=True)
class Judged:
    """What an indicator tells in one series, or in all together (None)."""

    indicator: Indicator
    series: str | None
    skill: Skill


@dataclass(frozen=True)
class Skills:
    """All indicators judged, by series and together, and the tuned score on other items, the most that can be told."""

    readings: Readings
    by_series: Mapping[str, list[Judged]]
    together: list[Judged]
    ceilings: Mapping[str | None, Skill]


def skills_of(tables: Tables, settings: Settings) -> Skills | None:
    """Judge all indicators of a study; None where nothing was tuned. What is computed is kept with the tables."""
    return tables.once("indicators", lambda: judged_skills(tables, settings))


def judged_skills(tables: Tables, settings: Settings) -> Skills | None:
    """Read and judge all indicators."""
    has_items = tables.has("all_items")
    found = read_items(tables, settings) if has_items else read_measurements(tables.reported, settings)
    if found is None:
        return None
    together = judged_in(found, None, settings)
    if not together:
        return None
    scopes = [name for name in sorted(found.checkpoints) if len(found.checkpoints) > 1]
    by_series = {name: judged_in(found, name, settings) for name in scopes} or {next(iter(found.checkpoints)): together}
    ceilings = {
        name: skill
        for name in (None, *by_series)
        if has_items and (skill := skill_of(found.units(found.reference, name), confidence=settings.confidence))
    }
    return Skills(found, {name: rows for name, rows in by_series.items() if rows}, together, ceilings)


def judged_in(readings: Readings, series: str | None, settings: Settings) -> list[Judged]:
    """Judge all indicators in one series, or in all."""
    return [
        Judged(one, series, skill)
        for one in readings.indicators
        if (skill := skill_of(readings.units(one.values, series), confidence=settings.confidence))
    ]

"""Three readings of the same items: what an untouched model says, what its states hold, and what it says once tuned.

What its states hold is the score of a linear classifier on the last state before the answer (a method of kind
`features`; the linear probes of Alain and Bengio 2016, arXiv 1610.01644). Scores are paired by item.
"""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from ripeness.findings.finding import Finding, Settings, undecided
from ripeness.findings.own_claims import judge as judge_selections
from ripeness.findings.own_rows import source_of
from ripeness.findings.own_selection import higher_score
from ripeness.findings.study_tables import Tables
from ripeness.study.study_config import BASE
from ripeness.tables.ways_of_tuning import FULL, READING, plain_way, ways_of

UNTOUCHED = {"method": BASE}
CEILING = "A classifier that is not linear, or reads other states, may find more: what is read off is a lower bound."


def reading_method(tables: Tables) -> str | None:
    """Name the method that reads the states of untouched models, at its largest dose; None where none was measured."""
    cells = tables.cells.filter(pl.col("kind") == READING, pl.col("start").is_null())
    return plain_way(cells, READING)


def tuning_method(tables: Tables, settings: Settings) -> str | None:
    """Name the method of tuning that is compared: that of the settings, else one of kind full before all others.

    None where models answer by maps to labels alone, which are readings themselves.
    """
    ways = {name: way for name, way in ways_of(tables.cells).items() if not way.has_labels}
    full = [name for name, way in ways.items() if way.kind == FULL]
    names = list(ways) if settings.method in ways or not full else full
    return plain_way(tables.cells.filter(pl.col("method").is_in(names)), settings.method)


def contrast(
    tables: Tables, settings: Settings, compare: Mapping[str, str], against: Mapping[str, str], lead: str
) -> Finding:
    """Compare the scores of two selections on the dataset tuned on; `lead` says what they are, in words."""
    claim = higher_score(compare, against, settings.smallest_effect)
    found = judge_selections(tables, claim, settings, lambda metric, shots: source_of(tables, metric, shots, settings))
    if found.effect is None:
        return undecided(found, f"no dataset was asked both ways ({lead})")
    lines = found.statement[found.statement.index("On ") :]
    start = "Cannot be decided: " if found.statement.startswith("Cannot be decided") else ""
    reason = found.statement.removeprefix("Cannot be decided: ").partition(". ")[0] + ". " if start else ""
    return replace(found, statement=f"{start}{reason}{lead} {lines}", caveats=(*found.caveats, CEILING))

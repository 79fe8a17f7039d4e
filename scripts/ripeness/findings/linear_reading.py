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
from ripeness.findings.own_selection import OwnClaim
from ripeness.findings.study_tables import Tables
from ripeness.study.own_claims import SCORE
from ripeness.study.study_config import BASE

KIND = "features"
UNTOUCHED = {"method": BASE}
CEILING = "A classifier that is not linear, or reads other states, may find more: what is read off is a lower bound."


def reading_method(tables: Tables) -> str | None:
    """Name the method that reads the states of untouched models; None where none was measured."""
    names = tables.cells.filter(kind=KIND)["method"].unique().sort()
    return str(names[0]) if len(names) else None


def tuning_method(tables: Tables, settings: Settings) -> str | None:
    """Name the method of tuning that is compared: that of the settings, else the first other one."""
    names = tables.cells.filter(pl.col("kind") != KIND)["method"].unique().sort().to_list()
    return settings.method if settings.method in names else names[0] if names else None


def contrast(
    tables: Tables, settings: Settings, compare: Mapping[str, str], against: Mapping[str, str], lead: str
) -> Finding:
    """Compare the scores of two selections on the dataset tuned on; `lead` says what they are, in words."""
    claim = OwnClaim(
        name="",
        claim="",
        compare=compare,
        against=against,
        metric=SCORE,
        of="level",
        smallest=settings.smallest_effect,
        direction="more",
        expects="effect",
        named_against=against,
    )
    found = judge_selections(tables, claim, settings, lambda metric, shots: source_of(tables, metric, shots, settings))
    if found.effect is None:
        return undecided(found, f"no dataset was asked both ways ({lead})")
    lines = found.statement[found.statement.index("On ") :]
    start = "Cannot be decided: " if found.statement.startswith("Cannot be decided") else ""
    reason = found.statement.removeprefix("Cannot be decided: ").partition(". ")[0] + ". " if start else ""
    return replace(found, statement=f"{start}{reason}{lead} {lines}", caveats=(*found.caveats, CEILING))

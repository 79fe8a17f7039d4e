"""Judge a claim that an indicator tells, or does not tell, which of two checkpoints scores higher after tuning."""

from collections.abc import Callable
from dataclasses import replace

from ripeness.findings.finding import Finding, Settings, on_enough, undecided, with_parts
from ripeness.findings.indicators.answer import CHANCE, SHARED, row_of
from ripeness.findings.indicators.answer import costs as costs_sentence
from ripeness.findings.indicators.answer import share as share_of_pairs
from ripeness.findings.indicators.readings import Indicator
from ripeness.findings.indicators.skills import Judged, Skills, skills_of
from ripeness.findings.study_tables import Tables
from ripeness.stats.indicators import LEAST_DATASETS
from ripeness.stats.verdicts import Part

UNIT = "share of pairs of checkpoints that are ordered right, above chance"


def judge_indicator(tables: Tables, settings: Settings, is_meant: Callable[[Indicator], bool]) -> Finding:
    """Judge the cheapest indicator that is meant."""
    skills = skills_of(tables, settings)
    found = [one for one in skills.together if is_meant(one.indicator)] if skills else []
    if skills is None or not found:
        return undecided(Finding(), "the indicator was not measured at three checkpoints that were tuned")
    return judged(min(found, key=lambda one: one.indicator.cost or 0.0), skills, settings)


def judged(one: Judged, skills: Skills, settings: Settings) -> Finding:
    """Hold the share of pairs that an indicator orders right against chance."""
    skill, row = one.skill, row_of("", one, 1.0, settings)
    found = Finding(
        statement=(
            f"The {one.indicator.name} of untouched checkpoints puts {share_of_pairs(row)} of the pairs of checkpoints "
            f"in the order of their tuned scores, and {100 * skill.late_accuracy:.0f} % of those in the later half of "
            "pre-training (chance: 50 %). "
            f"{costs_sentence(row)}"
        ),
        covers=f"the sampling of {skill.n_candidates} checkpoints, each with its tuning seeds, and of datasets",
        n_checkpoints=skill.n_candidates,
        caveats=() if skills.readings.has_own_items else (SHARED,),
        details=tuple(row_of(name, other, 1.0, settings) for name, other in each_series(one, skills)),
    )
    above_chance = replace(skill.accuracy.main, origin=CHANCE)
    found = with_parts(
        found, ((Part(above_chance, settings.smallest_accuracy, bounds=(-CHANCE, 1 - CHANCE)),),), settings
    )
    if skill.n_datasets < LEAST_DATASETS:
        few = "one dataset says" if skill.n_datasets == 1 else f"{skill.n_datasets} datasets say"
        found = undecided(found, f"{few} nothing of datasets like these (at least {LEAST_DATASETS}). {found.statement}")
        found = replace(found, statement=found.statement.removesuffix("."))
    return on_enough(found, skill.n_candidates, settings)


def each_series(one: Judged, skills: Skills) -> list[tuple[str, Judged]]:
    """List the same indicator in every series."""
    return [
        (name, other) for name, rows in skills.by_series.items() for other in rows if other.indicator is one.indicator
    ]

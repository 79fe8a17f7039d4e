"""How much of what a model answers about pictures is guessed from the question?

The same questions are asked with the picture of another item of the same role. What is answered then needs no picture
(the control of Goyal et al. 2017, arXiv 1612.00837, with exchanged in place of matched pictures).
"""

from dataclasses import replace
from typing import Any

import polars as pl

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, listed, undecided
from ripeness.findings.late_differences import MANY_DATASETS
from ripeness.findings.needs import has_cells, has_exchanged
from ripeness.findings.own_claims import judge as judge_selections
from ripeness.findings.own_rows import source_of_scores
from ripeness.findings.own_selection import higher_score
from ripeness.findings.seeing import (
    BLANK,
    EXCHANGED,
    blind_methods,
    judged_stages,
    named,
    scores_with_views,
)
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import IS_OWN, IS_PRIMARY
from ripeness.tables.single_numbers import as_number


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare the scores with own and with exchanged pictures, paired by item."""
    stages = judged_stages(tables.cells, settings)
    if stages is None or EXCHANGED not in settings.views.values():
        return undecided(Finding(), "no model that reads pictures was asked with exchanged ones")
    method = stages.second
    scores = scores_with_views(tables, method, settings.views, settings.shots)
    source = source_of_scores(scores, settings)
    paired = Tables.of(measurements=tables.measurements, cells=tables.cells, scores=scores)
    datasets = sorted({probe for probe, _ in scores.blocks})
    fixed: dict[str, Any] = {"dataset": datasets} if len(datasets) < MANY_DATASETS else {}
    compare, against = ({"method": name, **fixed} for name in (method, named(method, EXCHANGED)))
    claim = higher_score(compare, against, settings.smallest_effect)
    found = judge_selections(paired, claim, settings, lambda metric, shots: source)
    if found.effect is None:
        return undecided(found, f"no item was asked with its own and with another picture ({method})")
    reason = found.statement.partition(". ")[0]
    start = f"{reason}. " if reason.startswith("Cannot be decided") else ""
    said = found.statement[found.statement.index("On ") :]
    means = means_of(source.rows, method) | {"without any": blind_score(tables)}
    statement = f"{start}{in_words(method, means, chance_of(tables, method))} {said}"
    return replace(found, statement=statement, details=tuple(rows_of(source.rows, method)))


CLAIM = Claim(
    id="read-off-pictures",
    text="Answers about pictures are read off the pictures: with another picture they are worse.",
    source="after Goyal et al., arXiv 1612.00837 (how much the question alone gives away)",
    unit="score with the own picture less score with that of another item",
    figure="seeing",
    needs=(has_cells, has_exchanged),
    judge=judge,
    asks=("views",),
)


def means_of(rows: pl.DataFrame, method: str) -> dict[str, float | None]:
    """Average the scores with own, exchanged and blank pictures over all that was measured."""
    names = {"its own": method, "another": named(method, EXCHANGED), "a grey one": named(method, BLANK)}
    return {word: mean_of(rows.filter(method=name)["value"]) for word, name in names.items()}


def mean_of(values: pl.Series) -> float | None:
    """Average numbers; None for none."""
    return as_number(values.mean()) if len(values) else None


def blind_score(tables: Tables) -> float | None:
    """Average the scores of a training of these datasets that reads the questions alone; None for none."""
    is_blind = pl.col("method").is_in(blind_methods(tables.cells))
    seen = tables.cells.filter(pl.col("start").is_not_null())["dataset"].unique()
    rows = tables.reported.filter(IS_OWN, IS_PRIMARY, is_blind, pl.col("dataset").is_in(seen.to_list()))
    return mean_of(rows.filter(pl.col("split") == "test")["value"].drop_nulls())


def chance_of(tables: Tables, method: str) -> float | None:
    """Average the score of guessing."""
    return mean_of(tables.reported.filter(IS_OWN, IS_PRIMARY, method=method)["chance"].drop_nulls())


def in_words(method: str, means: dict[str, float | None], chance: float | None) -> str:
    """Say the scores by picture, and the share of what is above chance that is answered without the own one."""
    known = {word: value for word, value in means.items() if value is not None}
    said = f"Score of {method} with {listed([f'{word} {value:.2f}' for word, value in known.items()])} as picture"
    if chance is None:
        return f"{said}."
    said += f"; guessing has {chance:.2f}"
    own, other = known["its own"], known["another"]
    if own - chance < 0.05:
        return f"{said}, so that there is no skill to explain."
    return f"{said}. Of what is above it, {max(0.0, min(1.0, (other - chance) / (own - chance))):.0%} needs no picture."


def rows_of(rows: pl.DataFrame, method: str) -> list[dict[str, object]]:
    """Make a row for each checkpoint and dataset, with the score by picture."""
    words = {method: "own", named(method, EXCHANGED): EXCHANGED, named(method, BLANK): BLANK}
    shown = rows.with_columns(picture=pl.col("method").replace_strict(words, default=None, return_dtype=pl.String))
    by = ["series", "checkpoint", "tokens", "dataset", "picture"]
    return shown.group_by(by).agg(score=pl.col("value").mean()).sort("series", "tokens", *by).to_dicts()

"""Test a claim of the user, written in the study's config: a contrast of two selections, or a trend of one.

The same ladder as for all claims: one rule, the claim's own smallest effect, Holm's correction with the others. What
the claim does not name is a sample: datasets, checkpoints, seeds and items. A dataset that it names is taken as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ripeness.findings.caveats import MIN_RUNS
from ripeness.findings.finding import Finding, Settings, listed, numbers, on_enough, undecided, with_parts
from ripeness.findings.own_design import Design, courses_of, design_of, seeds_of
from ripeness.findings.own_rows import Source, items_of, source_of
from ripeness.findings.own_selection import OwnClaim, check_selection
from ripeness.findings.study_tables import Tables
from ripeness.findings.two_estimates import (
    OF_CHANGES,
    OF_SCORES,
    ONE_SEED,
    Both,
    both_of,
    correlation_caveats,
    shown,
    two_lines,
)
from ripeness.findings.without_items import MANY
from ripeness.stats.at_large import Sources, sources_of
from ripeness.stats.random_levels import Component, compact, over_crossed, over_pairs, over_units
from ripeness.stats.verdicts import Part
from ripeness.study.own_claims import KEYS, is_share, names_in
from ripeness.study.study_config import BASE
from ripeness.study.written_claims import mark, read_versions
from ripeness.tables.single_numbers import as_number

BAD_MARKS = ("written after", "changed after")
FEW_DATASETS = "one dataset cannot show how much datasets differ; a claim that names it is about that one alone"
FEW_POINTS = "too few checkpoints to show how much single ones scatter, which the difference of two contains"
NO_ERRORS = "the tables have no standard errors, and nothing else shows how sure the numbers are"
NO_ITEMS = Component(0.0, 1.0)  # where nothing shows how much items do
SOURCE = "a claim of this study"


def read_own_claims(settings: Mapping[str, Mapping[str, Any]], written: Path | None) -> list[OwnClaim]:
    """Make the claims of a study, each with when it was written according to the file `written`."""
    versions = read_versions(written) if written else {}
    return [OwnClaim.of_settings(name, own, mark(versions.get(name, []), own)) for name, own in settings.items()]


def own_findings(tables: Tables, claims: Sequence[OwnClaim], settings: Settings) -> list[Finding]:
    """Test the user's claims; they are decided together with all others."""

    @cache
    def read(metric: str, shots: int) -> Source:
        return source_of(tables, metric, shots, settings)

    return [worded(claim, judge(tables, claim, settings, read)) for claim in claims]


def worded(claim: OwnClaim, found: Finding) -> Finding:
    """Put the claim's words into what was found, and say of a claim that results may have shaped that they may."""
    said = claim.written[:1].upper() + claim.written[1:]
    statement = f"{said}. {found.statement}" if claim.written.startswith(BAD_MARKS) else found.statement
    source = f"{SOURCE}, {claim.written}" if claim.written else SOURCE
    expects = tuple(tuple(replace(part, expects=claim.expects) for part in parts) for parts in found.tests)
    named = replace(found, id=claim.name, claim=claim.claim, source=source, written=claim.written)
    return replace(named, statement=statement, unit=unit_of(claim), expects=claim.expects, tests=expects)


def unit_of(claim: OwnClaim) -> str:
    """Name what the effect is measured in."""
    change = ", tuned less untouched" if claim.of == "change" else ""
    sides = "first to last checkpoint, on a line in log tokens" if claim.against is None else "compare less against"
    return f"{claim.metric}{change}, {sides}{', turned round (direction: less)' if claim.sign < 0 else ''}"


def judge(tables: Tables, claim: OwnClaim, settings: Settings, read: Callable[[str, int], Source]) -> Finding:
    """Estimate the effect and let it decide; undecided, with the reason, where what is selected was not measured."""
    sides = [claim.compare, *([claim.against] if claim.against is not None else [])]
    sources = [read(claim.metric, side.get("shots", settings.shots)) for side in sides]
    if not tables.has("scores"):
        for word, side, source in zip(("compare", "against"), sides, sources, strict=False):
            if not source.rows.is_empty():
                check_selection(f"findings.{claim.name}.{word}", side, source.rows)
    design = design_of(claim, sources)
    if design is None:
        return undecided(Finding(), f"nothing that was measured matches: {in_words(claim)}")
    weights = design.row_weights()
    varied = sources_in(design, claim, weights, settings)
    blank = finding_of(design, claim)
    if varied is None:
        return undecided(blank, NO_ERRORS)
    datasets, n_sampled = over_sampled(design, claim)
    most = largest_of(claim)
    both = both_of(design.effect, datasets, varied, settings, n_datasets=n_datasets(design), most=most)
    return decided_by(blank, both, design, claim, settings, n_sampled=n_sampled)


def largest_of(claim: OwnClaim) -> float:
    """Say how large the effect can be: a difference of scores has an end; a line over checkpoints may go beyond."""
    if not is_share(claim.metric) or claim.against is None:
        return inf
    return OF_CHANGES if claim.of == "change" else OF_SCORES


def sources_in(design: Design, claim: OwnClaim, weights: list[dict[int, float]], settings: Settings) -> Sources | None:
    """Measure what the effect varies by; None where items and standard errors are missing and nothing is sampled."""
    if any(side.source.blocks for side in design.sides):
        items = items_of(list(zip([side.source for side in design.sides], weights, strict=True)), settings)
    elif (error := design.standard_error()) is not None:
        items = Component(error**2, MANY)
    elif over_sampled(design, claim)[0]:
        items = NO_ITEMS
    else:
        return None
    runs = None
    if "series" in design.cells.columns and not claim.names("series"):
        by_run = design.by(["series"])["effect"].to_numpy()
        runs = over_units(by_run) if len(by_run) >= MIN_RUNS else None
    is_fixed = claim.names("checkpoint") and not design.is_between_points
    courses = [] if runs or is_fixed else courses_of(design, claim)
    # the draws stand for their variance, which is put in below
    found = sources_of(np.zeros(3), None, courses, n_items=1)
    seeds = seeds_of(design, claim, weights) if claim.is_tuned else None
    return replace(found, items=items, seeds=seeds, runs=runs)


def over_sampled(design: Design, claim: OwnClaim) -> tuple[Component | None, int]:
    """Compute the variance of the effect over the datasets that the claim does not name, and count these levels.

    Where both the dataset tuned on and the one asked are not named, both are random.
    """
    levels = [level for level in claim.sampled() if level in design.units]
    if claim.sampled() and not levels:
        levels = design.units
    if not levels:
        return None, len(claim.sampled())
    found = design.by(levels)
    effects = found["effect"].to_numpy()
    if len(levels) == 1:
        return over_units(effects), 1
    names = {name: code for code, name in enumerate(sorted({*found["dataset"], *found["probe"]}))}
    tuned, asked = (np.array([names[name] for name in found[level]]) for level in ("dataset", "probe"))
    if set(tuned) & set(asked):
        return over_pairs(effects, tuned, asked, np.zeros(len(effects), int)), 2
    return over_crossed(effects, np.ones(len(effects)), compact(tuned), compact(asked)), 2


def n_datasets(design: Design) -> int:
    """Count the datasets that the effect is a mean over."""
    found = design.by(design.units) if design.units else None
    return len({name for level in design.units for name in found[level]}) if found is not None else 1


def finding_of(design: Design, claim: OwnClaim) -> Finding:
    """Make the finding of a claim without its verdict: counts, caveats and details."""
    rows = design.used
    tuned = rows.filter(pl.col("method") != "base")
    n_seeds = tuned.group_by("series", "dataset").agg(n=pl.col("seed").n_unique())["n"].min()
    units = design.by(design.units).to_dicts() if design.units else []
    points = design.by(["series", "point"]).to_dicts() if {"series", "point"} <= set(design.cells.columns) else []
    details = [{"level": "dataset", **row} for row in units]
    if claim.against is not None:
        details += [{"level": "checkpoint", **row} for row in points]
    return Finding(
        n_checkpoints=rows.select("series", "checkpoint").unique().height,
        n_seeds=int(n_seeds) if isinstance(n_seeds, int) else 0,
        n_items=items_asked(design, rows),
        caveats=tuple(caveats_of(design, claim)),
        details=tuple(details),
    )


def items_asked(design: Design, rows: pl.DataFrame) -> int:
    """Count the items of the probes that are asked."""
    blocks = {block.probe: block.n_items for side in design.sides for block in side.source.blocks.values()}
    return sum(blocks.get(probe, 0) for probe in rows["probe"].unique())


def caveats_of(design: Design, claim: OwnClaim) -> list[str]:
    """Say how many of the selected tuned models have no counterpart."""
    notes = []
    for side, column in zip(design.sides, ("ids", "ids_against"), strict=False):
        chosen = side.rows.filter("is_chosen", pl.col("method") != BASE).height
        used = design.cells[column].explode().n_unique()
        if claim.against is not None and used < chosen:
            word = "compare" if side.sign > 0 else "against"
            notes.append(f"{chosen - used} of {chosen} measurements of `{word}` have no counterpart and are left out.")
    return notes


def decided_by(
    finding: Finding, both: Both, design: Design, claim: OwnClaim, settings: Settings, *, n_sampled: int
) -> Finding:
    """Let the estimate decide that the claim is about: on datasets like these where it names none, else on these."""
    is_sampled = n_sampled > 0
    result = both.shown if is_sampled else both.on_these
    lines = two_lines(both, claim.sign) if is_sampled else f"On these datasets: {shown(both.on_these, claim.sign)}."
    if both.sources.items == NO_ITEMS:
        lines = f"On datasets like these: {shown(both.shown, claim.sign)}."
    finding = replace(
        finding,
        covers=covers_of(claim, both, is_sampled=is_sampled),
        statement=f"{in_words(claim)}. {lines}",
        on_these=None if both.sources.items == NO_ITEMS else numbers(both.on_these),
        caveats=(*finding.caveats, *correlation_caveats(both.sources)),
    )
    finding = with_parts(
        finding, ((Part(result, claim.smallest, expects=claim.expects, bounds=both.bounds),),), settings
    )
    if reason := why_not(both, design, claim, is_sampled=is_sampled):
        return undecided(finding, f"{reason}. {finding.statement}".rstrip("."))
    if claim.names("checkpoint") and claim.against is not None:
        return finding
    points = design.used.group_by("series").agg(n=pl.col("tokens").n_unique())["n"].max()
    return on_enough(finding, int(as_number(points)), settings)


def why_not(both: Both, design: Design, claim: OwnClaim, *, is_sampled: bool) -> str:
    """Say why the claim may not be decided; empty if it may."""
    has_items = any(side.source.blocks for side in design.sides)
    if claim.is_tuned and has_items and both.sources.seeds is None:
        return ONE_SEED
    if is_sampled and both.at_large is None:
        return FEW_DATASETS
    is_scatter_known = both.sources.checkpoints or both.sources.runs
    return FEW_POINTS if design.is_between_points and not is_scatter_known else ""


def covers_of(claim: OwnClaim, both: Both, *, is_sampled: bool) -> str:
    """Say in words what the interval covers."""
    sources = both.sources
    parts = {
        "datasets": is_sampled,
        "checkpoints": sources.checkpoints,
        "test items": sources.items.variance > 0,
        "tuning seeds": sources.seeds,
        "pre-training runs": sources.runs,
    }
    named = listed([name for name, is_there in parts.items() if is_there])
    fixed = [] if is_sampled else ["datasets"]
    fixed += ["checkpoints"] if claim.names("checkpoint") and not sources.checkpoints else []
    return f"{named}; the {listed(fixed)} are those that the claim names" if fixed else named


def in_words(claim: OwnClaim) -> str:
    """Say what is compared: "score, method full against method base; dataset rte"."""
    change = "change of " if claim.of == "change" else ""
    metric = f"{change}the {claim.metric.replace('_', ' ')}"
    what = f"{metric[0].upper()}{metric[1:]}"
    if claim.against is None:
        return f"{what} from the first to the last checkpoint ({selection_in_words(claim.compare, 'tuned models')})"
    compared = claim.compared()
    first, second = (
        selection_in_words({key: side[key] for key in side if key in compared}, "tuned models" if place == 0 else "all")
        for place, side in enumerate((claim.compare, claim.against))
    )
    shared = selection_in_words({key: value for key, value in claim.compare.items() if key not in compared}, "")
    return f"{what}, {first} against {second}{f' ({shared})' if shared else ''}"


def selection_in_words(selection: Mapping[str, Any], none: str = "all") -> str:
    """Write a selection: "method full, dataset rte and mnli"."""
    parts = [f"{key.replace('_', ' ')} {listed(names_in(selection, key))}" for key in KEYS if key in selection]
    parts += [f"{selection['shots']} shots"] if "shots" in selection else []
    return ", ".join(parts) or none

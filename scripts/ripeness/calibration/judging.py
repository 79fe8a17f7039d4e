"""Draw the studies of a cell, test all claims on each, and keep a row for each verdict.

A study's random numbers depend on its cell and its number alone, so that it is the same in any order, on any number of
processors.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any, TypeVar
from zlib import crc32

import numpy as np
import polars as pl

from ripeness.calibration.designs import EFFECTS, OTHER_PARTS, Cell
from ripeness.calibration.loss_studies import LossDesign, draw_losses
from ripeness.calibration.own_studies import claims_on, truths_on_own
from ripeness.calibration.ripe_studies import ripe_rows
from ripeness.calibration.score_studies import ScoreDesign, draw_scores, floors_table
from ripeness.calibration.truths import Truth, truths_on_losses, truths_on_scores
from ripeness.findings.deciding import adjusted
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.own_claims import own_findings
from ripeness.findings.register import all_findings
from ripeness.findings.scores import Scores
from ripeness.findings.study_tables import Tables
from ripeness.stats.verdicts import POWER, SUPPORTED, UNDECIDED

DRAWS, PERMUTATIONS = 200, 20  # of the bootstrap, and of formats within items for the band that is only drawn
SAME_SEED = 25  # studies with the same seed of the bootstrap, whose simulated noise is kept in memory
ROUND = 5  # studies of each cell before any cell gets more, so that a page of all cells is there soon
PILOTS = 24  # studies at the edge that tell the detectable size
FIRST = 10_000  # number of the first study of the page: methods were developed on others
Design = TypeVar("Design", ScoreDesign | None, LossDesign | None)
SCHEMA = {
    "cell": pl.String, "study": pl.Int64, "finding": pl.String, "verdict": pl.String, "is_right": pl.Boolean,
    "effect": pl.Float64, "low": pl.Float64, "high": pl.Float64, "truth": pl.Float64, "holds": pl.Boolean,
    "confidence": pl.Float64,
    "mde": pl.Float64, "power_at_zero": pl.Float64, "p_value": pl.Float64, "p_holm": pl.Float64, "part": pl.String,
    "unit": pl.String,
}  # fmt: skip


def random_numbers(cell: Cell, number: int) -> np.random.Generator:
    """Make the random numbers of one study."""
    return np.random.default_rng([crc32(cell.name.encode()), number])


def tables_of(cell: Cell, number: int) -> Tables:
    """Draw one study of a cell."""
    rng = random_numbers(cell, number)
    losses = {} if cell.losses is None else draw_losses(cell.losses, rng)
    measured = [losses["measurements"]] if losses else []
    measured += [] if cell.scores is None else [floors_table(cell.scores)]
    scores = Scores() if cell.scores is None else draw_scores(cell.scores, rng)
    return Tables.of(**{**losses, "measurements": pl.concat(measured), "scores": scores})


def truths_of(cell: Cell) -> dict[str, Truth]:
    """Say what is true of every claim that a cell is about."""
    if cell.is_own and cell.scores is not None:
        return truths_on_own(cell.scores)
    on_scores = {} if cell.scores is None else truths_on_scores(cell.scores)
    return on_scores | ({} if cell.losses is None else truths_on_losses(cell.losses))


def settings_of(cell: Cell, number: int, draws: int) -> Settings:
    """Make the settings that a study is tested under."""
    runs = {f"run{run}": "run" for run in range(cell.losses.n_runs if cell.losses else 1)}
    seed = number // SAME_SEED
    # one look, planned as one, spends the whole allowed error, which the page holds the verdicts to
    return Settings(
        draws=draws, permutations=PERMUTATIONS, has_details=False, seed=seed, runs=runs, families=runs, looks=1, look=1
    )


def rows_of(cell: Cell, number: int, draws: int) -> list[dict[str, object]]:
    """Draw a study and test all claims that the cell is about, or answer which checkpoint is ripe: rows of SCHEMA."""
    settings = settings_of(cell, number, draws)
    if cell.ripe is not None:
        answered = ripe_rows(cell.ripe, random_numbers(cell, number), settings)
        return [{"cell": cell.name, "study": number} | row for row in answered]
    truths, tables = truths_of(cell), tables_of(cell, number)
    if cell.is_own and cell.scores is not None:
        found = adjusted(own_findings(tables, claims_on(cell.scores), settings), settings)
    else:
        found = all_findings(tables, settings)
    return [row_of(cell, number, finding, truths[finding.id]) for finding in found if finding.id in truths]


def row_of(cell: Cell, number: int, finding: Finding, truth: Truth) -> dict[str, object]:
    """Write one finding and what is true of it."""
    values = {name: getattr(finding, name) for name in SCHEMA if hasattr(finding, name)}
    is_right = finding.verdict == UNDECIDED or finding.verdict in truth.right
    holds = SUPPORTED in truth.right
    about = {"cell": cell.name, "study": number, "finding": finding.id, "is_right": is_right, "holds": holds}
    return about | values | {"truth": truth.effect(finding.unit, finding.part)}


def studies_of(cell: Cell, numbers: range, draws: int) -> pl.DataFrame:
    """Draw and test some studies of a cell."""
    rows = [row for number in numbers for row in rows_of(cell, number, draws)]
    return pl.DataFrame(rows, schema=SCHEMA)


def with_power(cell: Cell, draws: int, pilots: int = PILOTS) -> Cell:
    """Set the effects of a cell to the smallest plus `reach` times what the detectable size is beyond it.

    Detectable sizes are the medians of pilot studies, which are not counted. A claim without one keeps its effect, as
    does one with several parts of which most pilots would support no effect, however large.
    """
    pilot = studies_of(replace(cell, name=f"{cell.name}, pilot"), range(pilots), draws)
    none_is = pl.when(pl.col("power_at_zero") <= POWER).then(float("inf"))  # no effect is large enough
    medians = pilot.group_by("finding").agg(pl.col("mde").fill_null(none_is).median()).drop_nulls()
    sizes = {name: size for name, size in medians.iter_rows() if size < float("inf")}
    effects = dict.fromkeys([*OTHER_PARTS, *(name for name, least in EFFECTS.values() if least is None)], 0.0)
    for finding, (name, smallest) in EFFECTS.items():
        if finding in sizes and smallest is not None:
            effects[name] = smallest + cell.reach * max(sizes[finding] - smallest, 0.0)
    return replace(cell, scores=with_effects(cell.scores, effects), losses=with_effects(cell.losses, effects))


def with_effects(design: Design, effects: dict[str, float]) -> Design:
    """Set those effects of a design that it has; None stays None."""
    own: dict[str, Any] = {name: value for name, value in effects.items() if hasattr(design, name)}
    return replace(design, **own) if design is not None else design


def judged(
    cells: list[Cell], *, studies: int, jobs: int, draws: int = DRAWS, first: int = FIRST
) -> Iterator[tuple[Cell, pl.DataFrame]]:
    """Draw and test the studies of cells from number `first` on, in `jobs` processes of one thread.

    Round after round: ROUND studies of every cell, in the order of the cells.
    """
    end = first + studies
    rounds = [range(start, min(start + ROUND, end)) for start in range(first, end, ROUND)]
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by libraries when a process starts
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        ready = [pool.submit(with_power, cell, draws) if cell.reach else cell for cell in cells]
        drawn = [cell if isinstance(cell, Cell) else cell.result() for cell in ready]
        waiting = [(cell, pool.submit(studies_of, cell, part, draws)) for part in rounds for cell in drawn]
        for cell, future in waiting:
            yield cell, future.result()

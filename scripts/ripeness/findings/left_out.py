"""A study without one of its datasets, seeds or checkpoints, made of its tables in memory: no file is read again."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl

from ripeness.findings.scores import Block, Row, Scores, SomeRows
from ripeness.findings.study_tables import HALVED, TEXT_TOKENS, Tables
from ripeness.study.grid import VIEWS

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

FEWEST = 3  # members of a kind, from which on one of them is left out
MOST_CHECKPOINTS = 20  # that are left out one by one; more are left out by neighbours, in so many parts
IS_TUNED = pl.col("method") != "base"
FILTERED = ("measurements", "cells", "sensitivity", "scores", "simulated", "other_scores", "all_items")


class Member(NamedTuple):
    """One dataset, tuning seed or checkpoint of a study, or neighbouring checkpoints where there are many."""

    kind: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        """Name what is left out: "dataset a", "checkpoints a to b"."""
        first, *others = self.names
        return f"{self.kind}s {first} to {others[-1]}" if others else f"{self.kind} {first}"


def members_of(tables: Tables) -> Iterator[Member]:
    """List all that can be left out of a study one by one: of each kind with three and more."""
    names = names_in_networks(tables) if tables.has("simulated") else names_in_study(tables)
    for kind, found in names.items():
        if len(found) >= FEWEST:
            n_parts = min(len(found), MOST_CHECKPOINTS if kind == "checkpoint" else len(found))
            yield from (Member(kind, tuple(part.tolist())) for part in np.array_split(found, n_parts))


def names_in_study(tables: Tables) -> dict[str, list[str]]:
    """List datasets (tuned on, or asked for answers), seeds of tuning, and checkpoints in order of tokens."""
    rows = tables.measurements.filter(pl.col("suite").ne_missing(VIEWS))  # a view is no dataset of its own
    tuned, asked = rows.filter(IS_TUNED), rows.filter(pl.col("probe_kind").is_in(["choice", "generation"]))
    datasets, seeds = {*tuned["dataset"], *asked["probe"]}, {*tuned["seed"]}
    points = {*rows.select("tokens", "step", "checkpoint").iter_rows()}
    if tables.has("scores"):
        models = [row for block in tables.scores.blocks.values() for row in block.rows if row.method != "base"]
        datasets |= {row.dataset for row in models} | {probe for probe, _ in tables.scores.blocks}
        seeds |= {row.seed for row in models}
        points |= {(p.tokens, p.step, p.checkpoint) for found in tables.scores.checkpoints.values() for p in found}
    in_order = sorted((tokens or 0, step or 0, name) for tokens, step, name in points if name is not None)
    return {
        "dataset": sorted(datasets - {None}),
        "seed": [str(seed) for seed in sorted(seeds - {None})],
        "checkpoint": list(dict.fromkeys(name for *_, name in in_order)),
    }


def names_in_networks(tables: Tables) -> dict[str, list[str]]:
    """List the seeds of simulated networks."""
    seeds = {seed for table in tables.simulated.values() for seed in table["seed"].to_list()}
    return {"seed": [str(seed) for seed in sorted(seeds)]}


def without(tables: Tables, member: Member) -> Tables:
    """Leave one member out of all tables that claims are tested on."""
    sources: dict[str, Callable[[], object]] = {}
    for name in tables.sources:
        if name not in FILTERED:
            sources[name] = partial(getattr, tables, name)
        elif name == "scores":
            sources[name] = partial(scores_without, tables.scores, member)
        elif name == "other_scores":
            sources[name] = lambda: lambda wanted: scores_without(tables.other_scores(wanted), member)
        elif name == "simulated":
            sources[name] = partial(networks_without, tables, member)
        elif name == "all_items":
            sources[name] = partial(items_without, tables, member)
        else:
            sources[name] = partial(rows_without, getattr(tables, name), member)
    found = Tables(sources)
    if HALVED in tables.computed:
        found.computed[HALVED] = rows_without(tables.computed[HALVED], member)
    if TEXT_TOKENS in tables.computed:
        found.computed[TEXT_TOKENS] = tables.computed[TEXT_TOKENS]  # costs alone rest on it
    return found


def items_without(tables: Tables, member: Member) -> list[pl.LazyFrame]:
    """Leave one member out of the tables of items, one a checkpoint, which stay unread."""
    return [rows_without(table, member) for table in tables.all_items]


def networks_without(tables: Tables, member: Member) -> dict[str, pl.DataFrame]:
    """Leave a seed out of the tables of simulated networks."""
    return {
        name: table.filter(~pl.col("seed").is_in([*map(int, member.names)])) for name, table in tables.simulated.items()
    }


def rows_without(table: Frame, member: Member) -> Frame:
    """Leave one member out of a table; untouched models and draws of noise have no seed of tuning."""
    kind: str = member.kind
    names: tuple[str, ...] = member.names
    columns = table.collect_schema().names()
    if kind == "checkpoint":
        is_out = pl.col("checkpoint").is_in(names)
    elif kind == "seed":
        is_out = IS_TUNED & pl.col("seed").is_in([*map(int, names)]) if "method" in columns else pl.lit(False)
    else:
        is_out = pl.any_horizontal(
            pl.lit(False), *(pl.col(c).is_in(names) for c in ("dataset", "probe") if c in columns)
        )
    return table.filter(~is_out.fill_null(False))


def scores_without(scores: Scores, member: Member) -> Scores:
    """Leave one member out of matrices of scores; the draws of items that were made already are kept."""
    kind, names = member
    blocks = {}
    for key, block in scores.blocks.items():
        kept = [place for place, row in enumerate(block.rows) if not is_of(row, member)]
        if kept and not (kind == "dataset" and block.probe in names):
            blocks[key] = block if len(kept) == len(block.rows) else with_rows(block, kept)
    points = scores.checkpoints
    if kind == "checkpoint":
        points = {series: [p for p in found if p.checkpoint not in names] for series, found in points.items()}
    return replace(scores, checkpoints={series: found for series, found in points.items() if found}, blocks=blocks)


def is_of(row: Row, member: Member) -> bool:
    """Say whether a model is of a dataset, seed or checkpoint."""
    kind, names = member
    if kind == "seed":
        return row.method != "base" and str(row.seed) in names
    return (row.checkpoint if kind == "checkpoint" else row.dataset) in names


def with_rows(block: Block, kept: list[int]) -> Block:
    """Keep some rows of a block."""
    values = SomeRows(block.values, np.array(kept), (len(kept), block.n_items))
    found = replace(block, rows=[block.rows[place] for place in kept], values=values)
    found.redrawn.update(block.redrawn)
    return found

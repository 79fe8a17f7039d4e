"""The tables of a study that claims are tested on and figures are drawn of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import polars as pl

from ripeness.findings.finding import Settings
from ripeness.findings.scores import Scores, Wanted, read_scores
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_entries
from ripeness.storage.parquet import check_table, read_table
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, REPORTED, SENSITIVITY, by_checkpoint
from ripeness.tables.finished_results import FINDING
from ripeness.tables.theory_columns import by_name as simulated_by_name

HALVED, TEXT_TOKENS = "halved", "text tokens"  # computed of items, see `Tables.once`
SCHEMAS = {"measurements": MEASUREMENTS | IS_CHOSEN, "cells": CELLS | IS_CHOSEN, "sensitivity": SENSITIVITY}


@dataclass(frozen=True)
class Tables:
    """A study's tables: each is read when it is first used, and then kept.

    `sources` says by name how to read those that the study has.
    """

    sources: Mapping[str, Callable[[], Any]]

    @classmethod
    def of(cls, **tables: object) -> "Tables":
        """Hold tables that are in memory; None stands for one that the study does not have."""
        return cls({name: partial(itself, table) for name, table in tables.items() if table is not None})

    def has(self, name: str) -> bool:
        """Say whether the study has a table."""
        return name in self.sources

    @cached_property
    def computed(self) -> dict[str, Any]:
        """What was computed of these tables, by name; see `once`."""
        return {}

    def once(self, name: str, compute: Callable[[], Any]) -> Any:
        """Compute something of these tables when it is first asked for, and keep it."""
        if name not in self.computed:
            self.computed[name] = compute()
        return self.computed[name]

    def read(self, name: str) -> Any:
        """Read a table; UserError where it was not given."""
        if name not in self.sources:
            option = "items" if name == "scores" else name
            given = ", ".join(sorted(self.sources)) or "none"
            raise UserError(
                f"the table of {option} is needed and was not given; given are: {given}\n"
                f"hint: name it by --{option}; the study's tables are in its folder `tables`"
            )
        return self.sources[name]()

    @cached_property
    def measurements(self) -> pl.DataFrame:
        """Every measurement, also at learning rates that were not chosen."""
        return self.read("measurements")

    @cached_property
    def reported(self) -> pl.DataFrame:
        """The measurements at chosen rates that are not there to choose by."""
        return self.measurements.filter(REPORTED)

    @cached_property
    def floors(self) -> pl.DataFrame:
        """Chance and the majority class by probe and format."""
        return self.reported.select("probe", "probe_format", "chance", "majority").unique()

    @cached_property
    def cells(self) -> pl.DataFrame:
        """Every cell with its status and the facts of its training."""
        return self.read("cells")

    @cached_property
    def sensitivity(self) -> pl.DataFrame | None:
        """What perturbing the weights changed; None where nothing was perturbed."""
        return self.read("sensitivity") if self.has("sensitivity") else None

    @cached_property
    def items(self) -> list[pl.LazyFrame] | None:
        """Scores of items, a table a checkpoint, so that all of them need not be in memory; None without items."""
        return self.read("items") if self.has("items") else None

    @cached_property
    def all_items(self) -> list[pl.LazyFrame]:
        """Scores of items with those to choose by, a table a checkpoint; none without items."""
        return self.read("all_items") if self.has("all_items") else []

    @cached_property
    def scores(self) -> Scores:
        """Scores of items as matrices, see scores.py."""
        return self.read("scores")

    def other_scores(self, wanted: Wanted) -> Scores:
        """Read other numbers of items than `scores`, once for all claims about them."""
        return self.once(
            f"scores {wanted.shots} {wanted.kinds} {wanted.value}", lambda: self.read("other_scores")(wanted)
        )

    @cached_property
    def simulated(self) -> Mapping[str, pl.DataFrame]:
        """The tables of simulated networks by name."""
        return self.read("simulated")

    @cached_property
    def findings(self) -> list[dict]:
        """What judge_claims has written of claims, for figures; nothing where it was not given."""
        return [entry for entry in self.entries if "answers" not in entry]

    @cached_property
    def answers(self) -> dict[str, dict]:
        """What judge_claims has written of answers, by id, for figures."""
        return {entry["id"]: entry for entry in self.entries if "answers" in entry}

    @cached_property
    def entries(self) -> list[dict]:
        """All that judge_claims has written; nothing where it was not given."""
        return self.read("findings") if self.has("findings") else []


def itself(table: Any) -> Any:
    """Return a table that is in memory already."""
    return table


def read_tables(paths: Mapping[str, Any], settings: Settings, folder: Path | None = None) -> Tables:
    """Make the tables of files by name of the table, where there are any; matrices of scores are kept in `folder`.

    UserError where a file is not there, damaged, or of other columns, whether or not it comes to be read.
    """
    found: dict[str, Callable[[], Any]] = {}
    for name, schema in SCHEMAS.items():
        if path := paths.get(name):
            check_table(path, schema)
            found[name] = partial(read_table, path, schema=schema)
    if places := paths.get("items"):
        found["items"] = partial(items_by_checkpoint, places)
        found["all_items"] = lambda: list(by_checkpoint(places).values())
        if folder is not None:
            found["scores"] = lambda: read_scores(places, Wanted(settings.shots), folder)
            found["other_scores"] = lambda: partial(other_scores, places, folder)
    if simulated := paths.get("simulated"):
        found["simulated"] = lambda: simulated_by_name(simulated)
    if path := paths.get("findings"):
        found["findings"] = partial(read_entries, path, FINDING)
    return Tables(found)


def other_scores(places: list[Path], folder: Path, wanted: Wanted) -> Scores:
    """Read other numbers of items than the scores that most findings are about, into files of their own."""
    return read_scores(places, wanted, Path(mkdtemp(dir=folder)))


def items_by_checkpoint(places: list[Path]) -> list[pl.LazyFrame]:
    """Scan items tables (files, or folders of them) at chosen rates, checkpoint by checkpoint."""
    tables = by_checkpoint(places)
    if not tables:
        raise UserError(
            f"no items tables (*.parquet) in {', '.join(map(str, places))}\n"
            "hint: leave out --items, or let the study collect its items first"
        )
    return [table.filter(REPORTED) for table in tables.values()]

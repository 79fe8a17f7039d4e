"""Open a finished study in Python: its tables as polars frames, its findings, and its figures.

    import ripeness
    study = ripeness.open("results/mine")
    study.scores.group_by("checkpoint").agg(pl.col("gain").mean())

The tables and their columns are those of docs/tables.md.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl

from ripeness.outputs.study_tables import findings_frame, items_of, table_of, tables_of
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_entries, read_json
from ripeness.runtime.wording import hint
from ripeness.tables.finished_results import FINDING
from ripeness.tables.main_scores import main_scores


@dataclass(frozen=True)
class Study:
    """A finished study. What it holds is read when it is first used; nothing is ever written."""

    folder: Path

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that this study has."""
        return tables_of(self.folder)

    def table(self, name: str) -> pl.LazyFrame:
        """Return a table by its name, lazily; UserError for one that the study does not have."""
        if name not in self.tables:
            near = hint(name, list(self.tables), otherwise="docs/tables.md describes them")
            raise UserError(f"{self.folder} has no table {name!r}; it has {', '.join(self.tables)}\n{near}")
        return table_of(self.folder, name)

    @cached_property
    def measurements(self) -> pl.DataFrame:
        """One row for each metric of each model on each probe."""
        return self.table("measurements").collect()

    @cached_property
    def cells(self) -> pl.DataFrame:
        """One row for each cell: done or diverged, and facts of its training."""
        return self.table("cells").collect()

    @property
    def items(self) -> pl.LazyFrame:
        """One row for each item answered by each model, with prompt, options and right answer; it may be large."""
        return items_of(self.folder)

    @cached_property
    def scores(self) -> pl.DataFrame:
        """One row for each tuned model: main score before and after tuning, gain, standard error, chance."""
        return main_scores(self.measurements)

    @cached_property
    def findings(self) -> pl.DataFrame:
        """One row for each claim, with verdict, effect and interval; `entries` has all that findings.json holds."""
        return findings_frame(self.folder)

    @cached_property
    def entries(self) -> list[dict[str, Any]]:
        """The entries of findings.json as they are: answers and claims."""
        return read_entries(self.folder / "findings.json", FINDING)

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures of the report."""
        return tuple(sorted(path.stem for path in (self.folder / "figures").glob("*.json")))

    def figure(self, name: str) -> alt.TopLevelMixin:
        """Return a figure of the report as an Altair chart, with the data that it shows; UserError for another name."""
        if name not in self.figures:
            near = hint(name, list(self.figures), otherwise="`figures` names them")
            raise UserError(f"{self.folder} has no figure {name!r}; it has {', '.join(self.figures)}\n{near}")
        spec = read_json(self.folder / "figures" / f"{name}.json", dict)
        return alt.Chart.from_dict(spec)

    def query(self, sql: str) -> pl.DataFrame:
        """Run SQL over the tables, by their names; UserError for what is no query."""
        from ripeness.outputs.queries import query  # loads DuckDB

        return query(self.folder, sql)

    def __repr__(self) -> str:
        """Name the folder and the tables."""
        return f"Study({str(self.folder)!r}, tables: {', '.join(self.tables)})"

"""What the audit warns of and the study does not acknowledge, in a few lines for the end of a run."""

import sys
from pathlib import Path
from textwrap import shorten

from ripeness.study.audit_checks import counted

MOST_CHARACTERS = 180  # of a line; the report has the rest


def warning_lines(results: Path) -> list[str]:
    """Write one line per check with its first remark, after their number and the place of the table; none without."""
    import polars as pl  # the Snakefile imports this module, and most parses of it end without a warning

    from ripeness.storage.parquet import read_table
    from ripeness.tables.columns import AUDIT

    table = results / "tables/audit.parquet"
    if not table.is_file():
        return []
    rows = read_table(table, schema=AUDIT).filter(
        pl.col("severity").is_in(["fatal", "warning"]), ~pl.col("is_acknowledged")
    )
    if rows.is_empty():
        return []
    n = counted(rows["check"].n_unique(), "warning")  # as many as the report counts
    lines = [f"The audit has {n} that the study does not acknowledge ({results / 'report.html'}, section Audit):"]
    for (check,), remarks in rows.group_by("check", maintain_order=True):
        where, seen = remarks.row(0, named=True)["where"], remarks.row(0, named=True)["seen"]
        more = f" (and {remarks.height - 1:,} more)" if remarks.height > 1 else ""
        lines.append(f"  {shorten(f'{check}: {where}: {seen}', MOST_CHARACTERS - len(more), placeholder=' ...')}{more}")
    return lines


def say_warnings(results: Path) -> None:
    """Print them after what Snakemake says."""
    if lines := warning_lines(results):
        print("", *lines, sep="\n", file=sys.stderr)

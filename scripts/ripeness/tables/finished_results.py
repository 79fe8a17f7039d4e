"""Check the finished files of a study before the next run, so that no damaged file is skipped.

Neither Snakemake nor the keys of results look into a file, and count such a one as done, and also a whole one that is
another's: a table of other columns, or of another checkpoint. What costs little is looked at: the two ends of a cell's
tables, the columns of all others.
"""

import csv
import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_entries, read_json, read_text
from ripeness.runtime.made_here import damaged

FINDING = ("id", "verdict", "statement")  # what every entry has
ENTRIES: dict[str, tuple[str, ...]] = {
    "prompts.json": ("dataset", "format", "prompt"),
    "gate/*.json": ("series", "checkpoint", "loss"),
}
ENTRIES |= {"pictures.json": ("dataset", "item", "picture", "answers")}
OBJECTS = {"provenance.json": ("software", "study", "command"), "figures/*.json": ("$schema",)}
OBJECTS |= {"audit/weights.json": ()}
PAGES = {"report.html": "</html>", "verdicts.html": "</html>", "figures/*.svg": "</svg>"}  # and what they end with
MOST_NAMED = 5
MADE_FROM = {
    "tables/items/": ("findings.json",),
    "tables/measurements/": ("tables/measurements.parquet",),
    "tables/cells/": ("tables/cells.parquet",),
    "sensitivity/": ("tables/sensitivity.parquet",),
    "audit/weights.json": ("audit/inputs.parquet", "tables/audit.parquet"),
    "audit/": ("tables/audit.parquet",),
    "gate/": ("provenance.json",),
}  # files from which others are made -> those that Snakemake is to make, or that lie between


def damaged_files(results: Path) -> dict[Path, str]:
    """Find damaged and foreign files among tables, findings, figures and pages of a study, with what is wrong."""
    found = {}
    for path, check in checks_of(results):
        try:
            check(path)
        except UserError as error:
            found[path] = str(error).partition("\n")[0]
    return found


def is_cheap(path: Path) -> bool:
    """Say whether a finished file is made again without a GPU."""
    return path.name != "predictions.parquet" and "sensitivity" not in path.parts[-3:-1]


def check_finished(results: Path, found: dict[Path, str]) -> None:
    """Raise UserError that names `found` of damaged_files, unless there are none, and what else must be deleted."""
    if not found:
        return
    first, *others = map(str, found)
    also_gone = [str(path) for path in dict.fromkeys(also for path in found for also in made_from(results, path))]
    named = [first if others or also_gone else "it", *others[:MOST_NAMED]]
    more = f"\nneither can {len(others):,} more" if others else ""
    rest = f", and {len(others) - MOST_NAMED:,} more that the next run names" if len(others) > MOST_NAMED else ""
    names = ", ".join(dict.fromkeys([*named, *also_gone]))
    again = "the next run makes them again" if len(named) + len(also_gone) > 1 else "the next run makes it again"
    raise UserError(f"{found[Path(first)]}{more}\nhint: delete {names}{rest}; {again}")


def made_from(results: Path, path: Path) -> list[Path]:
    """Name what else must be deleted for Snakemake to remake a file that only other files are made from."""
    inner = path.relative_to(results)
    if inner.parts[0] == "theory":
        return [results / "tables" / path.name]
    if inner.parts[0] == "cells":
        series, checkpoint = inner.parts[1:3]
        tables = [path.parent / "measurements.parquet", results / f"tables/measurements/{series}/{checkpoint}.parquet"]
        return [*tables, results / "tables/measurements.parquet"]
    names = next((names for folder, names in MADE_FROM.items() if inner.as_posix().startswith(folder)), ())
    return [results / name for name in names]


def checks_of(results: Path) -> Iterator[tuple[Path, Callable[[Path], object]]]:
    """Every finished file and what is asked of it."""
    if any((results / name).is_dir() for name in ("tables", "cells", "audit", "sensitivity", "theory")):
        from ripeness.tables.finished_tables import table_checks  # slow to import

        yield from table_checks(results)
    checks: dict[str, Callable[[Path], object]] = {
        "findings.json": partial(read_entries, keys=FINDING, is_filled=True),
        "figures/*.csv": check_csv,
        **{pattern: partial(read_entries, keys=keys) for pattern, keys in ENTRIES.items()},
        **{pattern: partial(read_json, kind=dict, keys=keys) for pattern, keys in OBJECTS.items()},
        **{pattern: partial(check_end, end=end) for pattern, end in PAGES.items()},
    }
    for pattern, check in checks.items():
        for path in sorted(results.glob(pattern)):
            yield path, check


def check_end(path: Path, end: str) -> None:
    """Refuse a page that has lost its end."""
    if not read_text(path).rstrip().endswith(end):
        raise damaged(path, f"its end, {end}, is missing")


def check_csv(path: Path) -> None:
    """Refuse a table of a figure that is empty or has lost its end."""
    text = read_text(path)
    if not text:
        raise damaged(path, "it is empty")
    try:
        widths = {len(cells) for cells in csv.reader(io.StringIO(text, newline=""), strict=True)}
    except csv.Error as error:
        raise damaged(path, str(error)) from None
    if not text.endswith("\n") or len(widths) > 1:
        raise damaged(path, "its end is missing")

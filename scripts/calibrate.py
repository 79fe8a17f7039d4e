"""Measure how often verdicts and intervals are right, on drawn studies whose truth is known (docs/calibration.md).

By hand: python scripts/calibrate.py --studies 100 --cells edge null --page some.md

All cells with 500 studies each take some hours; the numbers are the same on any number of processors. The table has a
row for each claim of each study. Table and page are written after each round of a few studies of every cell: a run that
is stopped leaves those of its whole rounds.
"""

import argparse
import sys
from pathlib import Path

import polars as pl

from ripeness.calibration.designs import CELLS, Cell
from ripeness.calibration.judging import DRAWS, judged
from ripeness.calibration.page import page
from ripeness.runtime.command_line import argument_parser, output_file, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole

STUDIES = 500  # of each cell


def chosen(names: list[str]) -> list[Cell]:
    """Choose cells by name, or all; UserError for a name that is not known."""
    known = {cell.name: cell for cell in CELLS}
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"no cell is called {unknown[0]!r}\nhint: cells are {'; '.join(known)}")
    return [known[name] for name in names] or list(CELLS)


def main(argv: list[str] | None = None) -> None:
    """Draw the studies, test all claims on them, and write the table and the page."""
    parser = argument_parser(__doc__)
    parser.add_argument("--studies", type=int, default=STUDIES, help=f"of each cell (default: {STUDIES})")
    parser.add_argument("--cells", nargs="*", default=[], metavar="NAME", help="default: all")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once (default: 1)")
    parser.add_argument("--draws", type=int, default=DRAWS, help=f"of the bootstrap (default: {DRAWS})")
    parser.add_argument("--page", type=output_file, default=Path("docs/calibration.md"), help="what is written of it")
    parser.add_argument("--table", type=output_file, default=Path("results/calibration.parquet"), help="all verdicts")
    options = parser.parse_args(argv)
    for name in ("studies", "jobs", "draws"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name} is {getattr(options, name)}\nhint: give a number from 1 on")
    cells = chosen(options.cells)
    parts, done = [], 0
    for place, (_, rows) in enumerate(
        judged(cells, studies=options.studies, jobs=options.jobs, draws=options.draws), 1
    ):
        parts.append(rows)
        if place % len(cells):
            continue
        done += rows["study"].n_unique()
        print(f"{done} of {options.studies} studies of each cell", file=sys.stderr, flush=True)
        with whole(options.table) as temporary:
            pl.concat(parts).write_parquet(temporary)
        with whole(options.page) as temporary:
            temporary.write_text(page(pl.concat(parts), cells, command=command(options, done)), encoding="utf-8")


def command(options: argparse.Namespace, studies: int) -> str:
    """Write the command that makes the same page."""
    given = [f"--studies {studies}"] * (studies != STUDIES)
    given += [f"--cells {' '.join(map(repr, options.cells))}"] * bool(options.cells)
    given += [f"--draws {options.draws}"] * (options.draws != DRAWS)
    return " ".join(["make calibrate"] if not given else ["python scripts/calibrate.py", *given])


if __name__ == "__main__":
    run(main)

"""Run the benchmarks, write results/benchmarks.json and print one table.

python benchmarks/run.py --only prediction --only training
python benchmarks/run.py --markdown      # the table of an earlier run again, for benchmarks/README.md
"""

import argparse
import importlib
import importlib.util
import logging
from collections.abc import Iterator
from pathlib import Path

from subjects import PROJECT, add_options
from timing import is_met, machine

from ripeness.runtime.command_line import argument_parser
from ripeness.runtime.command_line import run as run_program
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, write_json

NAMES = (
    "prediction",
    "generation",
    "training",
    "methods",
    "peft_trainer",
    "alignment",
    "gpu",
    "memory",
    "sensitivity",
    "study",
    "scale",
    "bounds",
    "turning_points",
    "indicators",
)  # modules beside this one
COLUMNS = ("benchmark", "model", "setting", "ours", "theirs", "unit", "ratio", "target", "met", "note")


def cells(row: dict) -> list[str]:
    """A row as it is printed."""
    met = {True: "yes", False: "**no**", None: ""}[is_met(row)]
    numbers = {key: "–" if row[key] is None else f"{row[key]:.4g}" for key in ("ours", "theirs", "ratio")}
    if row["ours"] is None:
        numbers["ours"] = "not measured"
    return [str((row | numbers | {"met": met}).get(column, "")) for column in COLUMNS]


def table(rows: list[dict]) -> str:
    """The rows in Markdown, which is legible in a terminal too."""
    lines = [list(COLUMNS), ["---"] * len(COLUMNS), *map(cells, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def described(machine: dict) -> str:
    """The machine in one sentence."""
    versions = ", ".join(f"{name} {version or 'absent'}" for name, version in machine["versions"].items())
    cpu = f"{machine['cores']} cores of {machine['cpu']}, {machine['threads']} thread"
    return f"{cpu}, GPU: {machine['gpu'] or 'none'}; {versions}."


def run_all(names: list[str], options: argparse.Namespace) -> Iterator[tuple[str, list[dict]]]:
    """Each benchmark with its rows; one is imported only when it runs, and may be left out of a copy of the project."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            logging.info("there is no benchmarks/%s.py: left out", name)
            continue
        logging.info("%s", name)
        yield name, importlib.import_module(name).run(options)


def main(argv: list[str] | None = None) -> None:
    """Run what is asked for; results of the others stay as they are in the file."""
    parser = argument_parser(__doc__)
    add_options(parser)
    parser.add_argument("--only", action="append", choices=NAMES, help="run this one alone; may be given again")
    parser.add_argument("--markdown", action="store_true", help="run nothing, print the table of the last run")
    parser.add_argument("--output", type=Path, default=PROJECT / "results" / "benchmarks.json", help="JSON to write")
    options = parser.parse_args(argv)
    written = read_json(options.output) if options.output.is_file() else {}
    if options.markdown and not written:
        raise UserError(f"there is no {options.output}\nhint: run the benchmarks first: make bench")
    for name, rows in [] if options.markdown else run_all(options.only or list(NAMES), options):
        written |= {name: rows, "machine": machine()}
        write_json(options.output, written)  # after each, since all together take long
    print(table([row for name in NAMES for row in written.get(name, [])]))
    print(f"\n{described(written['machine'])}")


if __name__ == "__main__":
    run_program(main)

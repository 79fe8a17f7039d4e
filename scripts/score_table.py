"""Write the scores of a study as a Markdown table: untouched and tuned, a row a checkpoint and a column a dataset.

By hand: python scripts/score_table.py results/nursery --into docs/nursery.md

With --into, the table takes the place of what stands between the lines `<!-- scores -->` and `<!-- end of scores -->`.
"""

from pathlib import Path

import polars as pl

from ripeness.runtime.command_line import argument_parser, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.marked_page import put_between
from ripeness.tables.columns import IS_OWN, REPORTED, read_measurements
from ripeness.tables.intervals import POINT, compared, scores
from ripeness.tables.single_numbers import as_number


def score_table(measurements: pl.DataFrame, *, asked: str, method: str) -> str:
    """Make the table of models tuned and asked in one format, at chosen rates; scores are means over seeds.

    UserError where no model was tuned by that method in that format.
    """
    own = compared(scores(measurements.filter(REPORTED))).filter(IS_OWN, probe_format=asked)
    tuned = own.filter(pl.col("method") == method, pl.col("format") == asked)
    if tuned.is_empty():
        methods = ", ".join(sorted(set(own["method"]) - {"base"})) or "none"
        formats = ", ".join(sorted(set(measurements["format"].drop_nulls())))
        raise UserError(
            f"no model was tuned by {method!r} in the format {asked!r}\n"
            f"hint: methods are {methods}; formats are {formats}"
        )
    by = [*POINT, "probe"]
    before = own.filter(method="base").group_by(by).agg(before=pl.col("value").mean())
    means = tuned.group_by(by).agg(after=pl.col("value").mean()).join(before, on=by, how="left")
    datasets = tuned["probe"].unique(maintain_order=True).sort().to_list()
    order = means.select(POINT).unique().sort("series", "tokens", "step", "phase", descending=[False] * 3 + [True])
    lines = [f"| checkpoint | {' | '.join(datasets)} |", f"|---|{'---|' * len(datasets)}"]
    for point in order.iter_rows(named=True):
        cells = means.filter(series=point["series"], checkpoint=point["checkpoint"])
        known = {row["probe"]: f"{short(row['before'])} → {short(row['after'])}" for row in cells.iter_rows(named=True)}
        name = point["checkpoint"] if means["series"].n_unique() == 1 else f"{point['series']} {point['checkpoint']}"
        lines.append(f"| {name} | {' | '.join(known.get(dataset, '–') for dataset in datasets)} |")
    return "\n".join(lines)


def short(value: float | None) -> str:
    """Write a score without its zero: .48, 1.00; a dash for none."""
    return "–" if value is None else f"{value:.2f}".removeprefix("0")


def facts_line(measurements: pl.DataFrame, *, asked: str, method: str) -> str:
    """Say what the table is made of."""
    tuned = measurements.filter(REPORTED, IS_OWN, method=method, format=asked)
    n_seeds, n_items = tuned["seed"].n_unique(), int(as_number(tuned["n_items"].max()))
    seeds = f"{n_seeds} seed{'' if n_seeds == 1 else 's'}"
    return f"Format `{asked}`, method `{method}`: means over {seeds}, {n_items} test items each."


def main(argv: list[str] | None = None) -> None:
    """Print the table, or put it into a page."""
    parser = argument_parser(__doc__)
    parser.add_argument("results", type=Path, help="the study's folder, such as results/nursery")
    parser.add_argument("--format", default="default", help="format that models are tuned and asked in")
    parser.add_argument("--method", default="full", help="way of tuning")
    parser.add_argument("--into", type=Path, help="a Markdown page with both marks")
    options = parser.parse_args(argv)
    measurements = read_measurements(options.results / "tables" / "measurements.parquet")
    table = score_table(measurements, asked=options.format, method=options.method)
    facts = facts_line(measurements, asked=options.format, method=options.method)
    if options.into:
        put_between(options.into, "scores", f"{facts}\n\n{table}")
    else:
        print(table, facts, sep="\n\n")


if __name__ == "__main__":
    run(main)

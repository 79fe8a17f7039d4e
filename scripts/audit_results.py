"""Audit the results of a study, and put what was seen next to what the audit of its inputs saw.

Writes the table of all remarks: audit.parquet. Where there are no inputs, as of published numbers, the checkpoints that
the measurements name are audited too.
"""

from collections.abc import Callable, Iterator
from functools import partial

import polars as pl

from ripeness.audit.grid import GRID_CHECKS, Plan
from ripeness.audit.results import RESULT_CHECKS, Results
from ripeness.runtime.command_line import argument_parser, existing, json_option, output_table, run
from ripeness.storage.parquet import read_table, scan_table
from ripeness.study.audit_checks import CHECKS, RESULT_STAGES, Remark, as_rows, refusal, remark, with_passed
from ripeness.tables.columns import (
    AUDIT,
    IS_CHOSEN,
    ITEM_SCORES,
    conform,
    read_cells,
    read_measurements,
    table_files,
    write_table,
)
from ripeness.tables.published_suspects import tuned_once

Checks = dict[str, Callable[[], Iterator[Remark]]]

# what measurements say of a grid
MEASURED = ("uneven-tokens", "near-identical-checkpoints", "single-pretraining-run")


def plan_of(measurements: pl.DataFrame) -> Plan:
    """Build the part of a plan that measurements show: series with their checkpoints."""
    facts = ["checkpoint", "step", "tokens", "phase"]
    points = measurements.select("series", *facts).unique(["series", "checkpoint"], keep="first", maintain_order=True)
    series = {name: {"checkpoints": rows.select(facts).to_dicts()} for (name,), rows in points.group_by("series")}
    return {"series": series}


def single_seed(measurements: pl.DataFrame) -> Iterator[Remark]:
    """Find tables whose tuned models have one seed, or name none."""
    if seen := tuned_once(measurements):
        yield remark("single-seed", "seeds", seen)


def checks_of(results: Results, *, has_inputs: bool) -> Checks:
    """List the checks that can run, by name."""
    known = CHECKS.items() if results.items is not None else [c for c in CHECKS.items() if c[0] != "one-answer"]
    checks: Checks = {
        name: partial(RESULT_CHECKS[name], results) for name, check in known if check.stage in RESULT_STAGES
    }
    if has_inputs:
        return checks
    plan = plan_of(results.measurements)
    of_tables: Checks = {name: partial(GRID_CHECKS[name], plan) for name in MEASURED}
    of_tables["single-seed"] = partial(single_seed, results.measurements)
    return of_tables | checks


def main(argv: list[str] | None = None) -> None:
    """Write the remarks on inputs and results; refuse what is fatal."""
    parser = argument_parser(__doc__)
    parser.add_argument("--inputs", type=existing, nargs="*", default=[], help="what audit_inputs wrote")
    parser.add_argument("--measurements", required=True, type=existing, help="measurements.parquet")
    parser.add_argument("--cells", required=True, type=existing, help="cells.parquet")
    parser.add_argument("--items", type=existing, nargs="*", default=[], help="items tables, or their folder")
    parser.add_argument("--acknowledge", type=json_option, default={}, help="reasons by check, as JSON")
    parser.add_argument("--output", required=True, type=output_table(AUDIT), help="parquet file to write")
    options = parser.parse_args(argv)
    inputs, files = [read_table(path, schema=AUDIT) for path in options.inputs], table_files(options.items)
    scanned = [scan_table(file, schema=ITEM_SCORES | IS_CHOSEN) for file in files]
    items = pl.concat(scanned) if scanned else None
    results = Results(read_measurements(options.measurements), read_cells(options.cells), items)
    checks = checks_of(results, has_inputs=bool(options.inputs))
    found = with_passed((row for check in checks.values() for row in check()), checks, options.acknowledge)
    if error := refusal(found):
        raise error
    tables = [*inputs, conform(as_rows(found), AUDIT)]
    write_table(options.output, pl.concat(tables), AUDIT)


if __name__ == "__main__":
    run(main)

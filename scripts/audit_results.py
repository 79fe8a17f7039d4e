"""Audit the results of a study, and put what was seen beside what the audit of its inputs saw.

Writes the table of all remarks: audit.parquet.
"""

from pathlib import Path

import polars as pl

from ripeness.audit import CHECKS, RESULT_STAGES, as_rows, refusal, with_passed
from ripeness.audit_results import RESULT_CHECKS, Results
from ripeness.command_line import argument_parser, existing, json_option, run
from ripeness.tables import AUDIT, conform, table_files, write_table


def main(argv: list[str] | None = None) -> None:
    """Write the remarks on inputs and results; refuse what is fatal."""
    parser = argument_parser(__doc__)
    parser.add_argument("--inputs", type=existing, help="what audit_inputs wrote")
    parser.add_argument("--measurements", required=True, type=existing, help="measurements.parquet")
    parser.add_argument("--cells", required=True, type=existing, help="cells.parquet")
    parser.add_argument("--items", type=existing, nargs="+", default=[], help="items tables, or their folder")
    parser.add_argument("--acknowledge", type=json_option, default={}, help="reasons by check, as JSON")
    parser.add_argument("--output", required=True, type=Path, help="parquet file to write")
    options = parser.parse_args(argv)
    files = table_files(options.items)
    results = Results(
        pl.read_parquet(options.measurements),
        pl.read_parquet(options.cells),
        pl.scan_parquet(files) if files else None,
    )
    ran = [name for name, check in CHECKS.items() if check.stage in RESULT_STAGES]
    if results.items is None:
        ran.remove("one-answer")
    found = with_passed((row for check in RESULT_CHECKS.values() for row in check(results)), ran, options.acknowledge)
    if error := refusal(found):
        raise error
    tables = [conform(as_rows(found), AUDIT)]
    if options.inputs:
        tables.insert(0, pl.read_parquet(options.inputs))
    write_table(options.output, pl.concat(tables), AUDIT)


if __name__ == "__main__":
    run(main)

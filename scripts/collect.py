"""Collect the tables of all checkpoints into the study's."""

from pathlib import Path

from ripeness.runtime.command_line import argument_parser, output_file, run
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, read_tables, stream_table


def main(argv: list[str] | None = None) -> None:
    """Write measurements.parquet and cells.parquet."""
    parser = argument_parser(__doc__)
    parser.add_argument("--measurements", required=True, type=Path, nargs="+", help="one table a checkpoint")
    parser.add_argument("--status", required=True, type=Path, nargs="+", help="one table a checkpoint")
    parser.add_argument("--output-measurements", required=True, type=output_file, help="parquet file to write")
    parser.add_argument("--output-cells", required=True, type=output_file, help="parquet file to write")
    options = parser.parse_args(argv)
    tables = [
        (read_tables(paths, schema), output, schema)  # all are looked at before any is written
        for paths, output, schema in (
            (options.measurements, options.output_measurements, MEASUREMENTS | IS_CHOSEN),
            (options.status, options.output_cells, CELLS | IS_CHOSEN),
        )
    ]
    for rows, output, schema in tables:
        stream_table(output, rows, schema)


if __name__ == "__main__":
    run(main)

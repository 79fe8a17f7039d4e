"""Collect one table of the simulated networks from the tables of all seeds."""

from ripeness.runtime.command_line import argument_parser, existing, output_file, run
from ripeness.tables.columns import read_tables, stream_table
from ripeness.tables.theory_columns import SIMULATED


def main(argv: list[str] | None = None) -> None:
    """Write one table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--table", required=True, choices=SIMULATED, help="its name, which is that of the files")
    parser.add_argument("--simulated", required=True, type=existing, nargs="+", help="tables of the seeds")
    parser.add_argument("--output", required=True, type=output_file, help="parquet file to write")
    options = parser.parse_args(argv)
    schema = SIMULATED[options.table]
    stream_table(options.output, read_tables(options.simulated, schema), schema)


if __name__ == "__main__":
    run(main)

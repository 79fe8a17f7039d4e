"""Collect the tables of all perturbed checkpoints into the study's."""

from pathlib import Path

from ripeness.command_line import argument_parser, run
from ripeness.tables import SENSITIVITY, read_tables, stream_table


def main(argv: list[str] | None = None) -> None:
    """Write sensitivity.parquet."""
    parser = argument_parser(__doc__)
    parser.add_argument("--tables", required=True, type=Path, nargs="+", help="one table a checkpoint")
    parser.add_argument("--output", required=True, type=Path, help="parquet file to write")
    options = parser.parse_args(argv)
    stream_table(options.output, read_tables(options.tables, SENSITIVITY), SENSITIVITY)


if __name__ == "__main__":
    run(main)

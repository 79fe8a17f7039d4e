"""Collect the tables of all checkpoints into the study's."""

from pathlib import Path

import polars as pl

from ripeness.command_line import argument_parser, run
from ripeness.tables import CELLS, IS_CHOSEN, MEASUREMENTS, write_table


def main(argv: list[str] | None = None) -> None:
    """Write measurements.parquet and cells.parquet."""
    parser = argument_parser(__doc__)
    parser.add_argument("--measurements", required=True, type=Path, nargs="+", help="one table a checkpoint")
    parser.add_argument("--status", required=True, type=Path, nargs="+", help="one table a checkpoint")
    parser.add_argument("--output-measurements", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--output-cells", required=True, type=Path, help="parquet file to write")
    options = parser.parse_args(argv)
    measurements = pl.concat([pl.read_parquet(path) for path in options.measurements])
    write_table(options.output_measurements, measurements, MEASUREMENTS | IS_CHOSEN)
    write_table(options.output_cells, pl.concat([pl.read_parquet(path) for path in options.status]), CELLS | IS_CHOSEN)


if __name__ == "__main__":
    run(main)

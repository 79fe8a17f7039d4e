"""Collect the cells of one checkpoint: their items, their measurements, and what became of each."""

from pathlib import Path

import polars as pl

from ripeness.command_line import argument_parser, run
from ripeness.files import whole
from ripeness.tables import CELLS, ITEM_SCORES, MEASUREMENTS, write_table


def main(argv: list[str] | None = None) -> None:
    """Write three tables of one checkpoint."""
    parser = argument_parser(__doc__)
    parser.add_argument("--scores", required=True, type=Path, nargs="+", help="measurements.parquet of every cell")
    parser.add_argument("--items", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--measurements", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--status", required=True, type=Path, help="parquet file to write: a row a cell")
    options = parser.parse_args(argv)
    folders = [path.parent for path in options.scores]
    # streamed: the items of a checkpoint may be millions
    with whole(options.items) as path:
        pl.scan_parquet([folder / "items.parquet" for folder in folders], schema=ITEM_SCORES).sink_parquet(path)
    measurements = pl.concat([pl.read_parquet(path) for path in options.scores])
    write_table(options.measurements, measurements, MEASUREMENTS)
    write_table(options.status, pl.concat([pl.read_parquet(folder / "cell.parquet") for folder in folders]), CELLS)


if __name__ == "__main__":
    run(main)

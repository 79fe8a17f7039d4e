"""Collect the cells of one checkpoint: their items, their measurements, and what became of each.

Where a method has several learning rates, the one that was best on validation items is marked as chosen.
"""

from pathlib import Path

import polars as pl

from ripeness.command_line import argument_parser, run
from ripeness.files import whole
from ripeness.rates import choose_rates, mark_chosen
from ripeness.tables import CELLS, IS_CHOSEN, ITEM_SCORES, MEASUREMENTS, conform, write_table


def main(argv: list[str] | None = None) -> None:
    """Write three tables of one checkpoint."""
    parser = argument_parser(__doc__)
    parser.add_argument("--scores", required=True, type=Path, nargs="+", help="measurements.parquet of every cell")
    parser.add_argument("--items", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--measurements", required=True, type=Path, help="parquet file to write")
    parser.add_argument("--status", required=True, type=Path, help="parquet file to write: a row a cell")
    options = parser.parse_args(argv)
    folders = [path.parent for path in options.scores]
    measurements = pl.concat([pl.read_parquet(path) for path in options.scores])
    cells = pl.concat([pl.read_parquet(folder / "cell.parquet") for folder in folders])
    rates = choose_rates(conform(measurements, MEASUREMENTS), conform(cells, CELLS))
    # streamed: the items of a checkpoint may be millions
    with whole(options.items) as path:
        items = pl.scan_parquet([folder / "items.parquet" for folder in folders], schema=ITEM_SCORES)
        mark_chosen(items, rates).sink_parquet(path)
    write_table(options.measurements, mark_chosen(measurements.lazy(), rates).collect(), MEASUREMENTS | IS_CHOSEN)
    write_table(options.status, mark_chosen(cells.lazy(), rates).collect(), CELLS | IS_CHOSEN)


if __name__ == "__main__":
    run(main)

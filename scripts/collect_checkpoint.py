"""Collect the cells of one checkpoint: their items, their measurements, and what became of each.

Where a method has several learning rates, the one that was best on validation items is marked as chosen.
"""

from pathlib import Path

from ripeness.runtime.command_line import argument_parser, json_option, output_file, run
from ripeness.runtime.made_here import damaged
from ripeness.storage.parquet import scan_files
from ripeness.tables.chosen_rates import TRIED, VALIDATION, choose_rates, mark_chosen
from ripeness.tables.columns import CELLS, IS_CHOSEN, ITEM_SCORES, MEASUREMENTS, read_tables, stream_table


def check_one_checkpoint(paths: list[Path]) -> None:
    """Refuse a cell's file that has rows of another checkpoint than the others have."""
    place = ["series", "checkpoint"]
    rows = scan_files(paths, file_column="file").select(*place, "file").unique().collect()
    counts = rows.group_by(place).len().sort("len", *place, descending=[True, False, False])
    for series, checkpoint, _ in counts.iter_rows():
        if (series, checkpoint) != counts.select(place).row(0):
            path = rows.filter(series=series, checkpoint=checkpoint)["file"].min()
            raise damaged(Path(str(path)), f"it holds rows of the checkpoint {series} {checkpoint}, unlike other cells")


def main(argv: list[str] | None = None) -> None:
    """Write three tables of one checkpoint."""
    parser = argument_parser(__doc__)
    parser.add_argument("--scores", required=True, type=Path, nargs="+", help="measurements.parquet of every cell")
    parser.add_argument(
        "--choose-by", default="{}", type=json_option, help='by what methods are chosen, such as {"full": "loss"}'
    )
    parser.add_argument("--items", required=True, type=output_file, help="parquet file to write")
    parser.add_argument("--measurements", required=True, type=output_file, help="parquet file to write")
    parser.add_argument("--status", required=True, type=output_file, help="parquet file to write: a row a cell")
    options = parser.parse_args(argv)
    folders = [path.parent for path in options.scores]
    # streamed, and read twice: the items of a checkpoint may be millions, its cells thousands
    measurements = read_tables(options.scores, MEASUREMENTS)
    cells = read_tables([folder / "cell.parquet" for folder in folders], CELLS)
    items = read_tables([folder / "items.parquet" for folder in folders], ITEM_SCORES)
    for kind in ("measurements", "cell", "items"):
        check_one_checkpoint([folder / f"{kind}.parquet" for folder in folders])
    tried = cells.select(*TRIED, "seed", "status")
    rates = choose_rates(measurements.filter(suite=VALIDATION).collect(), tried.collect(), options.choose_by)
    for rows, path, schema in (
        (items, options.items, ITEM_SCORES),
        (measurements, options.measurements, MEASUREMENTS),
        (cells, options.status, CELLS),
    ):
        stream_table(path, mark_chosen(rows, rates), schema | IS_CHOSEN)


if __name__ == "__main__":
    run(main)
